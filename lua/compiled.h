/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scripts in Lua's compiled form, by revision: a hook of a script that has been called before is neither
 * parsed nor sent by the host again. The bytes are of our own making and stay in this process; a script's
 * file is text, always.
 */
#ifndef LUA_COMPILED_H
#define LUA_COMPILED_H

#include "context.h"

#include <jansson.h>

struct module {
    char *name; /* as in require; "": the script itself */
    char *code;
    size_t length;
};

struct script {
    char *revision;
    json_t *settings; /* what the site says: settings.h */
    struct module *modules;
    size_t count;
    unsigned holders; /* guarded by the cache's lock */
    uint64_t used;
};

/* The script of that revision, held; NULL: it is not there. */
struct script *compiled_find(const char *revision);
/* Compiles `state` (load.h) in the context's Lua state, keeps it, and returns it held. NULL: the context
 * says why. */
struct script *compiled_make(struct context *context, const char *revision, const json_t *state);
void compiled_release(struct script *script);

const struct module *compiled_module(const struct script *script, const char *name);
/* Pushes the module's function. Raises an error when there is no memory for it. */
void compiled_push(lua_State *lua, const struct module *module);

/* Pushes the function that `text` is; raises an error. `name` as above. */
void compiled_push_text(lua_State *lua, const char *script, const char *name, const char *text,
                        size_t length);

#endif
