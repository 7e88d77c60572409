/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CONFIG_CONFIG_LUA_JSON_H
#define CONFIG_CONFIG_LUA_JSON_H

#include "base/error.h"

#include <jansson.h>
#include <lua.h>

/* The value on top of the stack as JSON; it stays there. Refuses what JSON cannot say (functions,
 * NaN, cycles, tables with both names and positions) and names where it was. Never raises a Lua
 * error. A new reference. */
json_t *config_lua_to_json(lua_State *lua, banger_error *err);

#endif
