/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. `ready` is the devices that wait. tap_pool_take takes from it under `mutex`, which nobody holds
 *    while the kernel works: a start never waits for the making of the next device.
 * 2. The thread makes one after the other until there are `size`, but not before REFILL_DELAY_MS have
 *    passed since the first was taken: the start that took it wants the kernel's one lock for links
 *    (the RTNL) more. When making fails the thread waits, twice as long each time, and tries again; a
 *    resize has it try at once.
 * 3. Adoption is the first resize's. What an earlier daemon left halfway (a name that is no pool's, a
 *    port, up) is deleted: whose it was to become has not got it.
 * 4. Names are told by the kernel: numbers are counted up, and those passed over that are taken, by
 *    our own devices, by those just being handed over, or by a stranger's. So no number has two.
 * 5. What a VM gives back is a port and up: first it is neither, then it gets the pool's name and
 *    alias. A daemon that is killed in between leaves it the VM's, whose journal knows it. Up to twice
 *    `size` are kept, so that starts and stops in turn make and delete nothing.
 */
#include "host/tap_pool.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "host/alias.h"
#include "host/netlink.h"
#include "host/tap.h"

#include <string.h>

#define POOL_NAME "tap-fc-pool"
#define POOL_NUMBERS 10000 /* four digits fill the 15 bytes of an interface name */
#define REFILL_DELAY_MS 50 /* a start takes its TAP and hands it over in less */
#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS 60000

struct tap_pool {
    struct host *host;
    pthread_t thread;
    pthread_mutex_t resizing; /* one resize at a time; taken before `mutex` */
    bool started;             /* under `resizing` */

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* monotonic clock */
    bool closing;
    size_t size;
    struct link *ready;
    size_t count;
    size_t capacity;
    int64_t not_before; /* on the monotonic clock, ms: when the thread may make one */
    unsigned next;      /* the number to try */
};

/* -- The list: under `mutex` ------------------------------------------------------------------------ */

static void push(struct tap_pool *pool, const struct link *link)
{
    if (pool->count == pool->capacity) {
        pool->capacity = pool->capacity * 2 + 8;
        pool->ready = xrealloc(pool->ready, pool->capacity * sizeof(*pool->ready));
    }
    pool->ready[pool->count++] = *link;
}

static void next_name(struct tap_pool *pool, char name[IFNAMSIZ])
{
    (void)pthread_mutex_lock(&pool->mutex);
    (void)snprintf(name, IFNAMSIZ, POOL_NAME "%u", pool->next);
    pool->next = (pool->next + 1) % POOL_NUMBERS;
    (void)pthread_mutex_unlock(&pool->mutex);
}

static bool pop_surplus(struct tap_pool *pool, size_t keep, struct link *link)
{
    (void)pthread_mutex_lock(&pool->mutex);
    bool surplus = pool->count > keep;
    if (surplus) {
        *link = pool->ready[--pool->count];
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return surplus;
}

static int delete_surplus(struct tap_pool *pool, size_t keep, banger_error *err)
{
    struct link link;
    while (pop_surplus(pool, keep, &link)) {
        if (link_delete(&link, err) < 0) {
            (void)pthread_mutex_lock(&pool->mutex);
            push(pool, &link);
            (void)pthread_mutex_unlock(&pool->mutex);
            return -1;
        }
    }
    return 0;
}

/* -- The thread ------------------------------------------------------------------------------------- */

/* (4) */
static int make_one(struct tap_pool *pool, struct link *link, banger_error *err)
{
    char alias[ALIAS_MAX];
    char name[IFNAMSIZ];
    banger_error failure = BANGER_ERROR_INIT;
    alias_format(pool->host, ALIAS_POOL, alias);
    for (unsigned i = 0; i < POOL_NUMBERS; i++) {
        next_name(pool, name);
        if (tap_create(name, alias, link, &failure) == 0) {
            return 0;
        }
        if (failure.code != BANGER_EBUSY) {
            break;
        }
    }
    error_join(err, &failure);
    return -1;
}

/* Waits until one is to be made, with `mutex`. False: the pool closes. */
static bool wait_for_work(struct tap_pool *pool)
{
    while (!pool->closing) {
        struct timespec when = {
            .tv_sec = pool->not_before / 1000,
            .tv_nsec = pool->not_before % 1000 * 1000000,
        };
        if (pool->count >= pool->size) {
            (void)pthread_cond_wait(&pool->changed, &pool->mutex);
        } else if (clock_mono_ms() < pool->not_before) {
            (void)pthread_cond_timedwait(&pool->changed, &pool->mutex, &when);
        } else {
            return true;
        }
    }
    return false;
}

static int64_t note_failure(const banger_error *failure, int64_t pause)
{
    if (pause == 0) {
        log_warn("cannot make TAP devices ahead of time: %s; trying again", failure->message);
        return RETRY_FIRST_MS;
    }
    return pause * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : pause * 2;
}

static void *thread_main(void *context)
{
    struct tap_pool *pool = context;
    int64_t pause = 0;
    (void)pthread_mutex_lock(&pool->mutex);
    while (wait_for_work(pool)) {
        struct link link;
        banger_error failure = BANGER_ERROR_INIT;
        (void)pthread_mutex_unlock(&pool->mutex);
        int result = make_one(pool, &link, &failure);
        pause = result < 0 ? note_failure(&failure, pause) : 0;
        (void)pthread_mutex_lock(&pool->mutex);
        if (result == 0) {
            push(pool, &link);
        } else {
            pool->not_before = clock_mono_ms() + pause;
        }
        size_t keep = 2 * pool->size;
        (void)pthread_mutex_unlock(&pool->mutex);
        (void)delete_surplus(pool, keep, NULL); /* the pool has shrunk meanwhile */
        (void)pthread_mutex_lock(&pool->mutex);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* -- Open and close --------------------------------------------------------------------------------- */

static struct tap_pool *pool_new(struct host *host)
{
    struct tap_pool *pool = xcalloc(1, sizeof(*pool));
    pthread_condattr_t monotonic;
    pool->host = host;
    (void)pthread_mutex_init(&pool->resizing, NULL);
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return pool;
}

/* NULL: there is none, and none is to be made. */
static struct tap_pool *pool_of(struct host *host, bool make)
{
    (void)pthread_mutex_lock(&host->lock);
    if (host->pool == NULL && make) {
        host->pool = pool_new(host);
    }
    struct tap_pool *pool = host->pool;
    (void)pthread_mutex_unlock(&host->lock);
    return pool;
}

/* (3) */
static int adopt(struct tap_pool *pool, banger_error *err)
{
    AUTO_FREE struct link *links = NULL;
    size_t count = 0;
    char alias[ALIAS_MAX];
    alias_format(pool->host, ALIAS_POOL, alias);
    if (link_list(alias, &links, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(links[i].alias, alias) != 0 || strcmp(links[i].kind, "tun") != 0) {
            continue;
        }
        if (!str_starts(links[i].name, POOL_NAME) || links[i].master != 0 || links[i].up) {
            if (link_delete(&links[i], err) < 0) {
                return -1;
            }
            continue;
        }
        (void)pthread_mutex_lock(&pool->mutex);
        push(pool, &links[i]);
        (void)pthread_mutex_unlock(&pool->mutex);
    }
    return 0;
}

static int start(struct tap_pool *pool, banger_error *err)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->count = 0; /* of an adoption that failed halfway */
    (void)pthread_mutex_unlock(&pool->mutex);
    if (adopt(pool, err) < 0) {
        return -1;
    }
    int failure = pthread_create(&pool->thread, NULL, thread_main, pool);
    if (failure != 0) {
        return error_sys(err, failure, "cannot start the thread of the TAP pool");
    }
    pool->started = true;
    return 0;
}

int tap_pool_resize(struct host *host, size_t size, banger_error *err)
{
    if (size > 0 && netlink_check_privilege(err) < 0) {
        return -1;
    }
    struct tap_pool *pool = pool_of(host, true);
    (void)pthread_mutex_lock(&pool->resizing);
    int result = pool->started ? 0 : start(pool, err);
    if (result == 0) {
        (void)pthread_mutex_lock(&pool->mutex);
        size_t keep = size < pool->size ? size : 2 * size; /* (5) */
        pool->size = size;
        pool->not_before = 0;
        (void)pthread_cond_signal(&pool->changed);
        (void)pthread_mutex_unlock(&pool->mutex);
        result = delete_surplus(pool, keep, err);
    }
    (void)pthread_mutex_unlock(&pool->resizing);
    return result;
}

bool tap_pool_take(struct host *host, struct link *link)
{
    struct tap_pool *pool = pool_of(host, false);
    if (pool == NULL) {
        return false;
    }
    (void)pthread_mutex_lock(&pool->mutex);
    bool taken = pool->count > 0;
    if (taken) {
        if (pool->count == pool->size) { /* (2): the first, and no retry that is waited for */
            pool->not_before = clock_mono_ms() + REFILL_DELAY_MS;
        }
        *link = pool->ready[--pool->count];
        (void)pthread_cond_signal(&pool->changed);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return taken;
}

/* (5) */
static bool make_ours(struct tap_pool *pool, const struct link *given, struct link *link)
{
    static const struct link_change away = {.master = 0, .lower = true};
    *link = *given;
    if (link_change(link, &away, NULL) < 0) {
        return false;
    }
    alias_format(pool->host, ALIAS_POOL, link->alias);
    for (unsigned i = 0; i < POOL_NUMBERS; i++) {
        next_name(pool, link->name);
        const struct link_change change = {.name = link->name, .alias = link->alias, .master = -1};
        banger_error failure = BANGER_ERROR_INIT;
        if (link_change(link, &change, &failure) == 0) {
            link->master = 0;
            link->up = false;
            return true;
        }
        if (failure.code != BANGER_EEXISTS) {
            return false;
        }
    }
    return false;
}

bool tap_pool_give(struct host *host, const struct link *given)
{
    struct tap_pool *pool = pool_of(host, false);
    if (pool == NULL || given->carrier) {
        return false;
    }
    (void)pthread_mutex_lock(&pool->mutex);
    bool has_room = pool->count < 2 * pool->size;
    (void)pthread_mutex_unlock(&pool->mutex);
    struct link link;
    if (!has_room || !make_ours(pool, given, &link)) {
        return false;
    }
    (void)pthread_mutex_lock(&pool->mutex);
    push(pool, &link);
    (void)pthread_mutex_unlock(&pool->mutex);
    return true;
}

size_t tap_pool_ready(struct host *host)
{
    struct tap_pool *pool = pool_of(host, false);
    if (pool == NULL) {
        return 0;
    }
    (void)pthread_mutex_lock(&pool->mutex);
    size_t count = pool->count;
    (void)pthread_mutex_unlock(&pool->mutex);
    return count;
}

void tap_pool_close(struct host *host)
{
    struct tap_pool *pool = pool_of(host, false);
    if (pool == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&pool->mutex);
    pool->closing = true;
    (void)pthread_cond_signal(&pool->changed);
    (void)pthread_mutex_unlock(&pool->mutex);
    if (pool->started) {
        (void)pthread_join(pool->thread, NULL);
    }
    host->pool = NULL;
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->mutex);
    (void)pthread_mutex_destroy(&pool->resizing);
    free(pool->ready);
    free(pool);
}
