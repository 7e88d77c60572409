/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "context.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define STEP_SLICE 5000                /* instructions between two looks: some 50 us */
#define ASK_EVERY_NS (100 * NS_PER_MS) /* whether the user has gone: a question to the host */

int64_t context_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

/* The run ends at the call's deadline, a little before it, so that it can still say where: a twentieth of what is
 * left, 100 ms at most. The host, in another process mostly, is asked once, by a run that is long enough to be
 * looked at. */
static void find_deadline(struct context *context)
{
    int64_t left;
    int64_t reserve;
    int64_t now;

    if (context->deadline_ns != 0) {
        return;
    }
    left = context->host->remaining_ms(context->call);
    reserve = left / 20 < 100 ? left / 20 : 100;
    now = context_now_ns();
    context->deadline_ns = left < 0 ? INT64_MAX : now + (left - reserve) * NS_PER_MS;
    context->next_ask_ns = now + ASK_EVERY_NS;
}

int64_t context_left_ms(struct context *context, int64_t most)
{
    int64_t left;

    find_deadline(context);
    if (context->deadline_ns == INT64_MAX) {
        return most;
    }
    left = (context->deadline_ns - context_now_ns()) / NS_PER_MS;
    left = left > 0 ? left : 0;
    return left < most ? left : most;
}

static enum context_end find_end(struct context *context)
{
    int64_t now;

    find_deadline(context);
    now = context_now_ns();
    if (now >= context->deadline_ns) {
        return CONTEXT_TIME;
    }
    if (now >= context->next_ask_ns) {
        context->next_ask_ns = now + ASK_EVERY_NS;
        if (context->host->cancelled(context->call)) {
            return CONTEXT_CANCELLED;
        }
    }
    return context->steps_left <= 0 ? CONTEXT_STEPS : CONTEXT_RUNS;
}

static const char *text_of(enum context_end end)
{
    switch (end) {
    case CONTEXT_TIME:
        return "it did not end in its time";
    case CONTEXT_STEPS:
        return "loading it takes too many steps";
    default:
        return "it was cancelled";
    }
}

/* In Lua's own hook the function that runs is level 0, for a C function its caller is level 1. */
static void end_here(lua_State *lua, int level);

static void on_count(lua_State *lua, lua_Debug *record)
{
    struct context *context = context_of(lua);

    (void)record;
    if (context->steps_left != INT64_MAX) {
        context->steps_left -= STEP_SLICE;
    }
    if (context_must_end(context)) {
        end_here(lua, 0);
    }
}

/* From here on at every instruction of this thread: a script that catches the error in a loop ends all the
 * same. Others of its threads find it out at their next look. */
static void end_here(lua_State *lua, int level)
{
    lua_sethook(lua, on_count, LUA_MASKCOUNT, 1);
    luaL_where(lua, level);
    (void)lua_pushstring(lua, text_of(context_of(lua)->end));
    lua_concat(lua, 2);
    (void)lua_error(lua);
}

bool context_must_end(struct context *context)
{
    if (context->end == CONTEXT_RUNS) {
        context->end = find_end(context);
    }
    return context->end != CONTEXT_RUNS;
}

void context_look(lua_State *lua)
{
    if (context_must_end(context_of(lua))) {
        end_here(lua, 1);
    }
}

void context_finish(lua_State *lua)
{
    if (context_of(lua)->end != CONTEXT_RUNS) {
        end_here(lua, 1);
    }
}

void context_arm(struct context *context)
{
    lua_sethook(context->lua, on_count, LUA_MASKCOUNT, STEP_SLICE);
}

void context_need_call(lua_State *lua, const char *what)
{
    if (context_of(lua)->loading != NULL) {
        (void)luaL_error(lua, "%s: only in a hook, not while the script is loaded", what);
    }
}

void context_need_effects(lua_State *lua, const char *what)
{
    const struct context *context = context_of(lua);

    context_need_call(lua, what);
    if (context->pure) {
        (void)luaL_error(lua, "%s is not allowed in %s, which must change nothing", what,
                         context->what);
    }
}

int context_host_failed(lua_State *lua, const char *what)
{
    struct context *context = context_of(lua);

    (void)snprintf(context->host_error, sizeof(context->host_error), "%s",
                   context->host->get_string(context->call, "call.error", "the host refused it"));
    context->host_code = (int)context->host->get_int(context->call, "call.code", BANGER_EINTERNAL);
    return luaL_error(lua, "%s: %s", what, context->host_error);
}

bool context_is_trial(lua_State *lua, const char *what, const char *on)
{
    const struct context *context = context_of(lua);

    if (!context->host->get_bool(context->call, "trial.dry", 0)) {
        return false;
    }
    context->host->log(context->call, BANGER_LOG_INFO, "%s %s: not done, since this is a test",
                       what, on);
    return true;
}
