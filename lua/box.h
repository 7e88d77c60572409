/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What C code holds while it calls Lua. Any call that allocates may raise an error, which leaves C
 * functions without running their ends; a box is freed by Lua then.
 */
#ifndef LUA_BOX_H
#define LUA_BOX_H

#include <jansson.h>
#include <lua.h>

struct box {
    void *held;
    void (*release)(void *held);
};

/* Pushes an empty box. */
struct box *box_push(lua_State *lua, void (*release)(void *held));
/* Releases what it holds now; it may be filled again. */
void box_clear(struct box *box);

/* A box for a JSON value, and one for what malloc gave. */
struct box *box_push_json(lua_State *lua);
struct box *box_push_text(lua_State *lua);

#endif
