/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "doomed.h"

#include "frame.h"

#include <signal.h>
#include <stdint.h>
#include <time.h>

#define GRACE_MS 1000

static struct {
    pid_t leader; /* 0: a free place */
    int64_t due;  /* CLOCK_MONOTONIC, ms; 0: killed, waits to be reaped */
} doomed[FRAME_STREAMS_MAX];

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void doomed_add(pid_t leader)
{
    for (size_t i = 0; i < FRAME_STREAMS_MAX; i++) {
        if (doomed[i].leader == 0) {
            doomed[i].leader = leader;
            doomed[i].due = now_ms() + GRACE_MS;
            /* A stopped process gets the hang-up only when it goes on. */
            (void)kill(-leader, SIGHUP);
            (void)kill(-leader, SIGCONT);
            return;
        }
    }
    (void)kill(-leader, SIGKILL); /* no place: no grace */
}

void doomed_ended(pid_t leader)
{
    for (size_t i = 0; i < FRAME_STREAMS_MAX; i++) {
        if (doomed[i].leader == leader) {
            (void)kill(-leader, SIGKILL);
            doomed[i].leader = 0;
        }
    }
}

void doomed_expire(void)
{
    int64_t now = now_ms();
    for (size_t i = 0; i < FRAME_STREAMS_MAX; i++) {
        if (doomed[i].leader != 0 && doomed[i].due != 0 && doomed[i].due <= now) {
            (void)kill(-doomed[i].leader, SIGKILL);
            doomed[i].due = 0;
        }
    }
}

int doomed_poll_ms(void)
{
    int64_t nearest = -1;
    int64_t now = now_ms();
    for (size_t i = 0; i < FRAME_STREAMS_MAX; i++) {
        if (doomed[i].leader == 0 || doomed[i].due == 0) {
            continue;
        }
        int64_t left = doomed[i].due > now ? doomed[i].due - now : 0;
        nearest = nearest < 0 || left < nearest ? left : nearest;
    }
    return (int)nearest;
}
