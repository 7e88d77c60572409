/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "load.h"

#include "box.h"
#include "compiled.h"
#include "failure.h"
#include "loaded.h"
#include "manifest.h"
#include "sandbox.h"
#include "settings.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_STEPS 20000000 /* instructions: some tenths of a second */
#define REVISION_BYTES 16
#define NO_MEMORY "this host has no memory for it"

/* -- Reading --------------------------------------------------------------------------------------- */

/* The text of FOLDER/FILE, which `loading` remembers to have looked at. */
static char *read_file(struct loading *loading, const char *folder, const char *file,
                       size_t *length, char *why, size_t size)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, file);
    loading->files[loading->count].path = strdup(path);
    return source_read(folder, file, length, &loading->files[loading->count++].mark, why, size);
}

/* Whether that is why there is no JSON of a text; else the text is not UTF-8. This host's memory is not the script's
 * doing: what is found out without it is not kept. */
static bool is_starved(struct loading *loading, const json_error_t *error)
{
    bool starved = json_error_code(error) == json_error_out_of_memory;

    loading->passing = loading->passing || starved;
    return starved;
}

static void keep_module(lua_State *lua, const char *name, const char *text, size_t length)
{
    struct loading *loading = context_of(lua)->loading;
    json_error_t error;
    json_t *module = json_pack_ex(&error, 0, "{s:s, s:s%}", "name", name, "text", text, length);

    if (module == NULL && !is_starved(loading, &error)) {
        (void)luaL_error(lua, "require: lib/%s.lua must be UTF-8", name);
    } else if (json_array_append_new(loading->modules, module) < 0) {
        loading->passing = true;
        (void)luaL_error(lua, "require: lib/%s.lua: " NO_MEMORY, name);
    }
}

void load_module(lua_State *lua, const char *name)
{
    struct context *context = context_of(lua);
    struct loading *loading = context->loading;
    struct box *box = box_push_text(lua);
    char folder[PATH_MAX];
    char file[LOAD_NAME_MAX + 8];
    char why[SOURCE_WHY_MAX];
    size_t length = 0;

    if (loading->count == LOAD_FILES_MAX) {
        (void)luaL_error(lua, "require: at most %d modules", LOAD_FILES_MAX - 1);
    }
    (void)snprintf(folder, sizeof(folder), "%s/lib", loading->folder);
    (void)snprintf(file, sizeof(file), "%s.lua", name);
    box->held = read_file(loading, folder, file, &length, why, sizeof(why));
    if (box->held == NULL) {
        (void)luaL_error(lua, "require: %s", why);
    }
    compiled_push_text(lua, context->name, name, box->held, length);
    keep_module(lua, name, box->held, length);
    box_clear(box);
    lua_remove(lua, -2);
}

/* -- Running --------------------------------------------------------------------------------------- */

struct text {
    const char *text;
    size_t length;
};

static int run_file(lua_State *lua)
{
    const struct text *text = lua_touserdata(lua, 1);
    struct context *context = context_of(lua);

    compiled_push_text(lua, context->name, "", text->text, text->length);
    lua_call(lua, 0, LUA_MULTRET);
    context_finish(lua);
    if (lua_gettop(lua) != 2 || !lua_istable(lua, 2)) {
        return luaL_error(lua,
                          "%s.lua: it must return one table: return { postStart = function(vm) "
                          "... end }",
                          context->name);
    }
    context->loading->manifest = manifest_read(lua, 2, context->name);
    return 0;
}

/* Runs it; below 0: the context says why. */
static int run_text(struct context *context, const char *text, size_t length)
{
    struct text source = {.text = text, .length = length};
    int result = -1;

    if (sandbox_open(context) == NULL) {
        failure_take(context, LUA_ERRMEM);
        return -1;
    }
    result = sandbox_run(context, run_file, &source);
    sandbox_close(context);
    return result;
}

/* -- Telling --------------------------------------------------------------------------------------- */

static json_t *broken(const char *name, const char *origin, const char *message, const char *hint)
{
    json_t *error = json_object();
    json_t *json = json_pack("{s:s, s:o}", "name", name, "error", error);

    json_object_set_new(json, "origin", json_string(origin));
    json_object_set_new(error, "message", json_string(message));
    if (*hint != '\0') {
        json_object_set_new(error, "hint", json_string(hint));
    }
    return json;
}

static json_t *broken_by(const struct context *context, const char *origin)
{
    char message[CONTEXT_TEXT_MAX];

    (void)snprintf(message, sizeof(message),
                   context->trace[0] != '\0' ? "%.640s (traceback: %s)" : "%s%s", context->message,
                   context->trace);
    return broken(context->name, origin, message, context->hint);
}

static void hash(const char *text, char *hex)
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1) {
        abort(); /* it needs neither memory nor anything else that may be missing */
    }
    for (size_t i = 0; i < REVISION_BYTES; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

/* NULL: `why` says why not. */
static json_t *state_of(struct loading *loading, const char *text, size_t length,
                        const json_t *settings, const char **why)
{
    json_error_t error;
    json_t *state = json_pack_ex(&error, 0, "{s:s%, s:O, s:O}", "source", text, length, "modules",
                                 loading->modules, "settings", settings);
    char *all = state != NULL ? json_dumps(state, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char revision[2 * REVISION_BYTES + 1];

    if (state == NULL && !is_starved(loading, &error)) {
        *why = "a script must be text in UTF-8 without NUL bytes";
        return NULL;
    }
    if (all == NULL) {
        loading->passing = true;
        *why = NO_MEMORY;
        json_decref(state);
        return NULL;
    }
    hash(all, revision);
    free(all);
    json_object_set_new(state, "revision", json_string(revision));
    return state;
}

/* What it says of itself, with the modules that it has required. */
static json_t *tell_good(struct context *context, const char *origin, const char *text,
                         size_t length, const json_t *settings)
{
    struct loading *loading = context->loading;
    const char *why = NULL;
    json_t *state = state_of(loading, text, length, settings, &why);

    if (state == NULL) {
        return broken(context->name, origin, why, "");
    }
    json_object_set_new(loading->manifest, "origin", json_string(origin));
    json_object_set_new(loading->manifest, "state", state);
    return json_incref(loading->manifest);
}

static json_t *tell_text(struct context *context, const char *origin, const char *text,
                         size_t length, const json_t *settings)
{
    struct loading *loading = context->loading;
    const char *why = NULL;
    json_t *state = state_of(loading, text, length, settings, &why);

    if (state == NULL) { /* before Lua is told to parse it */
        return broken(context->name, origin, why, "");
    }
    json_decref(state);
    if (run_text(context, text, length) == 0) {
        return tell_good(context, origin, text, length, settings);
    }
    loading->passing = loading->passing || context->end == CONTEXT_TIME ||
                       context->end == CONTEXT_CANCELLED || context->code == BANGER_EFULL;
    return broken_by(context, origin);
}

static json_t *tell(struct context *context, const char *origin, const json_t *settings)
{
    struct loading *loading = context->loading;
    char why[SOURCE_WHY_MAX];
    size_t length = 0;
    char *text = read_file(loading, loading->folder, loading->file, &length, why, sizeof(why));
    json_t *told;

    if (text == NULL) {
        return broken(context->name, origin, why, "");
    }
    told = tell_text(context, origin, text, length, settings);
    free(text);
    return told;
}

static char *load(const struct banger_host *host, struct banger_call *call, struct loading *loading,
                  const char *name, const json_t *settings)
{
    struct context context = {.host = host,
                              .call = call,
                              .loading = loading,
                              .what = "loading",
                              .name = name,
                              .pure = true,
                              .memory_max = settings_memory(settings),
                              .steps_left = LOAD_STEPS};
    char origin[PATH_MAX];
    json_t *told;
    char *text;

    (void)snprintf(origin, sizeof(origin), "%s/%s", loading->folder, loading->file);
    told = tell(&context, origin, settings);
    text = json_dumps(told, JSON_COMPACT);
    json_decref(told);
    return text;
}

char *load_script(const struct banger_host *host, struct banger_call *call, const char *folder,
                  const char *file, const json_t *settings)
{
    struct loading loading = {.folder = folder, .file = file, .modules = json_array()};
    char name[NAME_MAX + 1];
    char *told = loaded_find(folder, file, settings);

    (void)snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(".lua")), file);
    if (told == NULL) {
        /* Should it hang, that is all that is heard of it. */
        host->hint(call, "it was loading %s/%s, which does not come to an end", folder, file);
        told = load(host, call, &loading, name, settings);
        host->hint(call, "%s", "");
        if (told != NULL && !loading.passing) {
            loaded_keep(&loading, settings, told);
        }
    }
    for (size_t i = 0; i < loading.count; i++) {
        free(loading.files[i].path);
    }
    json_decref(loading.modules);
    json_decref(loading.manifest);
    return told;
}
