/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config_lua.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "config_lua_json.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <string.h>

#define MEMORY_MAX ((size_t)64 * 1024 * 1024)
#define STEP_MAX 50000000 /* VM instructions: about a second */
#define STEP_SLICE 10000  /* between two looks at the count */

struct sandbox {
    size_t memory; /* bytes in use */
    long steps;    /* instructions run */
};

static void *sandbox_alloc(void *context, void *old, size_t old_size, size_t new_size)
{
    struct sandbox *sandbox = context;
    size_t had = old != NULL ? old_size : 0; /* for a new block, Lua passes a type code there */
    if (new_size == 0) {
        sandbox->memory -= had;
        free(old);
        return NULL;
    }
    if (new_size > had && sandbox->memory + (new_size - had) > MEMORY_MAX) {
        return NULL;
    }
    void *fresh = realloc(old, new_size);
    if (fresh != NULL) {
        sandbox->memory += new_size - had;
    }
    return fresh;
}

static void sandbox_step(lua_State *lua, lua_Debug *record)
{
    void *context = NULL;
    (void)lua_getallocf(lua, &context);
    struct sandbox *sandbox = context;
    sandbox->steps += STEP_SLICE;
    if (sandbox->steps >= STEP_MAX) {
        /* From here on at every instruction: a chunk that catches this in a loop ends all the same.
         */
        lua_sethook(lua, sandbox_step, LUA_MASKCOUNT, 1);
        (void)lua_getinfo(lua, "Sl", record);
        (void)luaL_error(lua, "%s:%d: the configuration runs for too long", record->short_src,
                         record->currentline);
    }
}

static int lua_getenv(lua_State *lua)
{
    lua_pushstring(lua, getenv(luaL_checkstring(lua, 1)));
    return 1;
}

static const luaL_Reg sandbox_libraries[] = {
    {LUA_GNAME, luaopen_base},       {LUA_STRLIBNAME, luaopen_string},
    {LUA_TABLIBNAME, luaopen_table}, {LUA_MATHLIBNAME, luaopen_math},
    {LUA_UTF8LIBNAME, luaopen_utf8},
};

/* Of what those define, what a chunk sees. print would write where a daemon has no output. */
static const char *const sandbox_globals[] = {
    "_G",     "_VERSION", "assert",   "error",    "ipairs", "math",   "next",
    "pairs",  "pcall",    "rawequal", "rawget",   "rawlen", "rawset", "select",
    "string", "table",    "tonumber", "tostring", "type",   "utf8",   "xpcall",
};

static bool is_sandbox_global(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(sandbox_globals); i++) {
        if (strcmp(name, sandbox_globals[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Runs protected: it allocates, and so may raise. */
static int sandbox_open(lua_State *lua)
{
    for (size_t i = 0; i < COUNT_OF(sandbox_libraries); i++) {
        luaL_requiref(lua, sandbox_libraries[i].name, sandbox_libraries[i].func, 1);
        lua_pop(lua, 1);
    }
    lua_pushglobaltable(lua);
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        lua_pop(lua, 1);
        if (!is_sandbox_global(lua_tostring(lua, -1))) { /* every global of theirs is named */
            lua_pushvalue(lua, -1);
            lua_pushnil(lua);
            lua_rawset(lua, -4);
        }
    }
    (void)lua_getfield(lua, -1, LUA_STRLIBNAME);
    lua_pushnil(lua);
    lua_setfield(lua, -2, "dump");
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, lua_getenv);
    lua_setfield(lua, -2, "getenv");
    lua_setglobal(lua, LUA_OSLIBNAME);
    return 0;
}

/* Turns what Lua left on the stack into an error. */
static int lua_failed(lua_State *lua, int status, const char *name, banger_error *err)
{
    if (status == LUA_ERRMEM) {
        return error_set(err, BANGER_EINVALID, "%s: the configuration needs more than %zu MiB",
                         name, MEMORY_MAX >> 20);
    }
    if (lua_type(lua, -1) != LUA_TSTRING) {
        return error_set(err, BANGER_EINVALID, "%s: it raised an error that is not a string", name);
    }
    AUTO_FREE char *text = str_printable(lua_tostring(lua, -1), strlen(lua_tostring(lua, -1)));
    return error_set(err, BANGER_EINVALID, "%s", text);
}

static int run_chunk(lua_State *lua, const char *name, const char *text, size_t length,
                     banger_error *err)
{
    AUTO_FREE char *chunk = str_format("@%s", name); /* '@': a file's name, lua_Debug.source */
    lua_pushcfunction(lua, sandbox_open);
    int status = lua_pcall(lua, 0, 0, 0);
    if (status == LUA_OK) {
        lua_sethook(lua, sandbox_step, LUA_MASKCOUNT, STEP_SLICE);
        status = luaL_loadbufferx(lua, text, length, chunk, "t");
    }
    if (status == LUA_OK) {
        status = lua_pcall(lua, 0, LUA_MULTRET, 0);
    }
    lua_sethook(lua, NULL, 0, 0);
    return status == LUA_OK ? 0 : lua_failed(lua, status, name, err);
}

static void sandbox_close(lua_State **lua)
{
    if (*lua != NULL) {
        lua_close(*lua);
    }
}

json_t *config_lua_read(const char *name, const char *text, size_t length, banger_error *err)
{
    struct sandbox sandbox = {0};
    AUTO(sandbox_close) lua_State *lua = lua_newstate(sandbox_alloc, &sandbox);
    if (lua == NULL) {
        (void)error_set(err, BANGER_EINTERNAL, "%s: no memory for Lua", name);
        return NULL;
    }
    if (run_chunk(lua, name, text, length, err) < 0) {
        return NULL;
    }
    if (lua_gettop(lua) != 1 || !lua_istable(lua, -1)) {
        (void)error_set(err, BANGER_EINVALID, "%s: it must return one table", name);
        (void)error_hint(err, "write: return { vm = { memory = \"1G\" } }");
        return NULL;
    }
    json_t *json = config_lua_to_json(lua, err);
    if (json == NULL) {
        (void)error_prefix(err, "%s: ", name);
    }
    return json;
}
