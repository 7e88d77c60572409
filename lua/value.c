/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "value.h"

#include "box.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SEGMENT_MAX 64

struct walk {
    lua_State *lua;
    char *why;
    size_t why_size;
    bool empty_is_list;
    size_t values;
    size_t bytes;
    size_t depth;
    const void *tables[VALUE_DEPTH_MAX]; /* those that the present value lies in */
    char path[VALUE_DEPTH_MAX][SEGMENT_MAX];
};

/* Its address is null's: a light userdata needs no memory and equals itself only. */
static const char null_mark;

void value_push_null(lua_State *lua)
{
    lua_pushlightuserdata(lua, (void *)&null_mark);
}

/* Of the metatable of those that are marked, in the registry: a key that needs no memory either. */
static const char list_mark;

void value_push_list(lua_State *lua)
{
    lua_newtable(lua);
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &list_mark) != LUA_TTABLE) {
        lua_pop(lua, 1);
        lua_createtable(lua, 0, 1);
        lua_pushboolean(lua, 0); /* no script gets at it: a finalizer could be put there */
        lua_setfield(lua, -2, "__metatable");
        lua_pushvalue(lua, -1);
        lua_rawsetp(lua, LUA_REGISTRYINDEX, &list_mark);
    }
    (void)lua_setmetatable(lua, -2);
}

static bool is_marked_list(lua_State *lua)
{
    bool marked = lua_getmetatable(lua, -1) != 0;

    if (marked) {
        (void)lua_rawgetp(lua, LUA_REGISTRYINDEX, &list_mark);
        marked = lua_rawequal(lua, -1, -2);
        lua_pop(lua, 2);
    }
    return marked;
}

/* -- Lua to JSON ----------------------------------------------------------------------------------- */

static const char no_memory[] = "there is no memory for it";

static json_t *walk_value(struct walk *walk);

static json_t *refuse(struct walk *walk, const char *why)
{
    size_t used = 0;

    for (size_t i = 0; i < walk->depth && walk->path[i][0] != '\0' && used < walk->why_size; i++) {
        used += (size_t)snprintf(walk->why + used, walk->why_size - used, "%s%s", i == 0 ? "" : ".",
                                 walk->path[i]);
    }
    if (used < walk->why_size) {
        (void)snprintf(walk->why + used, walk->why_size - used, "%s%s", used > 0 ? ": " : "", why);
    }
    return NULL;
}

/* A string of the value's, or one of its names. */
static json_t *walk_text(struct walk *walk, const char *text, size_t length, const char *expected)
{
    json_t *json;

    walk->bytes += length;
    if (walk->bytes > VALUE_BYTES_MAX) {
        return refuse(walk, "it has too many bytes");
    }
    if (memchr(text, '\0', length) != NULL) {
        return refuse(walk, expected);
    }
    json = json_stringn(text, length);
    if (json == NULL) { /* either it is not UTF-8, or there is no memory: then for this neither */
        json_t *unchecked = json_stringn_nocheck(text, length);

        (void)refuse(walk, unchecked != NULL ? expected : no_memory);
        json_decref(unchecked);
    }
    return json;
}

static json_t *walk_string(struct walk *walk)
{
    size_t length = 0;
    const char *text = lua_tolstring(walk->lua, -1, &length);

    return walk_text(walk, text, length, "a string must be UTF-8 without NUL bytes");
}

static json_t *walk_number(struct walk *walk)
{
    int whole = 0;
    lua_Integer integer = lua_tointegerx(walk->lua, -1, &whole); /* 2^30 is a float in Lua */
    lua_Number number = lua_tonumber(walk->lua, -1);

    if (whole) {
        return json_integer(integer);
    }
    return isfinite(number) ? json_real(number) : refuse(walk, "a number must be finite");
}

/* Whether the table's keys are exactly 1..n. */
static bool is_sequence(const struct walk *walk)
{
    lua_State *lua = walk->lua;
    size_t length = (size_t)lua_rawlen(lua, -1);
    size_t count = 0;

    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        lua_Integer key;

        lua_pop(lua, 1);
        key = lua_isinteger(lua, -1) ? lua_tointeger(lua, -1) : 0;
        if (key < 1 || (size_t)key > length) {
            lua_pop(lua, 1);
            return false;
        }
        count++;
    }
    return count == length && (count > 0 || walk->empty_is_list || is_marked_list(lua));
}

static json_t *walk_sequence(struct walk *walk)
{
    json_t *array = json_array();
    size_t length = (size_t)lua_rawlen(walk->lua, -1);

    for (size_t i = 1; i <= length; i++) {
        json_t *item;

        (void)snprintf(walk->path[walk->depth - 1], SEGMENT_MAX, "%zu", i);
        (void)lua_rawgeti(walk->lua, -1, (lua_Integer)i);
        item = walk_value(walk);
        lua_pop(walk->lua, 1);
        if (item == NULL || json_array_append_new(array, item) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Converts the pair that lua_next pushed, key below value, into `object`. */
static bool walk_pair(struct walk *walk, json_t *object)
{
    size_t length = 0;
    const char *key;
    json_t *name;
    json_t *value;
    int result;

    walk->path[walk->depth - 1][0] = '\0';
    if (lua_type(walk->lua, -2) != LUA_TSTRING) {
        (void)refuse(walk, "a table has names, or the positions 1 to n, and nothing else");
        return false;
    }
    key = lua_tolstring(walk->lua, -2, &length);
    (void)snprintf(walk->path[walk->depth - 1], SEGMENT_MAX, "%s", key);
    value = walk_value(walk);
    name = value != NULL ? walk_text(walk, key, length, "a name must be UTF-8 without NUL bytes")
                         : NULL;
    result = name != NULL ? json_object_set_nocheck(object, key, value) : -1;
    json_decref(name);
    json_decref(value);
    return result == 0;
}

static json_t *walk_names(struct walk *walk)
{
    json_t *object = json_object();

    lua_pushnil(walk->lua);
    while (lua_next(walk->lua, -2) != 0) {
        if (!walk_pair(walk, object)) {
            lua_pop(walk->lua, 2);
            json_decref(object);
            return NULL;
        }
        lua_pop(walk->lua, 1);
    }
    return object;
}

static json_t *walk_table(struct walk *walk)
{
    const void *table = lua_topointer(walk->lua, -1);
    json_t *json;

    for (size_t i = 0; i < walk->depth; i++) {
        if (walk->tables[i] == table) {
            return refuse(walk, "a table contains itself");
        }
    }
    if (walk->depth == VALUE_DEPTH_MAX) {
        return refuse(walk, "tables are nested too deeply");
    }
    walk->tables[walk->depth] = table;
    walk->path[walk->depth][0] = '\0';
    walk->depth++;
    json = is_sequence(walk) ? walk_sequence(walk) : walk_names(walk);
    walk->depth--;
    return json;
}

static json_t *walk_value(struct walk *walk)
{
    if (++walk->values > VALUE_COUNT_MAX) {
        return refuse(walk, "it has too many values");
    }
    switch (lua_type(walk->lua, -1)) {
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(walk->lua, -1));
    case LUA_TNUMBER:
        return walk_number(walk);
    case LUA_TSTRING:
        return walk_string(walk);
    case LUA_TTABLE:
        return walk_table(walk);
    case LUA_TLIGHTUSERDATA:
        return json_null();
    default:
        return refuse(walk, "a value must be a string, a number, a boolean or a table");
    }
}

/* Of each table on the way two values are on the stack. */
json_t *value_to_json(lua_State *lua, int index, bool empty_is_list, char *why, size_t size)
{
    struct walk walk = {.lua = lua, .why = why, .why_size = size, .empty_is_list = empty_is_list};
    int top = lua_gettop(lua);
    json_t *json;

    why[0] = '\0';
    if (!lua_checkstack(lua, 3 * VALUE_DEPTH_MAX)) {
        return refuse(&walk, no_memory);
    }
    lua_pushvalue(lua, index);
    json = walk_value(&walk);
    if (json == NULL && why[0] == '\0') { /* what is wrong with a value is said where it is found */
        walk.depth = 0;
        (void)refuse(&walk, no_memory);
    }
    lua_settop(lua, top);
    return json;
}

const char *value_push_text(lua_State *lua, int index, bool empty_is_list, const char *what)
{
    char why[256];
    struct box *box;

    index = lua_absindex(lua, index);
    box = box_push_text(lua);
    json_t *json = value_to_json(lua, index, empty_is_list, why, sizeof(why));
    if (json == NULL) {
        (void)luaL_error(lua, "%s: %s", what, why);
        return NULL;
    }
    box->held = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);
    if (box->held == NULL) {
        (void)luaL_error(lua, "%s: there is no memory for it", what);
        return NULL;
    }
    (void)lua_pushstring(lua, box->held);
    box_clear(box);
    lua_remove(lua, -2);
    return lua_tostring(lua, -1);
}

/* -- JSON to Lua ----------------------------------------------------------------------------------- */

static void push_array(lua_State *lua, const json_t *json)
{
    size_t index;
    json_t *item;

    lua_createtable(lua, (int)json_array_size(json), 0);
    json_array_foreach (json, index, item) {
        if (json_is_null(item)) {
            value_push_null(lua);
        } else {
            value_push(lua, item);
        }
        lua_rawseti(lua, -2, (lua_Integer)index + 1);
    }
}

static void push_object(lua_State *lua, const json_t *json)
{
    const char *name;
    json_t *item;

    lua_createtable(lua, 0, (int)json_object_size(json));
    json_object_foreach ((json_t *)json, name, item) {
        value_push(lua, item);
        lua_setfield(lua, -2, name);
    }
}

/* The depth is that of jansson's parser at most, 2048. */
void value_push(lua_State *lua, const json_t *json)
{
    luaL_checkstack(lua, 4, "JSON that is nested too deeply");
    switch (json == NULL ? JSON_NULL : json_typeof(json)) {
    case JSON_OBJECT:
        push_object(lua, json);
        return;
    case JSON_ARRAY:
        push_array(lua, json);
        return;
    case JSON_STRING:
        (void)lua_pushlstring(lua, json_string_value(json), json_string_length(json));
        return;
    case JSON_INTEGER:
        lua_pushinteger(lua, json_integer_value(json));
        return;
    case JSON_REAL:
        lua_pushnumber(lua, json_real_value(json));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(lua, json_is_true(json));
        return;
    case JSON_NULL:
        lua_pushnil(lua);
        return;
    }
}

void value_push_parsed(lua_State *lua, const char *text, size_t length, const char *what)
{
    struct box *box = box_push_json(lua);
    json_error_t error;

    if (length > VALUE_TEXT_MAX) {
        (void)luaL_error(lua, "%s: the text is longer than %d bytes", what, (int)VALUE_TEXT_MAX);
        return;
    }
    box->held = json_loadb(text, length, JSON_DECODE_ANY, &error);
    if (box->held == NULL) {
        (void)luaL_error(lua, "%s: it is not JSON: %s (line %d)", what, error.text, error.line);
        return;
    }
    value_push(lua, box->held);
    box_clear(box);
    lua_remove(lua, -2);
}
