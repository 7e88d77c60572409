/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting without going to sleep, for what comes at once as a rule:
 *   int64_t end = awake_end();
 *   while (!is_there() && awake(end)) {
 *   } */
#ifndef BASE_AWAKE_H
#define BASE_AWAKE_H

#include "base/clock.h"

#include <sched.h>
#include <stdbool.h>

/* What it costs to be woken on an idle machine (`make bench`, bench_isolate): who waits this long for nothing has
 * lost at most as much again. */
#define AWAKE_NS INT64_C(50000)

static inline int64_t awake_end(void)
{
    return clock_mono_ns() + AWAKE_NS;
}

/* False: it is time to go to sleep. With one processor, whom we wait for needs ours. */
static inline bool awake(int64_t end)
{
    (void)sched_yield();
    return clock_mono_ns() < end;
}

#endif
