/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time. Deadlines are monotonic, so that a jump of the wall clock changes none of them. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void); /* CLOCK_MONOTONIC, milliseconds */
int64_t clock_mono_ns(void); /* the same in nanoseconds */
int64_t clock_wall_ms(void); /* CLOCK_REALTIME, milliseconds since 1970: for records only */

#define CLOCK_TEXT_MAX 32
void clock_format(int64_t wall_ms, char text[CLOCK_TEXT_MAX]); /* 2026-11-23T04:45:28.123Z */

/* A point on the monotonic clock, in ms; DEADLINE_NONE never comes. */
typedef int64_t deadline;
#define DEADLINE_NONE INT64_MAX

deadline deadline_in(int64_t ms);
int64_t deadline_left_ms(deadline when); /* 0 when it has passed */
int deadline_poll_ms(deadline when);     /* as poll(2) takes it: -1 for none */

#endif
