/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lua's values as JSON and back. A table with the keys 1 to n is a list, one with names an object, an empty
 * one whatever the caller says, unless it is marked as a list. null is nil within objects and `banger.json.null` within lists.
 */
#ifndef LUA_VALUE_H
#define LUA_VALUE_H

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>

#define VALUE_DEPTH_MAX 64
#define VALUE_COUNT_MAX 200000 /* tables may be shared: a small source can describe a huge tree */
#define VALUE_BYTES_MAX                                                                            \
    (16U << 20U) /* of its strings and names: the same string may be in it many times */
#define VALUE_TEXT_MAX (1U << 20U) /* bytes of JSON text that are read */

/* The value at `index`. Raises nothing: NULL, and what is wrong in `why` of `size` bytes. */
json_t *value_to_json(lua_State *lua, int index, bool empty_is_list, char *why, size_t size);
/* The same, pushed as text and returned; raises an error that begins with `what`. */
const char *value_push_text(lua_State *lua, int index, bool empty_is_list, const char *what);

/* Pushes it. May raise an error: `json` must lie in a box, or belong to somebody. */
void value_push(lua_State *lua, const json_t *json);
/* Pushes what JSON text says; raises an error that begins with `what`. */
void value_push_parsed(lua_State *lua, const char *text, size_t length, const char *what);

/* Pushes an empty table that is a list for whoever converts it. */
void value_push_list(lua_State *lua);
/* Pushes the one value that stands for null. */
void value_push_null(lua_State *lua);

#endif
