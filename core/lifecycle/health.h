/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking what runs whether it still can: the function `health` of the rootfs providers, every
 * health_interval. A VM whose provider says no is ended, with that as its last error.
 *
 * 1. One timer on the loop. When it fires a worker goes through the live VMs, one after the other;
 *    when that is done the timer is set again. So there is never more than one round under way.
 * 2. A VM is asked under its lock. One that an operation is at work on is left for the next round.
 * 3. A provider that does not answer in time has not said no.
 * 4. A VM that has ended and could not be cleaned up after, since the disk was full say, is so now.
 *
 * Where no provider that is loaded has the function, and with health_interval = 0, there is no timer.
 */
#ifndef LIFECYCLE_HEALTH_H
#define LIFECYCLE_HEALTH_H

#include "lifecycle/engine.h"

struct health;

/* On the loop's thread. Never NULL. */
struct health *health_start(struct engine *engine);
/* On the loop's thread: no further round. One that is under way ends at the next VM. */
void health_stop(struct health *health);
/* After the last worker has ended and the loop has run what was posted to it. NULL is fine. */
void health_free(struct health *health);

/* One round, on the caller's thread. */
void health_ask_all(struct engine *engine);

#endif
