/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What scripts can do: the table `banger`, and the arguments of hooks. Each group of functions is made when
 * a script first names it. library.lua describes all of it to people and editors; a test compares them.
 */
#ifndef LUA_LIBRARY_H
#define LUA_LIBRARY_H

#include "context.h"

struct library_group {
    const char *name;
    const luaL_Reg *functions;
};

extern const struct library_group *const library_groups[]; /* all of these; NULL at the end */
extern const struct library_group library_banger;          /* what is in no group */
extern const struct library_group library_machine;         /* library_machine.c: its methods */
extern const struct library_group library_row;             /* library_resource.c: its method */
extern const char *const library_values[];                 /* NULL at the end, as the next */
extern const char *const library_vm_fields[];              /* library_vm.c */

extern const struct library_group library_events;   /* library_host.c */
extern const struct library_group library_guest;    /* library_guest.c */
extern const struct library_group library_host;     /* library_host.c */
extern const struct library_group library_http;     /* library_http.c */
extern const struct library_group library_json;     /* library_base.c */
extern const struct library_group library_log;      /* library_base.c */
extern const struct library_group library_resource; /* library_resource.c */
extern const struct library_group library_runtime;  /* library_host.c */

/* Pushes `banger`. */
void library_open(lua_State *lua);
/* Whether `banger` has a member of that name. */
bool library_has(const char *name);
/* require(). */
int library_require(lua_State *lua);

/* Push a hook's arguments: the VM, or nil where the call is about the host; the machine; the change. */
void library_push_vm(lua_State *lua);
void library_push_machine(lua_State *lua);
void library_push_change(lua_State *lua);

/* -- For its files --------------------------------------------------------------------------------- */

/* Raises an error unless the argument is the hook's VM. */
void library_check_vm(lua_State *lua, int argument, const char *what);
/* Pushes what a getter says, nil when it says nothing. Everything a key leads to is JSON. */
void library_push_key(lua_State *lua, const char *key);
/* Takes the field out of the table at `index` and pushes it, nil included. */
int library_take(lua_State *lua, int index, const char *name);
/* Pushes a copy of the table at `index`, or a new one for nil: what a script gives is not changed. */
void library_push_copy(lua_State *lua, int index);
/* An octal mode that is written as text ("0644"); a number raises an error: Lua has no octal ones. */
int library_mode(lua_State *lua, int argument, const char *what);
/* The value at `index`, a number of seconds such as 1.5, in milliseconds. */
int64_t library_milliseconds(lua_State *lua, int index, const char *what);
/* A new table that knows `methods` by its metatable `type`, and no others, pushed. `name`: what scripts call it. */
void library_new_object(lua_State *lua, const char *type, const char *name,
                        const luaL_Reg *methods);

#endif
