/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* banger.host, banger.events and banger.runtime: the host, as far as the site lets scripts touch it. */
#include "library.h"

#include "compiled.h"
#include "place.h"
#include "program.h"
#include "settings.h"
#include "value.h"

#include <string.h>

/* -- Programs -------------------------------------------------------------------------------------- */

/* The texts of the list at `index` as a list of their own, without its named fields; pushed. */
static void push_argv(lua_State *lua, int index)
{
    lua_newtable(lua);
    for (lua_Integer i = 1; lua_rawgeti(lua, index, i) != LUA_TNIL; i++) {
        (void)luaL_tolstring(lua, -1, NULL);
        lua_rawseti(lua, -3, i);
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
}

static void check_program(lua_State *lua, int argv)
{
    const char *program;

    (void)lua_rawgeti(lua, argv, 1);
    program = lua_tostring(lua, -1);
    if (program == NULL) {
        (void)luaL_error(lua, "banger.host.run: a list is needed, the program first");
    } else if (!settings_allow(context_of(lua)->script->settings, "programs", program)) {
        (void)luaL_error(lua,
                         "banger.host.run: %s is not allowed: it is not in plugins.lua.programs "
                         "of config.lua",
                         program);
    }
    lua_pop(lua, 1);
}

/* banger.host.run{ "/usr/bin/vault", "kv", "get", ..., check = false } */
static int host_run(lua_State *lua)
{
    const struct context *context = context_of(lua);
    const char *answer = NULL;
    const char *argv;
    bool check;

    context_need_call(lua, "banger.host.run");
    luaL_checktype(lua, 1, LUA_TTABLE);
    check = lua_getfield(lua, 1, "check") == LUA_TNIL || lua_toboolean(lua, -1);
    lua_settop(lua, 1);
    push_argv(lua, 1);
    check_program(lua, 2);
    argv = value_push_text(lua, 2, true, "banger.host.run");
    if (context->host->run(context->call, argv, &answer) < 0) {
        return context_host_failed(lua, "banger.host.run");
    }
    return program_push_result(lua, answer, check, 2, "banger.host.run");
}

/* -- Files ----------------------------------------------------------------------------------------- */

/* The allowed folder that the path, the first argument, lies below, and the rest of the path. */
static const char *check_place(lua_State *lua, const char *what, const char **rest)
{
    const char *path = luaL_checkstring(lua, 1);
    const char *folder = NULL;

    context_need_effects(lua, what);
    if (!settings_is_plain(path)) {
        (void)luaL_error(lua,
                         "%s: the path must be absolute, without '.', '..' and a '/' at its end: "
                         "%s",
                         what, path);
    }
    folder = settings_find_dir(context_of(lua)->script->settings, "write_dirs", path, rest);
    if (folder == NULL) {
        (void)luaL_error(lua,
                         "%s: %s is not below a folder of plugins.lua.write_dirs in config.lua",
                         what, path);
    }
    return folder;
}

/* banger.host.write(path, text, mode) */
static int host_write(lua_State *lua)
{
    const char *rest = NULL;
    const char *folder = check_place(lua, "banger.host.write", &rest);
    char why[PLACE_WHY_MAX];
    size_t length = 0;
    const char *text = luaL_checklstring(lua, 2, &length);
    int mode = lua_isnoneornil(lua, 3) ? 0644 : library_mode(lua, 3, "banger.host.write");

    if (context_is_trial(lua, "banger.host.write", lua_tostring(lua, 1))) {
        return 0;
    }
    if (place_write(folder, rest, text, length, (mode_t)mode, why, sizeof(why)) < 0) {
        return luaL_error(lua, "banger.host.write: %s: %s", why, lua_tostring(lua, 1));
    }
    return 0;
}

/* banger.host.remove(path): whether there was one. */
static int host_remove(lua_State *lua)
{
    const char *rest = NULL;
    const char *folder = check_place(lua, "banger.host.remove", &rest);
    char why[PLACE_WHY_MAX];
    bool trial = context_is_trial(lua, "banger.host.remove", lua_tostring(lua, 1));
    int result = trial ? 1 : place_remove(folder, rest, why, sizeof(why));

    if (result < 0) {
        return luaL_error(lua, "banger.host.remove: %s: %s", why, lua_tostring(lua, 1));
    }
    lua_pushboolean(lua, result);
    return 1;
}

static const luaL_Reg host_functions[] = {
    {"remove", host_remove},
    {"run", host_run},
    {"write", host_write},
    {NULL, NULL},
};

const struct library_group library_host = {"host", host_functions};

/* -- Events ---------------------------------------------------------------------------------------- */

/* banger.events.emit(name, data) */
static int events_emit(lua_State *lua)
{
    const struct context *context = context_of(lua);
    const char *name = luaL_checkstring(lua, 1);
    const char *data;

    context_need_effects(lua, "banger.events.emit");
    lua_settop(lua, 2);
    if (lua_isnil(lua, 2)) {
        lua_newtable(lua);
        lua_replace(lua, 2);
    }
    data = value_push_text(lua, 2, false, "banger.events.emit");
    if (context->host->emit(context->call, name, data) < 0) {
        return context_host_failed(lua, "banger.events.emit");
    }
    return 0;
}

static const luaL_Reg event_functions[] = {{"emit", events_emit}, {NULL, NULL}};

const struct library_group library_events = {"events", event_functions};

/* -- Runtime values -------------------------------------------------------------------------------- */

/* banger.runtime.set(key, value) */
static int runtime_set(lua_State *lua)
{
    const struct context *context = context_of(lua);
    const char *key = luaL_checkstring(lua, 1);
    const char *value;

    context_need_effects(lua, "banger.runtime.set");
    luaL_checkany(lua, 2);
    lua_settop(lua, 2);
    if (lua_isnil(lua, 2)) {
        value = lua_pushliteral(lua, "null");
    } else {
        value = value_push_text(lua, 2, false, "banger.runtime.set");
    }
    if (context->host->set_json(context->call, key, value) < 0) {
        return context_host_failed(lua, "banger.runtime.set");
    }
    return 0;
}

/* banger.runtime.get(key, whose): of this script, or of another capability or provider. */
static int runtime_get(lua_State *lua)
{
    const struct context *context = context_of(lua);
    const char *key = luaL_checkstring(lua, 1);
    const char *whose = luaL_optstring(lua, 2, NULL);

    context_need_call(lua, "banger.runtime.get");
    if (whose == NULL) {
        whose = context->host->get_string(context->call, "self.name", "");
    }
    library_push_key(lua, lua_pushfstring(lua, "runtime.%s.%s", whose, key));
    return 1;
}

static const luaL_Reg runtime_functions[] = {
    {"get", runtime_get},
    {"set", runtime_set},
    {NULL, NULL},
};

const struct library_group library_runtime = {"runtime", runtime_functions};
