/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest.h"

#include "box.h"
#include "nearest.h"
#include "value.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* -- Members --------------------------------------------------------------------------------------- */

struct reading {
    lua_State *lua;
    const char *file; /* the script's name, which its file has */
    const char *key;  /* the member that lies on the top of the stack */
    json_t *manifest;
};

static int refuse(const struct reading *reading, const char *expected)
{
    return luaL_error(reading->lua, "%s.lua: '%s' must be %s", reading->file, reading->key,
                      expected);
}

static void take(struct reading *reading, const char *expected, bool empty_is_list)
{
    char why[256];
    json_t *value = value_to_json(reading->lua, -1, empty_is_list, why, sizeof(why));

    if (value == NULL) {
        (void)luaL_error(reading->lua, "%s.lua: '%s' must be %s: %s", reading->file, reading->key,
                         expected, why);
    } else if (json_object_set_new(reading->manifest, reading->key, value) < 0) {
        (void)luaL_error(reading->lua, "%s.lua: there is no memory for '%s'", reading->file,
                         reading->key);
    }
}

static void read_name(struct reading *reading)
{
    if (lua_type(reading->lua, -1) != LUA_TSTRING ||
        strcmp(lua_tostring(reading->lua, -1), reading->file) != 0) {
        (void)luaL_error(reading->lua,
                         "%s.lua: 'name' must be \"%s\", as the file is called (or left out)",
                         reading->file, reading->file);
    }
}

static void read_text(struct reading *reading)
{
    if (lua_type(reading->lua, -1) != LUA_TSTRING) {
        (void)refuse(reading, "a text");
    }
    take(reading, "a text in UTF-8", false);
}

/* One name, or a list of them. */
static void read_names(struct reading *reading)
{
    json_t *list;
    size_t index;
    json_t *item;

    if (lua_type(reading->lua, -1) != LUA_TSTRING && !lua_istable(reading->lua, -1)) {
        (void)refuse(reading, "a list of names");
    }
    take(reading, "a list of names", true);
    list = json_object_get(reading->manifest, reading->key);
    if (json_is_string(list)) {
        json_object_set_new(reading->manifest, reading->key, json_pack("[O]", list));
        return;
    }
    json_array_foreach (list, index, item) {
        if (!json_is_string(item)) {
            (void)refuse(reading, "a list of names");
        }
    }
    if (!json_is_array(list)) {
        (void)refuse(reading, "a list of names");
    }
}

static void read_hook(struct reading *reading)
{
    if (!lua_isfunction(reading->lua, -1)) {
        (void)refuse(reading, "a function");
    }
    (void)json_array_append_new(json_object_get(reading->manifest, "hooks"),
                                json_string(reading->key));
}

/* -- Declared keys --------------------------------------------------------------------------------- */

static const char *const config_members[] = {"type", "default", "help", "minimum", "maximum", NULL};
static const char *const config_types[] = {"string",   "int",  "bool",  "size",
                                           "duration", "list", "table", NULL};

/* With the key's table on the top. */
static json_t *read_key(const struct reading *reading, const char *name)
{
    lua_State *lua = reading->lua;
    char what[128];
    char why[256];
    json_t *key;
    const char *type;

    (void)snprintf(what, sizeof(what), "%s.lua: config.%.60s", reading->file, name);
    if (!lua_istable(lua, -1)) {
        (void)luaL_error(lua,
                         "%s must be a table: { type = \"string\", default = \"x\", help = "
                         "\"what it is\" }",
                         what);
    }
    nearest_check_keys(lua, -1, what, config_members);
    (void)lua_getfield(lua, -1, "type");
    type = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "";
    for (size_t i = 0; strcmp(type, config_types[i]) != 0;) {
        if (config_types[++i] == NULL) {
            (void)nearest_refuse(lua, what, "type", type, config_types);
        }
    }
    lua_pop(lua, 1);
    key = value_to_json(lua, -1, strcmp(type, "list") == 0, why, sizeof(why));
    if (key == NULL) {
        (void)luaL_error(lua, "%s: %s", what, why);
    }
    json_object_set_new(key, "name", json_string(name));
    return key;
}

/* In the order of their names: that of Lua's tables is another in every run. */
static void read_config(struct reading *reading)
{
    lua_State *lua = reading->lua;
    json_t *list = json_array();

    json_object_set_new(reading->manifest, reading->key, list);
    if (!lua_istable(lua, -1)) {
        (void)refuse(reading, "a table of keys");
    }
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        const char *name = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : NULL;
        size_t at = 0;

        if (name == NULL) {
            (void)refuse(reading, "a table of keys by their names");
            return;
        }
        while (at < json_array_size(list) &&
               strcmp(json_string_value(json_object_get(json_array_get(list, at), "name")), name) <
                   0) {
            at++;
        }
        (void)json_array_insert_new(list, at, read_key(reading, name));
        lua_pop(lua, 1);
    }
}

/* -- The table ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*read)(struct reading *reading);
} members[] = {
    {"name", read_name},       {"version", read_text},
    {"summary", read_text},    {"license", read_text},
    {"after", read_names},     {"before", read_names},
    {"config", read_config},   {"check", read_hook},
    {"prepare", read_hook},    {"contributeMachineConfig", read_hook},
    {"postStart", read_hook},  {"cleanup", read_hook},
    {"configure", read_hook},  {"deleted", read_hook},
    {"reconciled", read_hook},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

json_t *manifest_read(lua_State *lua, int index, const char *name)
{
    const char *names[MEMBERS + 1] = {NULL};
    struct box *box = box_push_json(lua);
    struct reading reading = {.lua = lua, .file = name};
    char what[128];

    box->held = json_pack("{s:s, s:[]}", "name", name, "hooks");
    reading.manifest = box->held;
    for (size_t i = 0; i < MEMBERS; i++) {
        names[i] = members[i].name;
    }
    (void)snprintf(what, sizeof(what), "%.80s.lua", name);
    nearest_check_keys(lua, index, what, names);
    for (size_t i = 0; i < MEMBERS; i++) {
        reading.key = members[i].name;
        (void)lua_pushstring(lua, reading.key);
        if (lua_rawget(lua, index) != LUA_TNIL) {
            members[i].read(&reading);
        }
        lua_pop(lua, 1);
    }
    return json_incref(reading.manifest);
}
