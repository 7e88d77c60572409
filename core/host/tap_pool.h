/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Warm TAP devices: made ahead of time by a thread of the pool's own, so that a start only renames
 * one. They are named "tap-fc-pool<N>" and carry the alias of the pool: a restarted daemon finds them
 * by it, and nobody takes them for what a VM has left.
 */
#ifndef HOST_TAP_POOL_H
#define HOST_TAP_POOL_H

#include "host/link.h"

/* Sets how many are kept ready (0: none), adopts those that an earlier daemon has made, removes what
 * is too many, and has the rest made in the background. The first call starts the thread. */
int tap_pool_resize(struct host *host, size_t size, banger_error *err);
/* Takes one: the link is the caller's then. False: none is ready, or there is no pool. The thread
 * makes the next a moment later, so that it does not get into the way of who has taken this one. */
bool tap_pool_take(struct host *host, struct link *link);
/* Gives one back, from whatever VM it is. False: there is no pool, it has twice its size already, or a
 * program still has the device open (then it must not become another VM's): the link is the caller's
 * to delete. The kernel takes 16 ms and more to delete a device, and 0.3 ms to rename it. */
bool tap_pool_give(struct host *host, const struct link *link);
/* How many are ready. */
size_t tap_pool_ready(struct host *host);
/* Ends the thread; devices stay. */
void tap_pool_close(struct host *host);

#endif
