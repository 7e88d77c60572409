/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads for work that blocks. Grows by one thread whenever no idle one can take a job, up to
 * its maximum, then jobs wait in order; a thread that has had nothing to do for a while ends.
 */
#ifndef RPC_POOL_H
#define RPC_POOL_H

#include <stdint.h>

struct pool;

struct pool *pool_new(unsigned int thread_max, int64_t idle_ms);
/* Waits for every job, also those that jobs submit, and for every thread. NULL is fine. */
void pool_free(struct pool *pool);
/* Any thread. When the system grants no thread the job waits for one that is busy, or, if there is
 * none at all, for the next submission. */
void pool_submit(struct pool *pool, void (*fn)(void *context), void *context);
/* How many jobs are queued or running; never too few, one too many while a thread is made. */
unsigned int pool_jobs(struct pool *pool);
/* Waits until no job is queued or running. Not from a job. */
void pool_drain(struct pool *pool);

#endif
