/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "program.h"

#include "box.h"
#include "library.h"
#include "value.h"

#include <string.h>

#define QUOTED_MAX 200 /* bytes of what it wrote that an error shows */

bool program_take_check(lua_State *lua, int index)
{
    bool check = library_take(lua, index, "check") == LUA_TNIL || lua_toboolean(lua, -1);

    lua_pop(lua, 1);
    return check;
}

/* The last line that is not empty: there programs say what went wrong. */
static const char *last_line(const char *text, size_t *length)
{
    size_t end = strlen(text);
    size_t start;

    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r')) {
        end--;
    }
    for (start = end; start > 0 && text[start - 1] != '\n';) {
        start--;
    }
    *length = end - start < QUOTED_MAX ? end - start : QUOTED_MAX;
    return text + start;
}

static int refuse(lua_State *lua, int argv, const char *what)
{
    const char *line;
    size_t length = 0;

    (void)lua_getfield(lua, -1, "stderr");
    line = last_line(luaL_optstring(lua, -1, ""), &length);
    (void)lua_pushlstring(lua, line, length);
    (void)lua_rawgeti(lua, argv, 1);
    (void)lua_getfield(lua, -4, "status");
    return luaL_error(lua, "%s: %s ended with status %d%s%s", what, luaL_optstring(lua, -2, "it"),
                      (int)lua_tointeger(lua, -1), length > 0 ? ": " : "", lua_tostring(lua, -3));
}

int program_push_result(lua_State *lua, const char *answer, bool check, int argv, const char *what)
{
    struct box *box = box_push_json(lua);

    box->held = json_loads(answer, 0, NULL); /* longer than a script may decode: twice 1 MiB */
    value_push(lua, box->held);
    box_clear(box);
    luaL_checktype(lua, -1, LUA_TTABLE);
    (void)lua_getfield(lua, -1, "status");
    if (check && lua_tointeger(lua, -1) != 0) {
        lua_pop(lua, 1);
        return refuse(lua, argv, what);
    }
    lua_pop(lua, 1);
    return 1;
}
