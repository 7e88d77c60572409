/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* banger.log and banger.json. */
#include "library.h"
#include "value.h"

#include <string.h>

/* -- log ------------------------------------------------------------------------------------------- */

/* One text, or a format of string.format's with what belongs to it. */
static const char *push_line(lua_State *lua)
{
    int count = lua_gettop(lua);

    if (count <= 1) {
        return luaL_tolstring(lua, 1, NULL);
    }
    (void)lua_getglobal(lua, "string");
    (void)lua_getfield(lua, -1, "format");
    lua_remove(lua, -2);
    lua_insert(lua, 1);
    lua_call(lua, count, 1);
    return luaL_tolstring(lua, -1, NULL);
}

static int write_line(lua_State *lua, int level)
{
    const struct context *context = context_of(lua);
    const char *line;

    luaL_checkany(lua, 1);
    line = push_line(lua);
    if (context->loading != NULL) { /* then the host knows no name for it */
        context->host->log(context->call, level, "%s: %s", context->name, line);
    } else {
        context->host->log(context->call, level, "%s", line);
    }
    return 0;
}

static int log_error(lua_State *lua)
{
    return write_line(lua, BANGER_LOG_ERROR);
}

static int log_warn(lua_State *lua)
{
    return write_line(lua, BANGER_LOG_WARN);
}

static int log_info(lua_State *lua)
{
    return write_line(lua, BANGER_LOG_INFO);
}

static int log_debug(lua_State *lua)
{
    return write_line(lua, BANGER_LOG_DEBUG);
}

static const luaL_Reg log_functions[] = {
    {"error", log_error}, {"warn", log_warn}, {"info", log_info},
    {"debug", log_debug}, {NULL, NULL},
};

const struct library_group library_log = {"log", log_functions};

/* -- json ------------------------------------------------------------------------------------------ */

static int json_encode(lua_State *lua)
{
    luaL_checkany(lua, 1);
    (void)value_push_text(lua, 1, lua_toboolean(lua, 2), "banger.json.encode");
    return 1;
}

static int json_decode(lua_State *lua)
{
    size_t length = 0;
    const char *text = luaL_checklstring(lua, 1, &length);

    value_push_parsed(lua, text, length, "banger.json.decode");
    return 1;
}

static int json_list(lua_State *lua)
{
    value_push_list(lua);
    return 1;
}

static int json_null_value(lua_State *lua)
{
    value_push_null(lua);
    return 1;
}

static const luaL_Reg json_functions[] = {
    {"encode", json_encode},
    {"decode", json_decode},
    {"list", json_list},
    {"null", json_null_value},
    {NULL, NULL},
};

const struct library_group library_json = {"json", json_functions};
