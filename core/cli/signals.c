/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "signals.h"

#include "base/cleanup.h"

#include <signal.h>
#include <stddef.h>
#include <sys/time.h>

#define TICK_US 100000

static volatile sig_atomic_t caught;

static void remember(int number)
{
    caught = number;
}

static void ignore(int number)
{
    (void)number;
}

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

void signals_install(void)
{
    struct sigaction action = {.sa_handler = remember, .sa_flags = (int)SA_RESETHAND};
    struct sigaction old = {0};
    for (size_t i = 0; i < COUNT_OF(ending); i++) {
        /* nohup(1) has HUP ignored, and that must stay. A script's background job has INT ignored,
         * which is about the terminal: one that is sent to it by number still is to cancel. */
        bool kept =
            ending[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
        if (!kept) {
            (void)sigaction(ending[i], &action, NULL);
        }
    }
    struct sigaction tick = {.sa_handler = ignore};
    (void)sigaction(SIGALRM, &tick, NULL);
}

void signals_release(void)
{
    for (size_t i = 0; i < COUNT_OF(ending); i++) {
        struct sigaction old = {0};
        if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler == remember) {
            (void)signal(ending[i], SIG_DFL);
        }
    }
}

int signals_caught(void)
{
    return (int)caught;
}

void signals_tick(bool on)
{
    struct timeval every = {.tv_usec = on ? TICK_US : 0};
    struct itimerval timer = {.it_interval = every, .it_value = every};
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}
