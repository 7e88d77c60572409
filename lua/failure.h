/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a run's error is, in one line for the user: file, line, text, and the functions on the way. */
#ifndef LUA_FAILURE_H
#define LUA_FAILURE_H

#include "context.h"

/* The message handler of a run: notes text and traceback while the stack is still there. */
int failure_handler(lua_State *lua);
/* Completes the note by what lua_pcall said; the error object is on the top of the stack. */
void failure_take(struct context *context, int status);
/* Where the script is now, for an error that comes without a handler. Allocates nothing. */
void failure_note_place(struct context *context);

/* Tells the host; -1. */
int failure_report(struct context *context);

/* banger.fail(message, hint): raises an error without a traceback. */
int failure_raise(lua_State *lua);

#endif
