/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's end of the agent's wire: one channel a running VM, many streams in it. Lives on the
 * daemon's loop; everything a guest sends is bounded by frame.h and by the limits below.
 */
#ifndef GUEST_CHANNEL_H
#define GUEST_CHANNEL_H

#include "base/error.h"
#include "base/loop.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

struct channel;

enum channel_state {
    CHANNEL_CONNECTING, /* nobody has answered HELLO yet */
    CHANNEL_READY,
    CHANNEL_CLOSED, /* the VMM closed its end, or the guest broke the protocol: see the reason */
};

/* Starts connecting to where the vmm provider said the agent is: {"transport","path","cid","port"},
 * paths relative to `run_dir`. Retries until it is ready or closed for good. Any thread. */
struct channel *channel_open(struct loop *loop, const char *run_dir, const json_t *agent,
                             banger_error *err);
/* Ends it and its streams. Any thread; frees once the loop has let go. */
void channel_close(struct channel *channel);

enum channel_state channel_get_state(struct channel *channel); /* any thread */
/* Waits for CHANNEL_READY. Fails with ETIMEDOUT at the deadline, ECANCELLED when `cancelled` (may
 * be NULL) says so, EGUEST when the channel closed. Any thread but the loop's. */
int channel_wait_ready(struct channel *channel, deadline until, bool (*cancelled)(void *context),
                       void *context, banger_error *err);

/* Opens a stream for a service; `request` is the OPEN payload behind the service byte. Returns a
 * connected socket on which the caller and the agent speak frames of frame.h (stream number 0 on
 * that socket; credit included), exactly one service long. The caller may be another process: this
 * is the descriptor that the CLI gets. Any thread. */
int channel_open_stream(struct channel *channel, int service, const void *request, size_t length,
                        banger_error *err);

/* A whole service run to its end: what it wrote, and its status. Bounded by `limit` bytes a stream
 * and the deadline. Any thread but the loop's. */
struct channel_result {
    int status;
    struct buf out;
    struct buf err;
};
int channel_call(struct channel *channel, int service, const void *request, size_t length,
                 const void *input, size_t input_length, size_t limit, deadline until,
                 struct channel_result *result, banger_error *err);
void channel_result_free(struct channel_result *result);

#endif
