/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Failpoints: places at which a test has the daemon die, or a function fail.
 *
 * 1. A place is a name and a moment, "tap.acquire" and "before". Each time that a thread comes by one
 *    is a pass; passes are numbered from 1 through the life of the process.
 * 2. BANGER_FAILPOINT=N:kill has the Nth pass send the process SIGKILL; N:fail has it return EIO,
 *    "failpoint tap.acquire:before", once. BANGER_FAILPOINT_LOG=FILE gets a line "N NAME:MOMENT" a
 *    pass, with " kill-only" behind it where nothing can fail: what there is to kill and to fail.
 * 3. The passes of one operation come in one order, as long as nothing else is asked of the daemon: no
 *    place may lie in a thread that runs beside operations.
 *
 * It is a test instrument that every build contains, so that what is tested is what is shipped. It
 * opens nothing to anybody: only who starts the daemon sets its environment. Unarmed, a place costs
 * the load of a flag.
 */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#include "base/error.h"

#include <stdbool.h>

/* Reads the environment; before the process has threads. Only bangerd does: elsewhere there is
 * nothing to pass. EINVALID: a value that would quietly test nothing. */
int failpoint_arm(banger_error *err);

extern bool failpoint_armed;
int failpoint_pass(const char *name, const char *moment, banger_error *err);
void failpoint_pass_kill(const char *name, const char *moment);

/* A place in a function that can fail: its caller goes on, or gives up as after any other failure. */
static inline int failpoint(const char *name, const char *moment, banger_error *err)
{
    return failpoint_armed ? failpoint_pass(name, moment, err) : 0;
}

/* A place where only the process can end. */
static inline void failpoint_kill(const char *name, const char *moment)
{
    if (failpoint_armed) {
        failpoint_pass_kill(name, moment);
    }
}

#endif
