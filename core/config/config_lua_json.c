/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config_lua_json.h"

#include "base/cleanup.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX 32
#define VALUES_MAX 100000 /* tables may be shared: a small source can describe a huge tree */
#define SEGMENT_MAX 64    /* bytes of a key that are shown */

struct walk {
    lua_State *lua;
    banger_error *err;
    size_t values;
    size_t depth;
    const void *tables[DEPTH_MAX]; /* those that the present value lies in */
    char path[DEPTH_MAX][SEGMENT_MAX];
};

static json_t *value_to_json(struct walk *walk);

static json_t *refuse(struct walk *walk, const char *why)
{
    char where[512] = "the table";
    size_t used = 0;
    for (size_t i = 0; i < walk->depth && walk->path[i][0] != '\0' && used < sizeof(where); i++) {
        used += (size_t)snprintf(where + used, sizeof(where) - used, "%s%s", i == 0 ? "" : ".",
                                 walk->path[i]);
    }
    (void)error_set(walk->err, BANGER_EINVALID, "%s: %s", where, why);
    return NULL;
}

static json_t *string_to_json(struct walk *walk)
{
    size_t length = 0;
    const char *text = lua_tolstring(walk->lua, -1, &length);
    json_t *json = memchr(text, '\0', length) == NULL ? json_stringn(text, length) : NULL;
    return json != NULL ? json : refuse(walk, "a string must be UTF-8 without NUL bytes");
}

static json_t *number_to_json(struct walk *walk)
{
    int whole = 0;
    lua_Integer integer = lua_tointegerx(walk->lua, -1, &whole); /* 2^30 is a float in Lua */
    if (whole) {
        return json_integer(integer);
    }
    lua_Number number = lua_tonumber(walk->lua, -1);
    return isfinite(number) ? json_real(number) : refuse(walk, "a number must be finite");
}

/* Whether the table's keys are exactly 1..n, n > 0. */
static bool is_sequence(lua_State *lua)
{
    size_t count = 0;
    size_t length = (size_t)lua_rawlen(lua, -1);
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        lua_pop(lua, 1);
        int whole = 0;
        lua_Integer key = lua_isinteger(lua, -1) ? lua_tointegerx(lua, -1, &whole) : 0;
        if (key < 1 || (size_t)key > length) {
            lua_pop(lua, 1);
            return false;
        }
        count++;
    }
    return count > 0 && count == length;
}

static json_t *sequence_to_json(struct walk *walk)
{
    AUTO_JSON json_t *array = json_array();
    size_t length = (size_t)lua_rawlen(walk->lua, -1);
    for (size_t i = 1; i <= length; i++) {
        (void)snprintf(walk->path[walk->depth - 1], SEGMENT_MAX, "%zu", i);
        (void)lua_rawgeti(walk->lua, -1, (lua_Integer)i);
        json_t *item = value_to_json(walk);
        lua_pop(walk->lua, 1);
        if (item == NULL) {
            return NULL;
        }
        (void)json_array_append_new(array, item);
    }
    return STEAL(array);
}

/* Converts the pair that lua_next pushed, key below value, into `object`. */
static int pair_to_json(struct walk *walk, json_t *object)
{
    walk->path[walk->depth - 1][0] = '\0';
    if (lua_type(walk->lua, -2) != LUA_TSTRING) {
        (void)refuse(walk, "a table has names, or the positions 1 to n, and nothing else");
        return -1;
    }
    size_t length = 0;
    const char *key = lua_tolstring(walk->lua, -2, &length);
    AUTO_JSON json_t *name = json_stringn(key, length);
    if (name == NULL || strlen(key) != length) {
        (void)refuse(walk, "a name must be UTF-8 without NUL bytes");
        return -1;
    }
    (void)snprintf(walk->path[walk->depth - 1], SEGMENT_MAX, "%s", key);
    json_t *value = value_to_json(walk);
    return value != NULL ? json_object_set_new(object, key, value) : -1;
}

static json_t *names_to_json(struct walk *walk)
{
    AUTO_JSON json_t *object = json_object();
    lua_pushnil(walk->lua);
    while (lua_next(walk->lua, -2) != 0) {
        if (pair_to_json(walk, object) < 0) {
            lua_pop(walk->lua, 2);
            return NULL;
        }
        lua_pop(walk->lua, 1);
    }
    return STEAL(object);
}

static json_t *table_to_json(struct walk *walk)
{
    const void *table = lua_topointer(walk->lua, -1);
    for (size_t i = 0; i < walk->depth; i++) {
        if (walk->tables[i] == table) {
            return refuse(walk, "a table contains itself");
        }
    }
    if (walk->depth == DEPTH_MAX || !lua_checkstack(walk->lua, 4)) {
        return refuse(walk, "tables are nested too deeply");
    }
    walk->tables[walk->depth] = table;
    walk->path[walk->depth][0] = '\0';
    walk->depth++;
    json_t *json = is_sequence(walk->lua) ? sequence_to_json(walk) : names_to_json(walk);
    walk->depth--;
    return json;
}

static json_t *value_to_json(struct walk *walk)
{
    if (++walk->values > VALUES_MAX) {
        return refuse(walk, "the configuration has too many values");
    }
    switch (lua_type(walk->lua, -1)) {
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(walk->lua, -1));
    case LUA_TNUMBER:
        return number_to_json(walk);
    case LUA_TSTRING:
        return string_to_json(walk);
    case LUA_TTABLE:
        return table_to_json(walk);
    default:
        return refuse(walk, "a value must be a string, a number, a boolean or a table");
    }
}

json_t *config_lua_to_json(lua_State *lua, banger_error *err)
{
    struct walk walk = {.lua = lua, .err = err};
    return value_to_json(&walk);
}
