/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is looked at again and again, every health_interval, since nobody else would notice:
 *
 * 1. A VM that runs: is it well? (health.h)
 * 2. One that has ended and is not cleaned up after: it is now.
 * 3. One that its record calls running and nobody here knows: it has ended, and that could not be written; or it could
 *    not be told at the daemon's start whether it lives. It is taken up, or cleaned up.
 * 4. What else has failed (retry.h).
 *
 * One timer on the loop. When it fires a worker makes the round; when that is done the timer is set again. So there
 * is never more than one round under way. What 2 to 4 find to do are jobs of their own, which no round waits for. A VM
 * that an operation is at work on is left for the next round.
 * With health_interval = 0 there is no timer.
 */
#ifndef LIFECYCLE_ROUNDS_H
#define LIFECYCLE_ROUNDS_H

#include "lifecycle/engine.h"

struct rounds;

struct rounds *rounds_new(struct engine *engine); /* never NULL */
/* From here on rounds come. When all VMs have been taken up: a round would take them for lost. Any thread. */
void rounds_begin(struct rounds *rounds);
/* On the loop's thread: no further round, and no further attempt at what has failed. A round that is under way ends at
 * the next VM. */
void rounds_stop(struct rounds *rounds);
/* After the last worker has ended and the loop has run what was posted to it. NULL is fine. */
void rounds_free(struct rounds *rounds);

/* One round, on the caller's thread. */
void rounds_make_one(struct engine *engine);

#endif
