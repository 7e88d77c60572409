/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "clock.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

static int64_t read_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

int64_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

void clock_format(int64_t wall_ms, char text[CLOCK_TEXT_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char date[CLOCK_TEXT_MAX - 8] = "";
    if (wall_ms < 0 || gmtime_r(&seconds, &parts) == NULL ||
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        (void)snprintf(text, CLOCK_TEXT_MAX, "?"); /* no time that a record can have */
        return;
    }
    (void)snprintf(text, CLOCK_TEXT_MAX, "%s.%03dZ", date, (int)(wall_ms % 1000));
}

deadline deadline_in(int64_t ms)
{
    deadline when;
    return __builtin_add_overflow(clock_mono_ms(), ms, &when) ? DEADLINE_NONE : when;
}

int64_t deadline_left_ms(deadline when)
{
    if (when == DEADLINE_NONE) {
        return INT64_MAX;
    }
    int64_t left = when - clock_mono_ms();
    return left > 0 ? left : 0;
}

int deadline_poll_ms(deadline when)
{
    int64_t left = deadline_left_ms(when);
    if (left == INT64_MAX) {
        return -1;
    }
    return left > INT_MAX ? INT_MAX : (int)left;
}
