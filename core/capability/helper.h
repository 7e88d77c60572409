/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads that hooks run on. One is taken from the idle ones, or made; it comes back when its
 * work is done, however late that is. A few stay idle for a while, the rest end.
 */
#ifndef CAPABILITY_HELPER_H
#define CAPABILITY_HELPER_H

#include "base/error.h"

typedef void (*helper_fn)(void *context);

/* Runs `fn` on a helper thread, soon. All signals are blocked in it. */
int helper_run(helper_fn fn, void *context, banger_error *err);

/* Ends the idle ones and waits for them: for the end of a process. Those at work are not touched.
 */
void helper_drain(void);

#endif
