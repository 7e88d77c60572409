/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "compiled.h"

#include "sandbox.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 128 /* scripts, those of earlier texts among them */

static struct {
    pthread_mutex_t lock;
    struct script *scripts[KEPT_MAX];
    uint64_t clock; /* counts uses */
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* -- One script ------------------------------------------------------------------------------------ */

static void script_free(struct script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        free(script->modules[i].name);
        free(script->modules[i].code);
    }
    json_decref(script->settings);
    free(script->modules);
    free(script->revision);
    free(script);
}

static struct script *script_new(const char *revision, const json_t *state)
{
    const json_t *modules = json_object_get(state, "modules");
    struct script *script = calloc(1, sizeof(*script));

    if (script == NULL) {
        return NULL;
    }
    script->holders = 1;
    script->revision = strdup(revision);
    script->settings = json_incref(json_object_get(state, "settings"));
    script->modules = calloc(json_array_size(modules) + 1, sizeof(*script->modules));
    if (script->revision == NULL || script->modules == NULL) {
        script_free(script);
        return NULL;
    }
    return script;
}

const struct module *compiled_module(const struct script *script, const char *name)
{
    for (size_t i = 0; i < script->count; i++) {
        if (strcmp(script->modules[i].name, name) == 0) {
            return &script->modules[i];
        }
    }
    return NULL;
}

/* -- Compiling ------------------------------------------------------------------------------------- */

void compiled_push_text(lua_State *lua, const char *script, const char *name, const char *text,
                        size_t length)
{
    char chunk[128];

    if (*name == '\0') {
        (void)snprintf(chunk, sizeof(chunk), "@%s.lua", script);
    } else {
        (void)snprintf(chunk, sizeof(chunk), "@lib/%s.lua", name);
    }
    if (length > 0 && text[0] == LUA_SIGNATURE[0]) {
        (void)luaL_error(lua, "%s: it is compiled Lua; a script must be text", chunk + 1);
    }
    if (luaL_loadbufferx(lua, text, length, chunk, "t") != LUA_OK) {
        (void)lua_error(lua);
    }
}

static int grow(lua_State *lua, const void *piece, size_t size, void *pointer)
{
    struct module *module = pointer;
    char *code = realloc(module->code, module->length + size);

    (void)lua;
    if (code == NULL) {
        return -1;
    }
    module->code = code;
    memcpy(code + module->length, piece, size);
    module->length += size;
    return 0;
}

static void compile(lua_State *lua, struct script *script, const char *name, const json_t *text)
{
    struct module *module = &script->modules[script->count];

    module->name = strdup(name);
    if (module->name == NULL) {
        (void)luaL_error(lua, "there is no memory for it");
        return;
    }
    script->count++; /* from here on script_free sees it */
    compiled_push_text(lua, context_of(lua)->name, name, json_string_value(text),
                       json_string_length(text));
    if (lua_dump(lua, grow, module, 0) != 0) {
        (void)luaL_error(lua, "there is no memory for it");
    }
    lua_pop(lua, 1);
}

struct making {
    struct script *script;
    const json_t *state;
};

static int compile_all(lua_State *lua)
{
    struct making *making = lua_touserdata(lua, 1);
    const json_t *text = json_object_get(making->state, "source");
    size_t index;
    json_t *module;

    if (!json_is_string(text)) {
        return luaL_error(lua, "the host has not kept the script's text");
    }
    compile(lua, making->script, "", text);
    json_array_foreach (json_object_get(making->state, "modules"), index, module) {
        compile(lua, making->script, json_string_value(json_object_get(module, "name")),
                json_object_get(module, "text"));
    }
    return 0;
}

void compiled_push(lua_State *lua, const struct module *module)
{
    if (luaL_loadbufferx(lua, module->code, module->length, module->name, "b") != LUA_OK) {
        (void)lua_error(lua);
    }
}

/* -- The cache ------------------------------------------------------------------------------------- */

static void release_locked(struct script *script)
{
    if (script != NULL && --script->holders == 0) {
        script_free(script);
    }
}

static struct script *find_locked(const char *revision)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        struct script *script = cache.scripts[i];

        if (script != NULL && strcmp(script->revision, revision) == 0) {
            script->holders++;
            script->used = ++cache.clock;
            return script;
        }
    }
    return NULL;
}

/* In the place of the one whose last use is the longest ago. */
static void keep_locked(struct script *script)
{
    struct script **oldest = &cache.scripts[0];

    for (size_t i = 0; i < KEPT_MAX && *oldest != NULL; i++) {
        if (cache.scripts[i] == NULL || cache.scripts[i]->used < (*oldest)->used) {
            oldest = &cache.scripts[i];
        }
    }
    release_locked(*oldest);
    *oldest = script;
    script->holders++;
    script->used = ++cache.clock;
}

struct script *compiled_find(const char *revision)
{
    struct script *script;

    (void)pthread_mutex_lock(&cache.lock);
    script = find_locked(revision);
    (void)pthread_mutex_unlock(&cache.lock);
    return script;
}

struct script *compiled_make(struct context *context, const char *revision, const json_t *state)
{
    struct making making = {.script = script_new(revision, state), .state = state};
    struct script *other;

    if (making.script == NULL || sandbox_run(context, compile_all, &making) < 0) {
        compiled_release(making.script);
        return NULL;
    }
    (void)pthread_mutex_lock(&cache.lock);
    other = find_locked(revision); /* of another thread, meanwhile */
    if (other == NULL) {
        keep_locked(making.script);
    }
    (void)pthread_mutex_unlock(&cache.lock);
    if (other == NULL) {
        return making.script;
    }
    compiled_release(making.script);
    return other;
}

void compiled_release(struct script *script)
{
    (void)pthread_mutex_lock(&cache.lock);
    release_locked(script);
    (void)pthread_mutex_unlock(&cache.lock);
}
