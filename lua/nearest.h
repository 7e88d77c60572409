/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which known name was meant. */
#ifndef LUA_NEAREST_H
#define LUA_NEAREST_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* NULL: none is near. `names` ends with NULL. */
const char *nearest_name(const char *name, const char *const *names);
/* Raises "WHAT: unknown KIND 'name'; did you mean 'nearest'?" */
int nearest_refuse(lua_State *lua, const char *what, const char *kind, const char *name,
                   const char *const *names);
/* Raises that for a key of the table at `index` that is not in `names`; a position as a key is one. */
void nearest_check_keys(lua_State *lua, int index, const char *what, const char *const *names);

#endif
