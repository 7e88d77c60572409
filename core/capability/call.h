/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One hook being run: what a plugin holds as its opaque `struct banger_call`. The functions of the
 * host table are here by group: call.c (outcome), call_input.c, call_output.c, call_journal.c,
 * call_process.c, call_host.c.
 *
 * 1. A call is begun, its hook runs on a helper thread, and it is ended. In between the operation's
 *    thread may declare it over (dispatch.c), under the scope's lock.
 * 2. A host function that reads or changes the scope does so under that lock, after it has seen
 *    that the call is not over.
 * 3. One that leaves the scope (a service, the store) is bracketed by call_enter and call_leave;
 *    whoever declares the call over waits until nobody is in between. So nothing of the operation
 * is used after dispatch_* has returned.
 * 4. What getters return lies in the call's arena and goes with the call.
 */
#ifndef CAPABILITY_CALL_H
#define CAPABILITY_CALL_H

#include "capability/scope.h"

#define CALL_ARENA_INLINE 1024
/* What a plugin may have the daemon keep: texts until its call returns, values for its VM's run, rows of the
 * journal. More than any needs; without them an isolated plugin could fill the daemon's memory and its database. */
#define CALL_GIVEN_MAX ((size_t)64 * 1024 * 1024)
#define CALL_RUNTIME_MAX ((size_t)1024 * 1024)
#define CALL_ROWS_MAX 1000
#define CALL_LOG_MAX ((size_t)128 * 1024) /* twice of what a process may print in one call */

struct call_arena {
    struct call_chunk *chunks; /* what did not fit `data` */
    size_t given;              /* their bytes */
    size_t used;
    char data[CALL_ARENA_INLINE];
};

struct banger_call {
    struct scope *scope;
    struct capability *capability;
    const char *what;    /* the hook, or the provider's function: "prepare", "launch" */
    bool pure;           /* must change nothing */
    bool contributes;    /* may add to the machine */
    bool expands;        /* may say what is carried */
    int64_t deadline_ns; /* monotonic */

    /* Guarded by the scope's lock. */
    bool over;
    int inside;              /* threads between call_enter and call_leave: 0 or 1 */
    pthread_cond_t *changed; /* told when that falls to 0 after the call is over */

    /* The hook's thread alone. */
    bool failed;        /* by host->fail: then nothing replaces the error */
    banger_error error; /* code 0: none */
    char hint[ERROR_HINT_MAX];
    size_t logged; /* bytes; above CALL_LOG_MAX: it has been told that no more are */
    struct call_arena arena;
    json_t *record; /* record.h; NULL: nothing is written down */
    size_t record_size;
};

extern const struct banger_host call_host;

#define CALL_NO_DEADLINE INT64_MAX

/* Makes a zeroed call usable for hooks that all are `what`, one after the other. */
void call_init(struct banger_call *call, struct scope *scope, const char *what,
               pthread_cond_t *changed);
/* Prepares it for one of them. With the scope's lock held. */
void call_begin(struct banger_call *call, struct capability *capability, int64_t deadline_ns);
/* What the hook's result means: 0, or -1 with the error that names capability and hook. */
int call_outcome(const struct banger_call *call, int result, banger_error *err);
/* Frees what getters gave out. On the hook's thread, when the hook has returned. */
void call_release(struct banger_call *call);

/* -- For the host functions -- */

/* False: the call is over. Otherwise the scope's lock is held. */
bool call_lock(struct banger_call *call);
void call_unlock(struct banger_call *call);
/* False: the call is over. Otherwise call_leave must follow. */
bool call_enter(struct banger_call *call);
void call_leave(struct banger_call *call);

/* Records a host function's failure, unless host->fail said why already; the latest counts, since
 * an earlier one was evidently survived. What is invalid is the plugin's defect: EINVALID, with which
 * the CLI ends as after a wrong flag, is for host->fail alone. Returns -1. */
int call_error(struct banger_call *call, const banger_error *problem);
/* The same in one go. */
int call_refuse(struct banger_call *call, enum banger_code code, const char *format, ...)
    BANGER_PRINTF(3, 4);
/* Fails for a call that must change nothing; `function` is the host function's name. */
int call_need_effects(struct banger_call *call, const char *function);

/* Copies that last until the hook returns. NULL: there are too many, which has been recorded as the failure. */
const char *call_keep(struct banger_call *call, const char *text);
const char *call_keep_json(struct banger_call *call, const json_t *json); /* as text */
/* An argument as JSON; a new reference, or NULL with the failure recorded. */
json_t *call_parse(struct banger_call *call, const char *what, const char *text);

/* -- The host functions, as banger/host.h describes them -- */

const char *call_get_string(struct banger_call *call, const char *key, const char *fallback);
int64_t call_get_int(struct banger_call *call, const char *key, int64_t fallback);
int call_get_bool(struct banger_call *call, const char *key, int fallback);
const char *call_get_json(struct banger_call *call, const char *key);
int call_contribute(struct banger_call *call, const char *section, const char *json);
int call_provide(struct banger_call *call, const char *json);
int call_set_json(struct banger_call *call, const char *key, const char *json);
int call_emit(struct banger_call *call, const char *name, const char *json);
int64_t call_resource_intend(struct banger_call *call, const char *kind, const char *key,
                             const char *attrs_json);
int call_resource_held(struct banger_call *call, int64_t id, const char *attrs_json);
int call_resource_gone(struct banger_call *call, int64_t id);
const char *call_resources(struct banger_call *call); /* the key `resources` */
int call_spawn(struct banger_call *call, const char *argv_json, const char *options_json);
int call_run(struct banger_call *call, const char *argv_json, const char **result);
int call_guest_exec(struct banger_call *call, const char *request_json, const char **result);
int call_guest_copy(struct banger_call *call, const char *request_json);
int call_host_op(struct banger_call *call, const char *name, const char *args_json,
                 const char **result);
int64_t call_lease_number(struct banger_call *call, const char *pool, int64_t first, int64_t last);

#endif
