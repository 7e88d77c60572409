/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A Lua state for one run of one script: what it may use, how much memory, how long.
 *
 * 1. Every run has a state of its own, so that nothing of one VM's hook is seen by another's, and a state
 *    that ran out of memory or was ended anywhere is of no further interest.
 * 2. Memory is bounded by the allocator. Time is bounded by a function that Lua calls every few thousand
 *    instructions (context_look); what stays inside one C function for ever (a pattern that backtracks)
 *    is ended with its process, which is why this plugin runs isolated. An error in that function turns it off until
 *    a protected call catches it, so nothing of a script's may run in between: message handlers, and what closes
 *    variables of a thread.
 * 3. No io, package, debug, load; of os the clock. Finalizers (__gc) would run without 2: refused.
 */
#ifndef LUA_SANDBOX_H
#define LUA_SANDBOX_H

#include "context.h"

/* Makes the state. NULL: no memory. */
lua_State *sandbox_open(struct context *context);
void sandbox_close(struct context *context);

/* Calls the function below the `arguments` on the stack for `results` results, with the library and the bounds
 * in place. Below 0: context->message and its neighbours say why. */
int sandbox_call(struct context *context, int arguments, int results);
/* Runs `function` with `pointer` as a light userdata, in the same way. */
int sandbox_run(struct context *context, lua_CFunction function, void *pointer);

#endif
