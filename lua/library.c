/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "library.h"

#include "compiled.h"
#include "failure.h"
#include "load.h"
#include "nearest.h"
#include "strict.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1000000

/* -- banger ---------------------------------------------------------------------------------------- */

const struct library_group *const library_groups[] = {
    &library_events, &library_guest,    &library_host,    &library_http, &library_json,
    &library_log,    &library_resource, &library_runtime, NULL,
};

static int progress(lua_State *lua)
{
    const struct context *context = context_of(lua);
    const char *text = luaL_checkstring(lua, 1);

    context_need_call(lua, "banger.progress");
    context->host->progress(context->call, text);
    return 0;
}

static bool is_empty(lua_State *lua, int index)
{
    bool empty;

    lua_pushnil(lua);
    empty = lua_next(lua, index) == 0;
    if (!empty) {
        lua_pop(lua, 2);
    }
    return empty;
}

/* banger.host_op(name, args): one of the host operations of plugins.md. Within its arguments there are lists that
 * may be empty, and no such objects. */
static int host_op(lua_State *lua)
{
    const struct context *context = context_of(lua);
    const char *name = luaL_checkstring(lua, 1);
    const char *result = NULL;
    const char *args;

    context_need_call(lua, "banger.host_op");
    lua_settop(lua, 2);
    if (lua_isnil(lua, 2)) {
        lua_createtable(lua, 0, 0);
        lua_replace(lua, 2);
    }
    luaL_checktype(lua, 2, LUA_TTABLE);
    args = value_push_text(lua, 2, !is_empty(lua, 2), "banger.host_op");
    if (context->host->host_op(context->call, name, args, &result) < 0) {
        return context_host_failed(lua, name);
    }
    value_push_parsed(lua, result, strlen(result), name);
    return 1;
}

static const luaL_Reg functions[] = {
    {"fail", failure_raise},
    {"host_op", host_op},
    {"progress", progress},
    {NULL, NULL},
};

const struct library_group library_banger = {"banger", functions};

/* Tables of values that a getter gives, fetched when they are first named. */
const char *const library_values[] = {"config", "operation", "self", NULL};

/* self.state is the script itself: nobody wants it as a table. */
static void push_self(lua_State *lua)
{
    lua_createtable(lua, 0, 2);
    library_push_key(lua, "self.name");
    lua_setfield(lua, -2, "name");
    library_push_key(lua, "self.origin");
    lua_setfield(lua, -2, "origin");
}

static void push_values(lua_State *lua, const char *name)
{
    context_need_call(lua, name);
    if (strcmp(name, "self") == 0) {
        push_self(lua);
        return;
    }
    library_push_key(lua, name);
    if (lua_isnil(lua, -1)) {
        lua_pop(lua, 1);
        lua_createtable(lua, 0, 0);
    }
}

static void push_group(lua_State *lua, const struct library_group *group)
{
    char what[64];

    (void)snprintf(what, sizeof(what), "banger.%s", group->name);
    lua_newtable(lua);
    luaL_setfuncs(lua, group->functions, 0);
    strict_table(lua, what);
}

static bool push_member(lua_State *lua, const char *name)
{
    for (size_t i = 0; library_groups[i] != NULL; i++) {
        if (strcmp(library_groups[i]->name, name) == 0) {
            push_group(lua, library_groups[i]);
            return true;
        }
    }
    for (size_t i = 0; library_values[i] != NULL; i++) {
        if (strcmp(library_values[i], name) == 0) {
            push_values(lua, name);
            return true;
        }
    }
    return false;
}

#define MEMBERS_MAX 32

/* All there are, NULL at the end. */
static void list_members(const char *names[MEMBERS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; library_groups[i] != NULL; i++) {
        names[count++] = library_groups[i]->name;
    }
    for (size_t i = 0; library_values[i] != NULL; i++) {
        names[count++] = library_values[i];
    }
    for (size_t i = 0; functions[i].name != NULL; i++) {
        names[count++] = functions[i].name;
    }
    names[count] = NULL;
}

bool library_has(const char *name)
{
    const char *names[MEMBERS_MAX];
    size_t i = 0;

    list_members(names);
    while (names[i] != NULL && strcmp(names[i], name) != 0) {
        i++;
    }
    return names[i] != NULL;
}

static int refuse_member(lua_State *lua, const char *name)
{
    const char *names[MEMBERS_MAX];

    context_look(lua);
    list_members(names);
    return nearest_refuse(lua, "banger", "member", name, names);
}

/* __index: makes the member and keeps it. */
static int open_member(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 2);

    if (!push_member(lua, name)) {
        return refuse_member(lua, name);
    }
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, 1);
    return 1;
}

void library_open(lua_State *lua)
{
    lua_createtable(lua, 0, 8);
    luaL_setfuncs(lua, functions, 0);
    lua_createtable(lua, 0, 2);
    lua_pushcfunction(lua, open_member);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    (void)lua_setmetatable(lua, -2);
}

/* -- require --------------------------------------------------------------------------------------- */

#define MODULES "banger.modules"

static void check_module_name(lua_State *lua, const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t length = strlen(name);

    if (length == 0 || length > LOAD_NAME_MAX || strspn(name, allowed) != length) {
        (void)luaL_error(lua, "require: invalid name '%s': use letters, digits, '_' and '-'", name);
    }
}

static void push_module(lua_State *lua, const char *name)
{
    const struct context *context = context_of(lua);
    const struct module *module;

    if (context->loading != NULL) {
        load_module(lua, name);
        return;
    }
    module = compiled_module(context->script, name);
    if (module == NULL) {
        (void)luaL_error(lua,
                         "require: '%s' must be required at the top of the script: a hook uses "
                         "what its operation began with",
                         name);
    }
    compiled_push(lua, module);
}

int library_require(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 1);

    check_module_name(lua, name);
    lua_settop(lua, 1);
    (void)luaL_getsubtable(lua, LUA_REGISTRYINDEX, MODULES);
    lua_pushvalue(lua, 1);
    if (lua_rawget(lua, 2) == LUA_TLIGHTUSERDATA) {
        return luaL_error(lua, "require: '%s' requires itself", name);
    }
    if (!lua_isnil(lua, -1)) {
        return 1;
    }
    value_push_null(lua); /* a module is no null */
    lua_setfield(lua, 2, name);
    push_module(lua, name);
    lua_call(lua, 0, 1);
    if (lua_isnil(lua, -1)) {
        lua_pushboolean(lua, 1);
    }
    lua_pushvalue(lua, -1);
    lua_setfield(lua, 2, name);
    return 1;
}

/* -- For the groups -------------------------------------------------------------------------------- */

void library_push_key(lua_State *lua, const char *key)
{
    const struct context *context = context_of(lua);
    const char *text = context->host->get_json(context->call, key);

    if (text == NULL) {
        lua_pushnil(lua);
    } else {
        value_push_parsed(lua, text, strlen(text), key);
    }
}

int library_take(lua_State *lua, int index, const char *name)
{
    index = lua_absindex(lua, index);
    (void)lua_getfield(lua, index, name);
    lua_pushnil(lua);
    lua_setfield(lua, index, name);
    return lua_type(lua, -1);
}

void library_push_copy(lua_State *lua, int index)
{
    index = lua_absindex(lua, index);
    lua_newtable(lua);
    if (lua_isnoneornil(lua, index)) {
        return;
    }
    luaL_checktype(lua, index, LUA_TTABLE);
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, -4);
    }
}

int library_mode(lua_State *lua, int argument, const char *what)
{
    const char *text = lua_type(lua, argument) == LUA_TSTRING ? lua_tostring(lua, argument) : "";
    size_t length = strlen(text);
    long mode = strtol(text, NULL, 8);

    if (length < 3 || length > 4 || strspn(text, "01234567") != length || mode < 1 || mode > 0777) {
        return luaL_error(lua,
                          "%s: 'mode' must be a text of octal digits, \"0001\" to \"0777\", such "
                          "as \"0644\"",
                          what);
    }
    return (int)mode;
}

int64_t library_milliseconds(lua_State *lua, int index, const char *what)
{
    lua_Number seconds = lua_tonumber(lua, index); /* 0: it is none */

    if (!(seconds > 0 && seconds <= SECONDS_MAX)) { /* not so of NaN either */
        return luaL_error(lua,
                          "%s: 'timeout' must be a number of seconds, more than 0 and at most %d",
                          what, SECONDS_MAX);
    }
    return seconds < 0.001 ? 1 : (int64_t)(seconds * 1000);
}

void library_new_object(lua_State *lua, const char *type, const char *name, const luaL_Reg *methods)
{
    lua_newtable(lua);
    if (luaL_newmetatable(lua, type) != 0) {
        lua_newtable(lua);
        luaL_setfuncs(lua, methods, 0);
        strict_table(lua, name);
        lua_setfield(lua, -2, "__index");
        lua_pushboolean(lua, 0);
        lua_setfield(lua, -2, "__metatable");
    }
    (void)lua_setmetatable(lua, -2);
}
