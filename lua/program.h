/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What programs answered, on the host and in the guest. */
#ifndef LUA_PROGRAM_H
#define LUA_PROGRAM_H

#include <lua.h>
#include <stdbool.h>

/* Takes the option `check` out of the table at `index`: whether a status other than 0 is an error. */
bool program_take_check(lua_State *lua, int index);
/* Pushes the host's answer, {"status","stdout","stderr"}, and returns 1; with `check`, raises an error for a
 * status other than 0, which names the program, the first of the list at `argv`. */
int program_push_result(lua_State *lua, const char *answer, bool check, int argv, const char *what);

#endif
