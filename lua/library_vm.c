/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VM of a hook: a table whose fields are asked of the host when one is first named, all of them at once: the
 * host is another process mostly, and a question costs as much as the rest. */
#include "library.h"
#include "nearest.h"

#include <string.h>

#define VM_TYPE "banger.vm"
#define FIELDS "banger.vm.fields"

/* As in the table of getter keys; `image` and `kernel` are keys of their own. */
const char *const library_vm_fields[] = {
    "id",         "short_id",  "name", "state",     "dir",     "run_dir", "vcpu",
    "memory_mib", "disk_mib",  "vmm",  "rootfs",    "network", "nat",     "publish",
    "labels",     "boot_args", "env",  "ephemeral", "image",   "kernel",  NULL,
};

static bool is_list_or_object(const char *name)
{
    return strcmp(name, "labels") == 0 || strcmp(name, "publish") == 0 ||
           strcmp(name, "boot_args") == 0 || strcmp(name, "env") == 0;
}

/* Pushes the host's object `vm`, of which the state keeps one. */
static void push_all(lua_State *lua)
{
    if (lua_getfield(lua, LUA_REGISTRYINDEX, FIELDS) == LUA_TNIL) {
        lua_pop(lua, 1);
        library_push_key(lua, "vm");
        if (!lua_istable(lua, -1)) {
            lua_pop(lua, 1);
            lua_newtable(lua);
        }
        lua_pushvalue(lua, -1);
        lua_setfield(lua, LUA_REGISTRYINDEX, FIELDS);
    }
}

/* What a script may go through is a table even when there is nothing in it. */
static void push_field(lua_State *lua, const char *name)
{
    bool own = strcmp(name, "image") == 0 || strcmp(name, "kernel") == 0;

    if (own) {
        library_push_key(lua, name);
    } else {
        push_all(lua);
        (void)lua_getfield(lua, -1, name);
        lua_remove(lua, -2);
    }
    if (lua_isnil(lua, -1) && (own || is_list_or_object(name))) {
        lua_pop(lua, 1);
        lua_newtable(lua);
    }
}

static int vm_index(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 2);

    for (size_t i = 0; library_vm_fields[i] != NULL; i++) {
        if (strcmp(library_vm_fields[i], name) == 0) {
            push_field(lua, name);
            lua_pushvalue(lua, 2);
            lua_pushvalue(lua, -2);
            lua_rawset(lua, 1);
            return 1;
        }
    }
    return nearest_refuse(lua, "the VM", "field", name, library_vm_fields);
}

static int vm_newindex(lua_State *lua)
{
    return luaL_error(lua, "the VM's fields cannot be set ('%s')", luaL_tolstring(lua, 2, NULL));
}

static int next_field(lua_State *lua)
{
    lua_settop(lua, 2);
    return lua_next(lua, 1) != 0 ? 2 : 0;
}

static int vm_pairs(lua_State *lua)
{
    lua_pushcfunction(lua, next_field);
    lua_newtable(lua);
    for (size_t i = 0; library_vm_fields[i] != NULL; i++) {
        (void)lua_getfield(lua, 1, library_vm_fields[i]);
        lua_setfield(lua, -2, library_vm_fields[i]);
    }
    lua_pushnil(lua);
    return 3;
}

static int vm_text(lua_State *lua)
{
    (void)lua_getfield(lua, 1, "name");
    (void)luaL_tolstring(lua, -1, NULL);
    return 1;
}

static const luaL_Reg metamethods[] = {
    {"__index", vm_index}, {"__newindex", vm_newindex},
    {"__pairs", vm_pairs}, {"__tostring", vm_text},
    {NULL, NULL},
};

void library_push_vm(lua_State *lua)
{
    const struct context *context = context_of(lua);

    /* A question costs as much as the rest, in another process; only check is called without a VM. */
    if (strcmp(context->what, "check") == 0 &&
        context->host->get_string(context->call, "vm.id", NULL) == NULL) {
        lua_pushnil(lua);
        return;
    }
    lua_newtable(lua);
    if (luaL_newmetatable(lua, VM_TYPE) != 0) {
        luaL_setfuncs(lua, metamethods, 0);
        lua_pushboolean(lua, 0);
        lua_setfield(lua, -2, "__metatable");
    }
    (void)lua_setmetatable(lua, -2);
}

/* A call has one VM: the argument makes the script say which it means, and read well. */
void library_check_vm(lua_State *lua, int argument, const char *what)
{
    bool good = lua_istable(lua, argument) && lua_getmetatable(lua, argument);

    if (good) {
        (void)luaL_getmetatable(lua, VM_TYPE);
        good = lua_rawequal(lua, -1, -2);
        lua_pop(lua, 2);
    }
    if (!good) {
        (void)luaL_error(lua, "%s: its first argument must be the hook's vm", what);
    }
}

void library_push_change(lua_State *lua)
{
    library_push_key(lua, "change");
    if (lua_isnil(lua, -1)) {
        lua_pop(lua, 1);
        lua_newtable(lua);
    }
}
