/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "channel_internal.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CANCEL_CHECK_MS 50 /* how often a waiter asks whether it is cancelled */

struct channel *channel_new(struct loop *loop)
{
    struct channel *channel = xcalloc(1, sizeof(*channel));
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&channel->lock, NULL);
    (void)pthread_cond_init(&channel->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    channel->loop = loop;
    channel->references = 1;
    wire_init(&channel->wire, -1, true);
    return channel;
}

struct channel *channel_open(struct loop *loop, const char *run_dir, const json_t *agent,
                             banger_error *err)
{
    struct endpoint endpoint;
    if (endpoint_parse(run_dir, agent, &endpoint, err) < 0) {
        return NULL;
    }
    struct channel *channel = channel_new(loop);
    channel->endpoint = endpoint;
    channel_reference(channel); /* the job's */
    loop_post(loop, channel_link_start, channel);
    return channel;
}

void channel_reference(struct channel *channel)
{
    (void)pthread_mutex_lock(&channel->lock);
    channel->references++;
    (void)pthread_mutex_unlock(&channel->lock);
}

void channel_release(struct channel *channel)
{
    (void)pthread_mutex_lock(&channel->lock);
    bool last = --channel->references == 0;
    (void)pthread_mutex_unlock(&channel->lock);
    if (last) {
        endpoint_free(&channel->endpoint);
        (void)pthread_cond_destroy(&channel->changed);
        (void)pthread_mutex_destroy(&channel->lock);
        free(channel);
    }
}

static void close_on_loop(void *context)
{
    struct channel *channel = context;
    channel_link_close(channel, "closed by the host");
    channel_release(channel);
}

void channel_close(struct channel *channel)
{
    loop_post(channel->loop, close_on_loop, channel);
}

enum channel_state channel_get_state(struct channel *channel)
{
    (void)pthread_mutex_lock(&channel->lock);
    enum channel_state state = channel->state;
    (void)pthread_mutex_unlock(&channel->lock);
    return state;
}

void channel_set_ready(struct channel *channel)
{
    (void)pthread_mutex_lock(&channel->lock);
    channel->state = CHANNEL_READY;
    (void)pthread_cond_broadcast(&channel->changed);
    (void)pthread_mutex_unlock(&channel->lock);
}

static void wait_until(struct channel *channel, deadline until)
{
    struct timespec when = {.tv_sec = (time_t)(until / 1000), .tv_nsec = until % 1000 * 1000000};
    (void)pthread_cond_timedwait(&channel->changed, &channel->lock, &when);
}

/* With the lock held. */
static int state_error(const struct channel *channel, banger_error *err)
{
    if (channel->state == CHANNEL_CLOSED) {
        return error_set(err, BANGER_EGUEST, "the channel to the guest's agent is closed: %s",
                         channel->reason);
    }
    return error_set(err, BANGER_ETIMEDOUT, "the guest's agent does not answer");
}

int channel_wait_ready(struct channel *channel, deadline until, bool (*cancelled)(void *context),
                       void *context, banger_error *err)
{
    int result = 0;
    bool stop = false;
    channel_reference(channel);
    (void)pthread_mutex_lock(&channel->lock);
    while (channel->state == CHANNEL_CONNECTING && !stop && deadline_left_ms(until) > 0) {
        deadline next = deadline_in(CANCEL_CHECK_MS);
        wait_until(channel, next < until ? next : until);
        (void)pthread_mutex_unlock(&channel->lock);
        stop = cancelled != NULL && cancelled(context);
        (void)pthread_mutex_lock(&channel->lock);
    }
    if (stop && channel->state == CHANNEL_CONNECTING) {
        result = error_set(err, BANGER_ECANCELLED, "cancelled while waiting for the guest's agent");
    } else if (channel->state != CHANNEL_READY) {
        result = state_error(channel, err);
    }
    (void)pthread_mutex_unlock(&channel->lock);
    channel_release(channel);
    return result;
}
