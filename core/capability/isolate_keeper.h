/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper: the one thread that starts the processes of isolated plugins, and buries them.
 *
 * 1. The kernel ends them with the thread that started them (PR_SET_PDEATHSIG), whatever they are doing.
 *    Threads that run hooks come and go; this one lives as long as there are isolated plugins.
 * 2. A process that was let go is given a while to end itself, then killed, and reaped in any case:
 *    nobody waits for it.
 */
#ifndef CAPABILITY_ISOLATE_KEEPER_H
#define CAPABILITY_ISOLATE_KEEPER_H

#include "base/error.h"

/* The first hold starts the thread; the last release ends it, when all that it was given is buried. */
int keeper_hold(banger_error *err);
void keeper_release(void);

/* Runs `fn` on the thread and returns when it is done. */
void keeper_run(void (*fn)(void *context), void *context);

/* Takes over a child of ours: its pidfd is reaped and closed. */
void keeper_bury(int pidfd);

#endif
