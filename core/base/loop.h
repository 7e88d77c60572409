/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event loop: one epoll set, watched by one thread (loop_run's). Callbacks run on that thread
 * and never block. Only loop_post may be called from other threads.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "clock.h"
#include "error.h"

#include <stdint.h>

struct loop;
struct loop_watch; /* a watched descriptor */
struct loop_timer;

typedef void (*loop_fd_fn)(void *context, uint32_t events); /* EPOLLIN, EPOLLOUT, ... */
typedef void (*loop_fn)(void *context);

struct loop *loop_new(banger_error *err);
void loop_free(struct loop *loop);
int loop_run(struct loop *loop, banger_error *err); /* until loop_stop */
void loop_stop(struct loop *loop);                  /* from the loop's thread */

/* Watches `fd`, which stays the caller's. Removing a watch inside any callback is safe: an event
 * already fetched for it is dropped. */
struct loop_watch *loop_watch_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn,
                                  void *context, banger_error *err);
void loop_watch_set(struct loop_watch *watch, uint32_t events);
void loop_watch_remove(struct loop_watch *watch); /* NULL is fine */

/* Calls `fn` once, at `when`. The timer is freed when it has fired or is cancelled. */
struct loop_timer *loop_timer_add(struct loop *loop, deadline when, loop_fn fn, void *context);
void loop_timer_cancel(struct loop_timer *timer); /* only before it fired */

/* Runs `fn` on the loop's thread soon, in order; any thread. */
void loop_post(struct loop *loop, loop_fn fn, void *context);

#endif
