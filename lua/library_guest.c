/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* banger.guest: the guest whose agent answers, in postStart and configure. */
#include "library.h"
#include "nearest.h"
#include "program.h"
#include "value.h"

#include <string.h>

static const char *const exec_options[] = {"stdin", "env", "cwd", "user", "timeout", "check", NULL};

/* Seconds, as a script says it, to milliseconds, as the host wants it; in the table at `index`. */
static void set_timeout(lua_State *lua, int index)
{
    if (library_take(lua, index, "timeout") != LUA_TNIL) {
        lua_pushinteger(lua, library_milliseconds(lua, -1, "banger.guest.exec"));
        lua_setfield(lua, index, "timeout_ms");
    }
    lua_pop(lua, 1);
}

/* banger.guest.exec(vm, argv, options) */
static int guest_exec(lua_State *lua)
{
    const struct context *context = context_of(lua);
    const char *answer = NULL;
    const char *request;
    bool check;

    context_need_effects(lua, "banger.guest.exec");
    library_check_vm(lua, 1, "banger.guest.exec");
    luaL_checktype(lua, 2, LUA_TTABLE);
    lua_settop(lua, 3);
    library_push_copy(lua, 3);
    lua_replace(lua, 3);
    nearest_check_keys(lua, 3, "banger.guest.exec", exec_options);
    check = program_take_check(lua, 3);
    set_timeout(lua, 3);
    lua_pushvalue(lua, 2);
    lua_setfield(lua, 3, "argv");
    request = value_push_text(lua, 3, false, "banger.guest.exec");
    if (context->host->guest_exec(context->call, request, &answer) < 0) {
        return context_host_failed(lua, "banger.guest.exec");
    }
    return program_push_result(lua, answer, check, 2, "banger.guest.exec");
}

/* banger.guest.write(vm, path, text, mode) */
static int guest_write(lua_State *lua)
{
    const struct context *context = context_of(lua);
    const char *request;

    context_need_effects(lua, "banger.guest.write");
    library_check_vm(lua, 1, "banger.guest.write");
    (void)luaL_checkstring(lua, 2);
    (void)luaL_checkstring(lua, 3);
    lua_settop(lua, 4);
    lua_createtable(lua, 0, 3);
    lua_pushvalue(lua, 2);
    lua_setfield(lua, -2, "path");
    lua_pushvalue(lua, 3);
    lua_setfield(lua, -2, "content");
    if (!lua_isnil(lua, 4)) {
        lua_pushinteger(lua, library_mode(lua, 4, "banger.guest.write"));
        lua_setfield(lua, -2, "mode");
    }
    request = value_push_text(lua, -1, false, "banger.guest.write");
    if (context->host->guest_copy(context->call, request) < 0) {
        return context_host_failed(lua, "banger.guest.write");
    }
    return 0;
}

static const luaL_Reg functions[] = {
    {"exec", guest_exec},
    {"write", guest_write},
    {NULL, NULL},
};

const struct library_group library_guest = {"guest", functions};
