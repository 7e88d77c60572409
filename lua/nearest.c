/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nearest.h"

#include <lauxlib.h>
#include <string.h>

#define LENGTH_MAX 63

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

const char *nearest_name(const char *name, const char *const *names)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 2; /* further than that nothing was meant */

    for (; strlen(name) <= LENGTH_MAX && *names != NULL; names++) {
        size_t found = strlen(*names) <= LENGTH_MAX ? distance(name, *names) : best_distance;

        if (found < best_distance) {
            best = *names;
            best_distance = found;
        }
    }
    return best;
}

int nearest_refuse(lua_State *lua, const char *what, const char *kind, const char *name,
                   const char *const *names)
{
    const char *near = nearest_name(name, names);

    if (near == NULL) {
        return luaL_error(lua, "%s: unknown %s '%s'", what, kind, name);
    }
    return luaL_error(lua, "%s: unknown %s '%s'; did you mean '%s'?", what, kind, name, near);
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
