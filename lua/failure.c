/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "failure.h"

#include <stdio.h>
#include <string.h>

#define FAIL_TYPE "banger.fail"
#define LEVELS_MAX 64
#define LEVELS_SHOWN 6

/* -- Where it is ----------------------------------------------------------------------------------- */

void failure_note_place(struct context *context)
{
    lua_Debug record;

    context->where[0] = '\0';
    if (context->lua == NULL) { /* the state itself is being made */
        return;
    }
    for (int level = 0; level < LEVELS_MAX && lua_getstack(context->lua, level, &record); level++) {
        if (lua_getinfo(context->lua, "Sl", &record) && record.currentline > 0) {
            (void)snprintf(context->where, sizeof(context->where), "%s:%d: ", record.short_src,
                           record.currentline);
            return;
        }
    }
}

static void name_level(const lua_Debug *record, char *text, size_t size)
{
    if (record->name != NULL) {
        (void)snprintf(text, size, "%s at %s:%d", record->name, record->short_src,
                       record->currentline);
    } else {
        (void)snprintf(text, size, "%s:%d", record->short_src, record->currentline);
    }
}

/* "fetch at site.lua:12, postStart at site.lua:40": the innermost first, as far as it goes. */
static void trace(lua_State *lua, char *text, size_t size)
{
    lua_Debug record;
    size_t used = 0;
    int shown = 0;

    text[0] = '\0';
    for (int level = 1; shown < LEVELS_SHOWN && lua_getstack(lua, level, &record); level++) {
        char line[160];

        if (!lua_getinfo(lua, "Sln", &record) || record.currentline <= 0) {
            continue; /* a C function's name says nothing that the text does not */
        }
        name_level(&record, line, sizeof(line));
        if (used + strlen(line) + 8 > size) {
            break;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", line);
        shown++;
    }
    if (shown == LEVELS_SHOWN) {
        (void)snprintf(text + used, size - used, ", ...");
    }
}

/* -- What it says ---------------------------------------------------------------------------------- */

static void take_field(lua_State *lua, int index, const char *name, char *text, size_t size)
{
    (void)lua_pushstring(lua, name);
    if (lua_rawget(lua, index) == LUA_TSTRING) {
        (void)snprintf(text, size, "%s", lua_tostring(lua, -1));
    }
    lua_pop(lua, 1);
}

static bool is_fail(lua_State *lua, int index)
{
    bool same;

    if (!lua_istable(lua, index) || !lua_getmetatable(lua, index)) {
        return false;
    }
    (void)luaL_getmetatable(lua, FAIL_TYPE);
    same = lua_rawequal(lua, -1, -2);
    lua_pop(lua, 2);
    return same;
}

static void take_table(lua_State *lua, struct context *context)
{
    take_field(lua, 1, "message", context->message, sizeof(context->message));
    take_field(lua, 1, "hint", context->hint, sizeof(context->hint));
    if (is_fail(lua, 1)) {
        context->code = BANGER_EUNSUPPORTED;
    } else if (context->message[0] == '\0' && luaL_getmetafield(lua, 1, "__tostring") != LUA_TNIL) {
        (void)snprintf(context->message, sizeof(context->message), "%s",
                       luaL_tolstring(lua, 1, NULL));
    } else if (context->message[0] == '\0') {
        (void)snprintf(context->message, sizeof(context->message),
                       "it raised a table without a 'message'");
    }
}

static void take_message(lua_State *lua, struct context *context)
{
    context->message[0] = '\0';
    context->hint[0] = '\0';
    context->code = 0;
    if (lua_type(lua, 1) == LUA_TSTRING) {
        (void)snprintf(context->message, sizeof(context->message), "%s", lua_tostring(lua, 1));
    } else if (lua_istable(lua, 1)) {
        take_table(lua, context);
    } else if (lua_type(lua, 1) == LUA_TNUMBER) {
        (void)snprintf(context->message, sizeof(context->message), "%.14g", lua_tonumber(lua, 1));
    } else {
        (void)snprintf(context->message, sizeof(context->message), "it raised %s%s",
                       lua_isnil(lua, 1) ? "" : "a ", luaL_typename(lua, 1));
    }
}

int failure_handler(lua_State *lua)
{
    struct context *context = context_of(lua);

    lua_settop(lua, 1);
    context->where[0] = '\0';
    context->trace[0] = '\0';
    if (!is_fail(lua, 1)) {
        trace(lua, context->trace, sizeof(context->trace));
    }
    take_message(lua, context);
    return 1;
}

void failure_take(struct context *context, int status)
{
    if (status == LUA_ERRMEM && context->starved) {
        (void)snprintf(context->message, sizeof(context->message),
                       "%sthis host has no memory for it", context->where);
        context->hint[0] = '\0';
        context->trace[0] = '\0';
        context->code = BANGER_EFULL;
    } else if (status == LUA_ERRMEM) {
        (void)snprintf(context->message, sizeof(context->message),
                       "%sit needs more than %zu MiB of memory", context->where,
                       context->memory_max >> 20U);
        (void)snprintf(context->hint, sizeof(context->hint),
                       "plugins.lua.memory in config.lua is what a hook may use");
        context->trace[0] = '\0';
        context->code = BANGER_EFULL;
    } else if (status == LUA_ERRERR && context->message[0] == '\0') {
        (void)snprintf(context->message, sizeof(context->message), "%s",
                       "an error came up while an error was handled");
    }
    if (context->end == CONTEXT_TIME) {
        context->code = BANGER_ETIMEDOUT;
    } else if (context->end == CONTEXT_CANCELLED) {
        context->code = BANGER_ECANCELLED;
    }
}

/* -- Telling --------------------------------------------------------------------------------------- */

/* An error that a host function raised keeps its code and hint, whoever passes it on. */
static void take_host_error(struct context *context)
{
    if (context->code != 0) {
        return;
    }
    context->code = BANGER_EINTERNAL;
    if (context->host_code != 0 && strstr(context->message, context->host_error) != NULL) {
        context->code = context->host_code;
        if (context->hint[0] == '\0') {
            (void)snprintf(context->hint, sizeof(context->hint), "%s",
                           context->host->get_string(context->call, "call.hint", ""));
        }
    }
}

int failure_report(struct context *context)
{
    take_host_error(context);
    if (context->hint[0] != '\0') {
        context->host->hint(context->call, "%s", context->hint);
    }
    if (context->trace[0] == '\0') {
        return context->host->fail(context->call, context->code, "%s", context->message);
    }
    return context->host->fail(context->call, context->code, "%.640s (traceback: %s)",
                               context->message, context->trace);
}

static int fail_text(lua_State *lua)
{
    (void)lua_getfield(lua, 1, "message");
    return 1;
}

int failure_raise(lua_State *lua)
{
    (void)luaL_checkstring(lua, 1);
    (void)luaL_optstring(lua, 2, NULL);
    lua_settop(lua, 2);
    lua_createtable(lua, 0, 2);
    lua_pushvalue(lua, 1);
    lua_setfield(lua, -2, "message");
    lua_pushvalue(lua, 2);
    lua_setfield(lua, -2, "hint");
    if (luaL_newmetatable(lua, FAIL_TYPE) != 0) {
        lua_pushcfunction(lua, fail_text);
        lua_setfield(lua, -2, "__tostring");
        lua_pushboolean(lua, 0);
        lua_setfield(lua, -2, "__metatable");
    }
    (void)lua_setmetatable(lua, -2);
    return lua_error(lua);
}
