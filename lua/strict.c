/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "strict.h"

#include "context.h"
#include "library.h"

#include <string.h>

/* -- What hooks do without ------------------------------------------------------------------------- */

/* What Lua or other programs that embed it have, and what an argument of a hook is: what does it here. */
static const struct {
    const char *name;
    const char *instead;
} absent[] = {
    {"bit32", "the operators &, |, ~, << and >> do it"},
    {"debug", "errors have a traceback, and banger.log.debug writes to the log"},
    {"dofile", "require reads lib/NAME.lua beside the script"},
    {"getfenv", "_ENV is it since Lua 5.2"},
    {"io",
     "banger.host.run, banger.host.write and banger.host.remove reach what config.lua allows"},
    {"load", "only the script's own text is run"},
    {"loadfile", "require reads lib/NAME.lua beside the script"},
    {"loadstring", "only the script's own text is run"},
    {"machine", "it is the second argument of contributeMachineConfig"},
    {"module", "a module returns what it offers"},
    {"os.execute", "banger.host.run runs programs that config.lua allows"},
    {"os.exit", "error and banger.fail end the hook"},
    {"os.getenv", "a key of the script's `config` is set in config.lua"},
    {"os.remove", "banger.host.remove does it where config.lua allows it"},
    {"os.rename", "banger.host.write replaces a file at once or not at all"},
    {"os.setlocale", "the locale is always C"},
    {"os.tmpname", "banger.runtime keeps values of this run"},
    {"package", "require reads lib/NAME.lua beside the script"},
    {"print", "banger.log.info writes to the log"},
    {"setfenv", "_ENV is it since Lua 5.2"},
    {"string.dump", "only the script's own text is run"},
    {"table.getn", "#list is it since Lua 5.1"},
    {"unpack", "it is table.unpack since Lua 5.2"},
    {"vm", "it is the first argument of each hook"},
    {"warn", "banger.log.warn writes to the log"},
};

#define ABSENT (sizeof(absent) / sizeof(absent[0]))

static const char *find_instead(const char *name)
{
    for (size_t i = 0; i < ABSENT; i++) {
        if (strcmp(absent[i].name, name) == 0) {
            return absent[i].instead;
        }
    }
    return NULL;
}

static void refuse_absent(lua_State *lua, const char *name)
{
    const char *instead = find_instead(name);

    if (instead != NULL) {
        (void)luaL_error(lua, "there is no '%s' here: %s", name, instead);
    }
}

/* -- Members --------------------------------------------------------------------------------------- */

/* __index, with the table at 1. */
static int refuse_member(lua_State *lua)
{
    struct nearest nearest;
    const char *table;
    const char *name;

    if (lua_type(lua, 2) != LUA_TSTRING) {
        return 0;
    }
    context_look(lua); /* a script may catch the error, again and again */
    (void)luaL_getmetafield(lua, 1, "__name");
    table = lua_tostring(lua, -1);
    name = lua_tostring(lua, 2);
    refuse_absent(lua, lua_pushfstring(lua, "%s.%s", table, name));
    nearest_begin(&nearest, name);
    nearest_offer_keys(lua, 1, &nearest);
    return nearest_raise(lua, table, "member", &nearest);
}

void strict_table(lua_State *lua, const char *name)
{
    lua_createtable(lua, 0, 3);
    lua_pushcfunction(lua, refuse_member);
    lua_setfield(lua, -2, "__index");
    (void)lua_pushstring(lua, name);
    lua_setfield(lua, -2, "__name");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    (void)lua_setmetatable(lua, -2);
}

/* -- Globals --------------------------------------------------------------------------------------- */

int strict_refuse_global(lua_State *lua, struct nearest *nearest)
{
    const char *name = nearest->name;
    struct nearest gone;

    context_look(lua);
    refuse_absent(lua, name);
    if (library_has(name)) {
        return luaL_error(lua, "unknown global '%s'; did you mean 'banger.%s'?", name, name);
    }
    nearest_offer_keys(lua, 1, nearest);
    nearest_begin(&gone, name);
    for (size_t i = 0; i < ABSENT; i++) {
        nearest_offer(&gone, absent[i].name);
    }
    if (gone.best != NULL && (nearest->best == NULL || gone.distance < nearest->distance)) {
        return luaL_error(lua, "unknown global '%s'; there is no '%s' here either: %s", name,
                          gone.best, find_instead(gone.best));
    }
    return nearest_raise(lua, NULL, "global", nearest);
}
