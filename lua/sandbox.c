/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox.h"

#include "failure.h"
#include "library.h"
#include "strict.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>

/* -- Memory ---------------------------------------------------------------------------------------- */

static void *sandbox_alloc(void *pointer, void *old, size_t old_size, size_t new_size)
{
    struct context *context = pointer;
    size_t had = old != NULL ? old_size : 0; /* for a new block, Lua passes a type code there */
    void *fresh;

    if (new_size == 0) {
        context->memory -= had;
        free(old);
        return NULL;
    }
    if (new_size > had && context->memory + (new_size - had) > context->memory_max) {
        context->starved = false;
        failure_note_place(context);
        return NULL;
    }
    fresh = realloc(old, new_size);
    if (fresh != NULL) {
        context->memory += new_size - had;
    } else {
        context->starved = true;
        failure_note_place(context);
    }
    return fresh;
}

/* -- Libraries ------------------------------------------------------------------------------------- */

/* What stays of the base library. print would write where a daemon has no output; load, dofile and
 * loadfile would take bytecode, or files. */
static const char *const base_names[] = {
    "_G",     "_VERSION", "assert",   "error",    "getmetatable", "ipairs",
    "next",   "pairs",    "pcall",    "rawequal", "rawget",       "rawlen",
    "rawset", "select",   "tonumber", "type",     "tostring",
};

static bool is_base_name(const char *name)
{
    for (size_t i = 0; i < sizeof(base_names) / sizeof(base_names[0]); i++) {
        if (strcmp(name, base_names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* With the globals on the top. */
static void drop_base_names(lua_State *lua)
{
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        lua_pop(lua, 1);
        if (!is_base_name(lua_tostring(lua, -1))) { /* every global of theirs is named */
            lua_pushvalue(lua, -1);
            lua_pushnil(lua);
            lua_rawset(lua, -4);
        }
    }
}

/* Lua runs finalizers with the hook off: one that loops could not be ended. */
static int safe_setmetatable(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_argexpected(lua, lua_isnoneornil(lua, 2) || lua_istable(lua, 2), 2, "nil or table");
    if (lua_istable(lua, 2)) {
        (void)lua_pushliteral(lua, "__gc");
        if (lua_rawget(lua, 2) != LUA_TNIL) {
            return luaL_error(lua, "setmetatable: __gc is not available in hooks");
        }
        lua_pop(lua, 1);
    }
    if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL) {
        return luaL_error(lua, "cannot change a protected metatable");
    }
    lua_settop(lua, 2);
    (void)lua_setmetatable(lua, 1);
    return 1;
}

static int finish_xpcall(lua_State *lua, int status, lua_KContext unused)
{
    (void)unused;
    if (status == LUA_OK || status == LUA_YIELD) {
        lua_pushboolean(lua, 1);
        lua_replace(lua, 1); /* where the handler was */
        return lua_gettop(lua);
    }
    lua_pushboolean(lua, 0);
    lua_insert(lua, 1);
    lua_call(lua, 1, 1);
    return 2;
}

/* Lua's own calls the handler where the error comes up, which may be within context_look, and there nothing
 * counts: a handler that loops could not be ended. */
static int safe_xpcall(lua_State *lua)
{
    int status;

    luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_pushvalue(lua, 1);
    lua_copy(lua, 2, 1);
    lua_replace(lua, 2);
    status = lua_pcallk(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0, 0, finish_xpcall);
    return finish_xpcall(lua, status, 0);
}

static int safe_collectgarbage(lua_State *lua)
{
    static const char *const options[] = {"collect", "count", NULL};

    if (luaL_checkoption(lua, 1, "collect", options) == 0) {
        lua_pushinteger(lua, lua_gc(lua, LUA_GCCOLLECT));
    } else {
        lua_pushnumber(lua, (lua_Number)context_of(lua)->memory / 1024);
    }
    return 1;
}

static int finish_thread(lua_State *lua, int status, lua_KContext unused)
{
    (void)unused;
    return status == LUA_OK || status == LUA_YIELD ? lua_gettop(lua) : lua_error(lua);
}

/* What every thread runs: the script's function, upvalue 1, in a protected call. Lua leaves a thread that ends by an
 * error from context_look with its hook off, and closes its variables (`<close>`) later, when a handler that loops
 * could not be ended any more; a protected call turns the hook on again and closes them itself. */
static int run_thread(lua_State *lua)
{
    int status;

    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    status = lua_pcallk(lua, lua_gettop(lua) - 1, LUA_MULTRET, 0, 0, finish_thread);
    return finish_thread(lua, status, 0);
}

/* coroutine.create and coroutine.wrap; upvalue 1 is Lua's own. A thread's count of instructions begins anew:
 * threads that make threads that make threads would put the next look off for ever. */
static int make_thread(lua_State *lua)
{
    context_look(lua);
    luaL_checktype(lua, 1, LUA_TFUNCTION);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_pushvalue(lua, 1);
    lua_pushcclosure(lua, run_thread, 1);
    lua_call(lua, 1, 1);
    return 1;
}

static void guard_threads_of(lua_State *lua, const char *name)
{
    (void)lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, make_thread, 1);
    lua_setfield(lua, -2, name);
}

static void open_coroutine(lua_State *lua)
{
    luaL_requiref(lua, LUA_COLIBNAME, luaopen_coroutine, 0);
    guard_threads_of(lua, "create");
    guard_threads_of(lua, "wrap");
    strict_table(lua, LUA_COLIBNAME);
}

static void open_string(lua_State *lua)
{
    luaL_requiref(lua, LUA_STRLIBNAME, luaopen_string, 0);
    lua_pushnil(lua);
    lua_setfield(lua, -2, "dump");
    strict_table(lua, LUA_STRLIBNAME);
}

static void open_os(lua_State *lua)
{
    static const char *const names[] = {"time", "date", "clock", "difftime"};

    luaL_requiref(lua, LUA_OSLIBNAME, luaopen_os, 0);
    lua_createtable(lua, 0, 4);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)lua_getfield(lua, -2, names[i]);
        lua_setfield(lua, -2, names[i]);
    }
    lua_remove(lua, -2);
    strict_table(lua, LUA_OSLIBNAME);
}

static void open_table(lua_State *lua)
{
    luaL_requiref(lua, LUA_TABLIBNAME, luaopen_table, 0);
    strict_table(lua, LUA_TABLIBNAME);
}

static void open_math(lua_State *lua)
{
    luaL_requiref(lua, LUA_MATHLIBNAME, luaopen_math, 0);
    strict_table(lua, LUA_MATHLIBNAME);
}

static void open_utf8(lua_State *lua)
{
    luaL_requiref(lua, LUA_UTF8LIBNAME, luaopen_utf8, 0);
    strict_table(lua, LUA_UTF8LIBNAME);
}

/* Those that are made when a script first names them: most hooks use few. */
static const struct {
    const char *name;
    void (*open)(lua_State *lua); /* pushes it */
} libraries[] = {
    {LUA_TABLIBNAME, open_table}, {LUA_MATHLIBNAME, open_math},    {LUA_UTF8LIBNAME, open_utf8},
    {LUA_OSLIBNAME, open_os},     {LUA_COLIBNAME, open_coroutine}, {"banger", library_open},
};

#define LIBRARIES (sizeof(libraries) / sizeof(libraries[0]))

/* Whether there is such a library: it is a global then, and pushed. */
static bool open_library(lua_State *lua, const char *name)
{
    for (size_t i = 0; i < LIBRARIES; i++) {
        if (strcmp(name, libraries[i].name) == 0) {
            libraries[i].open(lua);
            lua_pushvalue(lua, 2);
            lua_pushvalue(lua, -2);
            lua_rawset(lua, 1);
            return true;
        }
    }
    return false;
}

/* __index of the globals. */
static int open_named(lua_State *lua)
{
    struct nearest nearest;

    if (lua_type(lua, 2) != LUA_TSTRING) {
        return 0;
    }
    if (open_library(lua, lua_tostring(lua, 2))) {
        return 1;
    }
    nearest_begin(&nearest, lua_tostring(lua, 2));
    for (size_t i = 0; i < LIBRARIES; i++) {
        nearest_offer(&nearest, libraries[i].name);
    }
    return strict_refuse_global(lua, &nearest);
}

static const luaL_Reg own_globals[] = {
    {"setmetatable", safe_setmetatable},
    {"xpcall", safe_xpcall},
    {"collectgarbage", safe_collectgarbage},
    {"require", library_require},
    {NULL, NULL},
};

/* Runs protected: it allocates, and so may raise. */
static int open_all(lua_State *lua)
{
    luaL_requiref(lua, LUA_GNAME, luaopen_base, 0);
    drop_base_names(lua);
    luaL_setfuncs(lua, own_globals, 0);
    open_string(lua);
    lua_setfield(lua, -2, LUA_STRLIBNAME);
    lua_createtable(lua, 0, 2);
    lua_pushcfunction(lua, open_named);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    (void)lua_setmetatable(lua, -2);
    return 0;
}

lua_State *sandbox_open(struct context *context)
{
    lua_State *lua = lua_newstate(sandbox_alloc, context);

    context->lua = lua;
    if (lua == NULL) {
        return NULL;
    }
    *(struct context **)lua_getextraspace(lua) = context;
    lua_pushcfunction(lua, open_all);
    if (lua_pcall(lua, 0, 0, 0) != LUA_OK) {
        sandbox_close(context);
        return NULL;
    }
    return lua;
}

void sandbox_close(struct context *context)
{
    if (context->lua != NULL) {
        lua_sethook(context->lua, NULL, 0, 0);
        lua_close(context->lua);
        context->lua = NULL;
    }
}

/* -- Running --------------------------------------------------------------------------------------- */

int sandbox_call(struct context *context, int arguments, int results)
{
    lua_State *lua = context->lua;
    int handler = lua_gettop(lua) - arguments;
    int status;

    lua_pushcfunction(lua, failure_handler);
    lua_insert(lua, handler);
    context_arm(context);
    status = lua_pcall(lua, arguments, results, handler);
    lua_sethook(lua, NULL, 0, 0);
    lua_remove(lua, handler);
    if (status == LUA_OK) {
        return 0;
    }
    failure_take(context, status);
    lua_pop(lua, 1);
    return -1;
}

int sandbox_run(struct context *context, lua_CFunction function, void *pointer)
{
    lua_pushcfunction(context->lua, function);
    lua_pushlightuserdata(context->lua, pointer);
    return sandbox_call(context, 1, 0);
}
