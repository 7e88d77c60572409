/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Misspelt names. Reading what a table of ours does not have is an error that names the nearest, not nil: so it is
 * told where it was written, and not where nil was called or indexed. Keys that are no names give nil, as ever.
 */
#ifndef LUA_STRICT_H
#define LUA_STRICT_H

#include "nearest.h"

/* Makes the table on the top such a one. `name` is what scripts call it: "banger.guest". */
void strict_table(lua_State *lua, const char *name);
/* For an __index of the globals, with them at 1 and the name that they do not have at 2: raises the error. `nearest`,
 * begun with that name, has been offered what can be read beside the globals' own keys. */
int strict_refuse_global(lua_State *lua, struct nearest *nearest);

#endif
