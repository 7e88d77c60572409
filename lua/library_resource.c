/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * banger.resource: what a script takes anywhere, in the journal.
 *
 * 1. hold() writes down the intent, calls the function that takes it, and writes that it is held.
 * 2. When the function fails, or the daemon dies, the row stays as an intent.
 * 3. cleanup goes through rows() and hands each back: what it stands for first, then row:release().
 */
#include "library.h"
#include "value.h"

#include <string.h>

#define ROW_TYPE "banger.row"

/* row:release() */
static int row_release(lua_State *lua)
{
    const struct context *context = context_of(lua);

    context_need_effects(lua, "row:release");
    luaL_checktype(lua, 1, LUA_TTABLE);
    (void)lua_getfield(lua, 1, "id");
    if (context->host->resource_gone(context->call, luaL_checkinteger(lua, -1)) < 0) {
        return context_host_failed(lua, "row:release");
    }
    return 0;
}

static const luaL_Reg methods[] = {{"release", row_release}, {NULL, NULL}};

const struct library_group library_row = {"row", methods};

/* Gives the row on the top of the stack its method, and attributes where the journal has none. */
static void make_row(lua_State *lua)
{
    if (lua_getfield(lua, -1, "attrs") == LUA_TNIL) {
        lua_newtable(lua);
        lua_setfield(lua, -3, "attrs");
    }
    lua_pop(lua, 1);
    library_new_object(lua, ROW_TYPE, "row", methods);
    (void)lua_getmetatable(lua, -1);
    (void)lua_setmetatable(lua, -3);
    lua_pop(lua, 1);
}

static void push_row(lua_State *lua, int64_t id)
{
    lua_createtable(lua, 0, 5);
    lua_pushinteger(lua, id);
    lua_setfield(lua, -2, "id");
    lua_pushvalue(lua, 1);
    lua_setfield(lua, -2, "kind");
    lua_pushvalue(lua, 2);
    lua_setfield(lua, -2, "key");
    lua_pushvalue(lua, 3);
    lua_setfield(lua, -2, "attrs");
    (void)lua_pushliteral(lua, "intent");
    lua_setfield(lua, -2, "state");
    make_row(lua);
}

/* Calls the function with the row, which lies at `row`; the table that it returns, if any, becomes the row's
 * attributes. Pushes their text, or nil. */
static const char *acquire(lua_State *lua, int row)
{
    lua_pushvalue(lua, 4);
    lua_pushvalue(lua, row);
    lua_call(lua, 1, 1);
    if (lua_isnil(lua, -1)) {
        return NULL;
    }
    luaL_checktype(lua, -1, LUA_TTABLE);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, row, "attrs");
    return value_push_text(lua, -1, false, "banger.resource.hold: the attributes");
}

/* banger.resource.hold(kind, key, attrs, acquire) */
static int resource_hold(lua_State *lua)
{
    const struct context *context = context_of(lua);
    const char *kind = luaL_checkstring(lua, 1);
    const char *key = luaL_checkstring(lua, 2);
    const char *attrs;
    int64_t id;

    context_need_effects(lua, "banger.resource.hold");
    lua_settop(lua, 4);
    luaL_checktype(lua, 4, LUA_TFUNCTION);
    if (lua_isnil(lua, 3)) {
        lua_newtable(lua);
        lua_replace(lua, 3);
    }
    attrs = value_push_text(lua, 3, false, "banger.resource.hold: the attributes");
    id = context->host->resource_intend(context->call, kind, key, attrs);
    if (id < 0) {
        return context_host_failed(lua, "banger.resource.hold");
    }
    push_row(lua, id);
    attrs = acquire(lua, 6);
    if (context->host->resource_held(context->call, id, attrs) < 0) {
        return context_host_failed(lua, "banger.resource.hold");
    }
    (void)lua_pushliteral(lua, "held");
    lua_setfield(lua, 6, "state");
    lua_pushvalue(lua, 6);
    return 1;
}

/* Its upvalues: the rows, and which was the last. */
static int next_row(lua_State *lua)
{
    lua_Integer at = lua_tointeger(lua, lua_upvalueindex(2)) + 1;

    lua_pushinteger(lua, at);
    lua_replace(lua, lua_upvalueindex(2));
    if (lua_rawgeti(lua, lua_upvalueindex(1), at) != LUA_TNIL) {
        make_row(lua);
    }
    return 1;
}

/* for row in banger.resource.rows() do ... end; newest first. `kind` restricts it to one kind. */
static int resource_rows(lua_State *lua)
{
    const char *kind = luaL_optstring(lua, 1, NULL);
    lua_Integer count = 0;

    context_need_call(lua, "banger.resource.rows");
    lua_newtable(lua);
    library_push_key(lua, "resources");
    if (lua_isnil(lua, -1)) {
        lua_newtable(lua);
    }
    for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) == LUA_TTABLE; i++) {
        (void)lua_getfield(lua, -1, "kind");
        if (kind == NULL || strcmp(luaL_checkstring(lua, -1), kind) == 0) {
            lua_pushvalue(lua, -2);
            lua_rawseti(lua, -5, ++count);
        }
        lua_pop(lua, 2);
    }
    lua_pop(lua, 2);
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, next_row, 2);
    return 1;
}

static const luaL_Reg functions[] = {
    {"hold", resource_hold},
    {"rows", resource_rows},
    {NULL, NULL},
};

const struct library_group library_resource = {"resource", functions};
