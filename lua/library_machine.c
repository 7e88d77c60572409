/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine of contributeMachineConfig. The host checks what is contributed; here it is put in form. */
#include "compiled.h"
#include "library.h"
#include "settings.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

#define MACHINE_TYPE "banger.machine"

/* Contributes the value on the top of the stack. */
static int contribute(lua_State *lua, const char *what, const char *section)
{
    const struct context *context = context_of(lua);
    const char *text = value_push_text(lua, -1, true, what);

    if (context->host->contribute(context->call, section, text) < 0) {
        return context_host_failed(lua, what);
    }
    return 0;
}

/* The argument is one object of the section's. */
static int contribute_table(lua_State *lua, const char *what, const char *section)
{
    luaL_checktype(lua, 2, LUA_TTABLE);
    lua_settop(lua, 2);
    return contribute(lua, what, section);
}

/* Whether `path` lies below the folder that the script itself lies in. */
static bool is_beside_script(const struct context *context, const char *path)
{
    const char *origin = context->host->get_string(context->call, "self.origin", "");
    const char *slash = strrchr(origin, '/');
    size_t length = slash != NULL ? (size_t)(slash - origin) : 0;

    return length > 0 && strncmp(path, origin, length) == 0 && path[length] == '/';
}

/* A script must not make every file of the host's one of a guest's: those of the site's folders for it, what it has
 * written itself, and what lies beside it. With the section's table at 2. */
static void check_path(lua_State *lua, const char *what, const char *key)
{
    const struct context *context = context_of(lua);
    const json_t *settings = context->script->settings;
    const char *path;
    const char *rest;

    if (lua_getfield(lua, 2, key) != LUA_TSTRING) { /* what is no text the host refuses */
        lua_pop(lua, 1);
        return;
    }
    path = lua_tostring(lua, -1);
    if (!settings_is_plain(path)) {
        (void)luaL_error(
            lua, "%s: '%s' must be an absolute path, without '.', '..' and a '/' at its end: %s",
            what, key, path);
    }
    if (settings_find_dir(settings, "read_dirs", path, &rest) == NULL &&
        settings_find_dir(settings, "write_dirs", path, &rest) == NULL &&
        !is_beside_script(context, path)) {
        (void)luaL_error(lua, "%s: %s is not below a folder of plugins.lua.read_dirs in config.lua",
                         what, path);
    }
    lua_pop(lua, 1);
}

static int machine_drive(lua_State *lua)
{
    luaL_checktype(lua, 2, LUA_TTABLE);
    library_push_copy(lua, 2);
    lua_replace(lua, 2);
    check_path(lua, "machine:drive", "path");
    return contribute_table(lua, "machine:drive", "drives");
}

static int machine_nic(lua_State *lua)
{
    return contribute_table(lua, "machine:nic", "nics");
}

static int machine_boot_arg(lua_State *lua)
{
    int count = lua_gettop(lua);

    for (int i = 2; i <= count; i++) {
        (void)luaL_checkstring(lua, i);
        lua_pushvalue(lua, i);
        (void)contribute(lua, "machine:boot_arg", "boot_args");
        lua_settop(lua, count);
    }
    return 0;
}

/* { [key] = value } with both on the top of the stack. */
static void wrap(lua_State *lua)
{
    lua_createtable(lua, 0, 1);
    lua_insert(lua, -3);
    lua_rawset(lua, -3);
}

/* machine:rate_limit("drive.rootfs", { bytes_per_s = N, ops_per_s = N }) */
static int machine_rate_limit(lua_State *lua)
{
    (void)luaL_checkstring(lua, 2);
    luaL_checktype(lua, 3, LUA_TTABLE);
    lua_settop(lua, 3);
    wrap(lua);
    return contribute(lua, "machine:rate_limit", "rate_limits");
}

static int machine_limit(lua_State *lua)
{
    (void)luaL_checkstring(lua, 2);
    luaL_checkany(lua, 3);
    lua_settop(lua, 3);
    wrap(lua);
    return contribute(lua, "machine:limit", "limits");
}

static int machine_file(lua_State *lua)
{
    luaL_checktype(lua, 2, LUA_TTABLE);
    library_push_copy(lua, 2);
    lua_replace(lua, 2);
    check_path(lua, "machine:file", "source");
    if (lua_getfield(lua, 2, "mode") != LUA_TNIL) {
        lua_pushinteger(lua, library_mode(lua, -1, "machine:file"));
        lua_setfield(lua, 2, "mode");
    }
    lua_settop(lua, 2);
    return contribute(lua, "machine:file", "guest.files");
}

/* One line of a key of guest.conf that may be given more than once. */
static int contribute_line(lua_State *lua, const char *what, const char *key)
{
    lua_createtable(lua, 1, 0);
    lua_insert(lua, -2);
    lua_rawseti(lua, -2, 1);
    (void)lua_pushstring(lua, key);
    lua_insert(lua, -2);
    wrap(lua);
    return contribute(lua, what, "guest.conf");
}

static int machine_environment(lua_State *lua)
{
    (void)lua_pushfstring(lua, "%s=%s", luaL_checkstring(lua, 2), luaL_checkstring(lua, 3));
    return contribute_line(lua, "machine:environment", "env");
}

/* machine:host(name, address): a line of the guest's /etc/hosts. */
static int machine_host(lua_State *lua)
{
    (void)lua_pushfstring(lua, "%s %s", luaL_checkstring(lua, 3), luaL_checkstring(lua, 2));
    return contribute_line(lua, "machine:host", "host");
}

static int machine_conf(lua_State *lua)
{
    (void)luaL_checkstring(lua, 2);
    luaL_checkany(lua, 3);
    lua_settop(lua, 3);
    wrap(lua);
    return contribute(lua, "machine:conf", "guest.conf");
}

static const luaL_Reg methods[] = {
    {"boot_arg", machine_boot_arg},
    {"conf", machine_conf},
    {"drive", machine_drive},
    {"environment", machine_environment},
    {"file", machine_file},
    {"host", machine_host},
    {"limit", machine_limit},
    {"nic", machine_nic},
    {"rate_limit", machine_rate_limit},
    {NULL, NULL},
};

const struct library_group library_machine = {"machine", methods};

void library_push_machine(lua_State *lua)
{
    library_new_object(lua, MACHINE_TYPE, "machine", methods);
}
