/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How one turn goes:
 *  1. Wait for descriptors until the nearest timer is due.
 *  2. Call the watches that have events; a removed one has lost its function and is passed over.
 *  3. Run what other threads have posted, in order; the eventfd is only the bell for it.
 *  4. Run the timers that were due when this step began; one that such a timer adds waits a turn.
 *  5. Free the removed watches: no fetched event can name them any more.
 */
#include "loop.h"

#include "cleanup.h"
#include "str.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define EVENTS_A_TURN 64

struct loop_watch {
    struct loop *loop;
    int fd;
    loop_fd_fn fn; /* NULL: removed */
    void *context;
    struct loop_watch *next_removed;
};

struct loop_timer {
    struct loop *loop;
    size_t index; /* in the heap */
    deadline when;
    uint64_t sequence; /* equal deadlines fire in the order they were added */
    loop_fn fn;
    void *context;
};

struct loop_job {
    loop_fn fn;
    void *context;
    struct loop_job *next;
};

struct loop {
    int epoll_fd;
    int wake_fd; /* eventfd, watched with a NULL data pointer */
    bool stopping;
    struct loop_watch *removed;

    struct loop_timer **timers; /* a binary heap, the nearest first */
    size_t timer_count;
    size_t timer_capacity;
    uint64_t timer_sequence;

    pthread_mutex_t lock; /* guards the jobs */
    struct loop_job *jobs;
    struct loop_job **jobs_end;
};

struct loop *loop_new(banger_error *err)
{
    AUTO_CLOSE int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    AUTO_CLOSE int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_fd < 0 || wake_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) < 0) {
        (void)error_sys(err, errno, "cannot create an event loop");
        return NULL;
    }
    struct loop *loop = xcalloc(1, sizeof(*loop));
    loop->epoll_fd = STEAL_FD(epoll_fd);
    loop->wake_fd = STEAL_FD(wake_fd);
    loop->jobs_end = &loop->jobs;
    (void)pthread_mutex_init(&loop->lock, NULL);
    return loop;
}

static void free_removed(struct loop *loop)
{
    while (loop->removed != NULL) {
        struct loop_watch *watch = loop->removed;
        loop->removed = watch->next_removed;
        free(watch);
    }
}

/* Jobs and timers that are still pending are dropped without being called. */
void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    free_removed(loop);
    for (size_t i = 0; i < loop->timer_count; i++) {
        free(loop->timers[i]);
    }
    free(loop->timers);
    while (loop->jobs != NULL) {
        struct loop_job *job = loop->jobs;
        loop->jobs = job->next;
        free(job);
    }
    (void)pthread_mutex_destroy(&loop->lock);
    (void)close(loop->wake_fd);
    (void)close(loop->epoll_fd);
    free(loop);
}

/* -- Watches ---------------------------------------------------------------------------------- */

struct loop_watch *loop_watch_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn,
                                  void *context, banger_error *err)
{
    struct loop_watch *watch = xcalloc(1, sizeof(*watch));
    *watch = (struct loop_watch){.loop = loop, .fd = fd, .fn = fn, .context = context};
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        (void)error_sys(err, errno, "cannot watch descriptor %d", fd);
        free(watch);
        return NULL;
    }
    return watch;
}

void loop_watch_set(struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    /* Fails only for a descriptor that its owner has closed, which then has no events either. */
    (void)epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

/* To be called before the descriptor is closed: a copy of it elsewhere would keep it in the set. */
void loop_watch_remove(struct loop_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    struct loop *loop = watch->loop;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fn = NULL;
    watch->next_removed = loop->removed;
    loop->removed = watch;
}

/* -- Timers ----------------------------------------------------------------------------------- */

static bool is_before(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->when != b->when ? a->when < b->when : a->sequence < b->sequence;
}

static void heap_put(struct loop *loop, size_t index, struct loop_timer *timer)
{
    loop->timers[index] = timer;
    timer->index = index;
}

static void heap_rise(struct loop *loop, struct loop_timer *timer)
{
    size_t index = timer->index;
    while (index > 0 && is_before(timer, loop->timers[(index - 1) / 2])) {
        heap_put(loop, index, loop->timers[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_put(loop, index, timer);
}

static void heap_sink(struct loop *loop, struct loop_timer *timer)
{
    size_t index = timer->index;
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < loop->timer_count &&
            is_before(loop->timers[child + 1], loop->timers[child])) {
            child++;
        }
        if (child >= loop->timer_count || !is_before(loop->timers[child], timer)) {
            break;
        }
        heap_put(loop, index, loop->timers[child]);
        index = child;
    }
    heap_put(loop, index, timer);
}

struct loop_timer *loop_timer_add(struct loop *loop, deadline when, loop_fn fn, void *context)
{
    if (loop->timer_count == loop->timer_capacity) {
        loop->timer_capacity = loop->timer_capacity != 0 ? 2 * loop->timer_capacity : 16;
        loop->timers = xrealloc(loop->timers, loop->timer_capacity * sizeof(struct loop_timer *));
    }
    struct loop_timer *timer = xcalloc(1, sizeof(*timer));
    *timer = (struct loop_timer){.loop = loop,
                                 .index = loop->timer_count,
                                 .when = when,
                                 .sequence = loop->timer_sequence++,
                                 .fn = fn,
                                 .context = context};
    loop->timer_count++;
    heap_rise(loop, timer);
    return timer;
}

void loop_timer_cancel(struct loop_timer *timer)
{
    if (timer == NULL) {
        return;
    }
    struct loop *loop = timer->loop;
    struct loop_timer *last = loop->timers[--loop->timer_count];
    if (last != timer) {
        heap_put(loop, timer->index, last);
        heap_rise(loop, last);
        heap_sink(loop, last);
    }
    free(timer);
}

static void run_timers(struct loop *loop)
{
    int64_t now = clock_mono_ms();
    uint64_t first_new = loop->timer_sequence;
    while (!loop->stopping && loop->timer_count > 0) {
        struct loop_timer *timer = loop->timers[0];
        if (timer->when > now || timer->sequence >= first_new) {
            return;
        }
        loop_fn fn = timer->fn;
        void *context = timer->context;
        loop_timer_cancel(timer);
        fn(context);
    }
}

/* -- Posts ------------------------------------------------------------------------------------ */

void loop_post(struct loop *loop, loop_fn fn, void *context)
{
    struct loop_job *job = xcalloc(1, sizeof(*job));
    job->fn = fn;
    job->context = context;
    (void)pthread_mutex_lock(&loop->lock);
    bool was_empty = loop->jobs == NULL;
    *loop->jobs_end = job;
    loop->jobs_end = &job->next;
    /* Under the lock, so that the loop cannot be freed by what runs the job before the bell. A
     * full counter (EAGAIN) rings as well. */
    if (was_empty) {
        (void)eventfd_write(loop->wake_fd, 1);
    }
    (void)pthread_mutex_unlock(&loop->lock);
}

/* Runs what has been posted up to now; what these jobs post rings again and waits a turn. */
static void run_jobs(struct loop *loop)
{
    (void)pthread_mutex_lock(&loop->lock);
    struct loop_job *job = loop->jobs;
    loop->jobs = NULL;
    loop->jobs_end = &loop->jobs;
    (void)pthread_mutex_unlock(&loop->lock);
    while (job != NULL) {
        struct loop_job *next = job->next;
        job->fn(job->context);
        free(job);
        job = next;
    }
}

/* -- The turn --------------------------------------------------------------------------------- */

static int wait_for_events(struct loop *loop, struct epoll_event *events, banger_error *err)
{
    deadline nearest = loop->timer_count > 0 ? loop->timers[0]->when : DEADLINE_NONE;
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN, deadline_poll_ms(nearest));
    if (count < 0 && errno != EINTR) {
        return error_sys(err, errno, "cannot wait for events");
    }
    return count > 0 ? count : 0;
}

static void dispatch(struct loop *loop, const struct epoll_event *events, int count)
{
    bool bell = false;
    for (int i = 0; i < count; i++) {
        struct loop_watch *watch = events[i].data.ptr;
        if (watch == NULL) {
            bell = true;
        } else if (watch->fn != NULL) {
            watch->fn(watch->context, events[i].events);
        }
    }
    if (bell) {
        eventfd_t rings = 0;
        (void)eventfd_read(loop->wake_fd, &rings); /* before the jobs: none is missed */
        run_jobs(loop);
    }
}

int loop_run(struct loop *loop, banger_error *err)
{
    int result = 0;
    while (!loop->stopping) {
        struct epoll_event events[EVENTS_A_TURN];
        int count = wait_for_events(loop, events, err);
        if (count < 0) {
            result = -1;
            break;
        }
        dispatch(loop, events, count);
        run_timers(loop);
        free_removed(loop);
    }
    loop->stopping = false; /* so that it can be run again */
    return result;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}
