/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box.h"

#include <lauxlib.h>
#include <stdlib.h>

#define BOX_TYPE "banger.box"

static int box_collect(lua_State *lua)
{
    box_clear(lua_touserdata(lua, 1));
    return 0;
}

struct box *box_push(lua_State *lua, void (*release)(void *held))
{
    struct box *box = lua_newuserdatauv(lua, sizeof(*box), 0);

    *box = (struct box){.release = release};
    if (luaL_newmetatable(lua, BOX_TYPE) != 0) {
        lua_pushcfunction(lua, box_collect);
        lua_setfield(lua, -2, "__gc");
    }
    lua_setmetatable(lua, -2);
    return box;
}

void box_clear(struct box *box)
{
    if (box->held != NULL) {
        box->release(box->held);
        box->held = NULL;
    }
}

static void release_json(void *held)
{
    json_decref(held);
}

struct box *box_push_json(lua_State *lua)
{
    return box_push(lua, release_json);
}

struct box *box_push_text(lua_State *lua)
{
    return box_push(lua, free);
}
