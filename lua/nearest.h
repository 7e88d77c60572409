/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which known name was meant. */
#ifndef LUA_NEAREST_H
#define LUA_NEAREST_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Known names are offered one after the other; `best` is the one that was meant, NULL: none is near. */
struct nearest {
    const char *name;
    const char *best;
    size_t distance; /* of `best`; those that lie further off were not meant */
};

void nearest_begin(struct nearest *nearest, const char *name);
/* `known` is kept, not copied. */
void nearest_offer(struct nearest *nearest, const char *known);
/* Those keys of the table at `index` that are names, a thousand at most. */
void nearest_offer_keys(lua_State *lua, int index, struct nearest *nearest);

/* Raises "WHAT: unknown KIND 'name'; did you mean 'nearest'?"; without a `what` it begins with "unknown". */
int nearest_raise(lua_State *lua, const char *what, const char *kind,
                  const struct nearest *nearest);
/* The same with `names`, which end with NULL, as those that are known. */
int nearest_refuse(lua_State *lua, const char *what, const char *kind, const char *name,
                   const char *const *names);
/* Raises that for a key of the table at `index` that is not in `names`; a position as a key is one. */
void nearest_check_keys(lua_State *lua, int index, const char *what, const char *const *names);

#endif
