/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nearest.h"

#include <lauxlib.h>
#include <string.h>

#define LENGTH_MAX 63
#define KEYS_MAX 1000 /* a script's table may have any number: some milliseconds' work */

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Levenshtein's: letters to insert, remove or replace. */
static size_t distance(const char *a, const char *b)
{
    size_t row[LENGTH_MAX + 1];
    size_t width = strlen(b);

    for (size_t j = 0; j <= width; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t above = row[j];

            row[j] = least(above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
            corner = above;
        }
    }
    return row[width];
}

void nearest_begin(struct nearest *nearest, const char *name)
{
    size_t length = strlen(name);

    /* Further than that nothing was meant. */
    *nearest =
        (struct nearest){.name = name, .distance = length <= LENGTH_MAX ? length / 3 + 2 : 0};
}

/* Of two that are as near the first in the alphabet is it: a table has no order of its own. */
void nearest_offer(struct nearest *nearest, const char *known)
{
    size_t found;

    if (nearest->distance == 0 || strlen(known) > LENGTH_MAX) {
        return;
    }
    found = distance(nearest->name, known);
    if (found < nearest->distance ||
        (nearest->best != NULL && found == nearest->distance && strcmp(known, nearest->best) < 0)) {
        nearest->best = known;
        nearest->distance = found;
    }
}

void nearest_offer_keys(lua_State *lua, int index, struct nearest *nearest)
{
    int left = KEYS_MAX;

    index = lua_absindex(lua, index);
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        if (left-- == 0) {
            lua_pop(lua, 1);
            return;
        }
        if (lua_type(lua, -1) == LUA_TSTRING) {
            nearest_offer(nearest, lua_tostring(lua, -1)); /* the table keeps it */
        }
    }
}

int nearest_raise(lua_State *lua, const char *what, const char *kind, const struct nearest *nearest)
{
    const char *colon = what != NULL ? ": " : "";

    what = what != NULL ? what : "";
    if (nearest->best == NULL) {
        return luaL_error(lua, "%s%sunknown %s '%s'", what, colon, kind, nearest->name);
    }
    return luaL_error(lua, "%s%sunknown %s '%s'; did you mean '%s'?", what, colon, kind,
                      nearest->name, nearest->best);
}

int nearest_refuse(lua_State *lua, const char *what, const char *kind, const char *name,
                   const char *const *names)
{
    struct nearest nearest;

    nearest_begin(&nearest, name);
    for (; *names != NULL; names++) {
        nearest_offer(&nearest, *names);
    }
    return nearest_raise(lua, what, kind, &nearest);
}

static bool is_known(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(name, *names) == 0) {
            return true;
        }
    }
    return false;
}

void nearest_check_keys(lua_State *lua, int index, const char *what, const char *const *names)
{
    index = lua_absindex(lua, index);
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        if (lua_type(lua, -1) != LUA_TSTRING) {
            (void)luaL_error(lua, "%s: its keys must be names", what);
        } else if (!is_known(lua_tostring(lua, -1), names)) {
            (void)nearest_refuse(lua, what, "key", lua_tostring(lua, -1), names);
        }
    }
}
