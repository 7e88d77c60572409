/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. The script's revision is asked of the host; its compiled form is found, or made from the host's
 *    `self.state`: what the operation began with, whatever the file says by now.
 * 2. In a fresh state the script is run, which gives its table, and the hook is called.
 * 3. An error, or the results false or nil with a text, fail the hook.
 */
#include "hook.h"

#include "compiled.h"
#include "failure.h"
#include "library.h"
#include "sandbox.h"
#include "settings.h"

#include <banger/json.h>
#include <string.h>

/* Pushes the hook's arguments: their number. */
static int push_arguments(lua_State *lua, const char *name)
{
    library_push_vm(lua);
    if (strcmp(name, "contributeMachineConfig") == 0) {
        library_push_machine(lua);
        return 2;
    }
    if (strcmp(name, "configure") == 0) {
        library_push_change(lua);
        return 2;
    }
    return 1;
}

static int run(lua_State *lua)
{
    struct context *context = context_of(lua);

    compiled_push(lua, compiled_module(context->script, ""));
    lua_call(lua, 0, 1);
    luaL_checktype(lua, -1, LUA_TTABLE);
    (void)lua_pushstring(lua, context->what);
    if (lua_rawget(lua, -2) != LUA_TFUNCTION) {
        return luaL_error(lua, "it has no function '%s' any more", context->what);
    }
    lua_call(lua, push_arguments(lua, context->what), 2);
    if ((lua_isboolean(lua, -2) && !lua_toboolean(lua, -2)) ||
        (lua_isnil(lua, -2) && lua_isstring(lua, -1))) {
        if (lua_isstring(lua, -1)) {
            return lua_error(lua);
        }
        return luaL_error(lua, "it returned false");
    }
    context_finish(lua);
    return 0;
}

/* The call's script, held; NULL: the context says why. Its name is needed only to compile it. */
static struct script *find_script(struct context *context)
{
    const struct banger_host *host = context->host;
    const char *revision = host->get_string(context->call, "self.state.revision", NULL);
    struct script *script = revision != NULL ? compiled_find(revision) : NULL;
    json_t *state;

    if (script != NULL) {
        return script;
    }
    state = revision != NULL ? banger_json_get(host, context->call, "self.state") : NULL;
    if (state == NULL) {
        (void)host->fail(context->call, BANGER_EINTERNAL,
                         "the host does not say which script it is");
        return NULL;
    }
    context->name = host->get_string(context->call, "self.name", "script");
    script = compiled_make(context, revision, state);
    json_decref(state);
    return script;
}

static int run_in(struct context *context)
{
    struct script *script = find_script(context);
    int result;

    if (script == NULL) {
        return -1;
    }
    context->script = script;
    context->memory_max = settings_memory(script->settings);
    result = sandbox_run(context, run, NULL);
    sandbox_close(context);
    compiled_release(script);
    return result;
}

int hook_run(const struct banger_host *host, struct banger_call *call, const char *name)
{
    struct context context = {.host = host,
                              .call = call,
                              .what = name,
                              .memory_max = settings_memory(NULL),
                              .steps_left = INT64_MAX};
    int result = -1;

    context.pure = strcmp(name, "check") == 0 || strcmp(name, "contributeMachineConfig") == 0;
    if (sandbox_open(&context) != NULL) {
        result = run_in(&context);
    } else {
        failure_take(&context, LUA_ERRMEM);
    }
    sandbox_close(&context);
    return result < 0 ? failure_report(&context) : 0;
}
