/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run of a script: a hook for the host's call, or the script's being loaded. Every function of
 * the library finds it by the Lua state that calls it.
 */
#ifndef LUA_CONTEXT_H
#define LUA_CONTEXT_H

#include <banger/plugin.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#define CONTEXT_TEXT_MAX 1024 /* what the host shows of an error */

struct script;  /* compiled.h */
struct loading; /* load.h */

enum context_end {
    CONTEXT_RUNS,
    CONTEXT_TIME,      /* the hook's deadline */
    CONTEXT_STEPS,     /* the instructions that loading may take */
    CONTEXT_CANCELLED, /* the user has gone */
};

struct context {
    const struct banger_host *host;
    struct banger_call *call;
    const struct script *script; /* NULL while it is being loaded */
    struct loading *loading;     /* NULL in a hook */
    const char *what;            /* the hook's name */
    const char *name;            /* the script's, for the log while it is loaded */
    bool pure;                   /* must change nothing: check, contributeMachineConfig, loading */

    lua_State *lua;
    size_t memory; /* bytes in use */
    size_t memory_max;
    bool
        starved; /* the host had none for the last allocation that failed; else it was past memory_max */

    enum context_end end;
    int64_t deadline_ns; /* monotonic; INT64_MAX: none; 0: the host has not been asked */
    int64_t next_ask_ns; /* when the host is asked again whether the user has gone */
    int64_t steps_left;  /* INT64_MAX: no bound */

    int host_code; /* of the last host function that failed; 0: none */
    char host_error[CONTEXT_TEXT_MAX];

    /* The error that ends the run, as the handler found it. */
    int code;        /* 0: an ordinary error */
    char where[128]; /* where memory ran out */
    char message[CONTEXT_TEXT_MAX];
    char trace[512];
    char hint[512];
};

static inline struct context *context_of(lua_State *lua)
{
    return *(struct context **)lua_getextraspace(lua);
}

int64_t context_now_ns(void);
/* Milliseconds that are left, at least 0; `most` where there is no deadline or a later one. */
int64_t context_left_ms(struct context *context, int64_t most);
/* Raises an error once the run must end. Called by Lua every few thousand instructions, and by what could
 * otherwise be repeated for ever between two of these calls. */
void context_look(lua_State *lua);
/* Raises that error when the run was told to end and what was told has caught it: it is not done. */
void context_finish(lua_State *lua);
/* The same question, without raising anything: for C code that waits. */
bool context_must_end(struct context *context);
/* Arms the above. */
void context_arm(struct context *context);

/* Raises an error with the place of the calling script when this is not the time for something that has
 * effects; `what` is its name in the library. */
void context_need_effects(lua_State *lua, const char *what);
/* The same for what needs a host's call behind it at all: not while a script is being loaded. */
void context_need_call(lua_State *lua, const char *what);
/* Whether the hook is only being tried (`banger hook test`): then what would reach beyond the host table is told
 * (`what`: "banger.host.write", "/the/path") and not done. */
bool context_is_trial(lua_State *lua, const char *what, const char *on);
/* A host function has failed: raises its text. */
int context_host_failed(lua_State *lua, const char *what);

#endif
