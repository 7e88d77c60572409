/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table that a script returns, checked, as host->provide takes it. */
#ifndef LUA_MANIFEST_H
#define LUA_MANIFEST_H

#include <jansson.h>
#include <lua.h>

/* Of the table at `index`; `name` is the file's. A new reference; raises an error for what it must not be. */
json_t *manifest_read(lua_State *lua, int index, const char *name);

#endif
