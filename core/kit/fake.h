/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake host's inside: its record, and the functions of its table by theme. */
#ifndef KIT_FAKE_H
#define KIT_FAKE_H

#include <banger/test.h>

#define CHILDREN_MAX 8

struct fake_host {
    json_t *input;
    json_t *contributions;
    json_t *stored;
    json_t *spawns;
    json_t *runs;
    json_t *operations;
    json_t *execs;
    json_t *copies;
    json_t *events;
    json_t *progress;
    json_t *log;
    json_t *resources;
    json_t *provided;
    json_t *calls;  /* every call with effects, in order */
    json_t *replay; /* calls of another run, which are answered as they were */
    json_t *keep;   /* what getters handed out */
    int64_t next_resource;
    int64_t remaining_ms;
    int64_t deadline_ms; /* monotonic; 0: none */
    int cancel_after;    /* questions still answered "no"; -1: always */
    fake_runner runner;
    fake_runner guest;
    fake_operator answer;
    int64_t lease;    /* 0: the pool's first */
    const char *hook; /* NULL: whatever is called is allowed */
    bool really_spawn;
    bool fails_copies;
    bool failed; /* by the plugin: then nothing replaces the error */
    pid_t children[CHILDREN_MAX];
    size_t child_count;
    int code;
    char error[1024];
    char hint[1024];
};

/* struct banger_call stays opaque to plugins; here it is the fake itself. */
static inline struct fake_host *fake_of(struct banger_call *call)
{
    return (struct fake_host *)(void *)call;
}

/* A host function fails, unless the plugin has said why already; the latest counts. Returns -1. */
int fake_refuse(struct banger_call *call, int code, const char *format, ...) BANGER_PRINTF(3, 4);
/* An argument as JSON; a new reference, or NULL with the call's failure recorded. */
json_t *fake_parse(struct banger_call *call, const char *what, const char *text);
/* 0, or -1 with the failure recorded: `function` has effects, and the hook must have none. */
int fake_need_effects(struct banger_call *call, const char *function);
/* The value as text, kept as long as the fake; steals `value`, NULL becomes NULL. */
const char *fake_keep(struct fake_host *fake, json_t *value);
int64_t fake_now_ms(void); /* monotonic */

/* Writes a call down; steals both; NULL result: it has none. */
void fake_note(struct fake_host *fake, const char *function, json_t *args, json_t *result);
/* The other run's call that this one is, which is used up by it; a new reference, NULL: there is none. */
json_t *fake_replayed(struct fake_host *fake, const char *function, const json_t *args);

/* A call that has an answer: the other run's, or one of this host's own. */
struct fake_response {
    const char *function;
    json_t *args;     /* stolen */
    json_t *recorded; /* of fake_replayed; stolen */
    json_t *answer;   /* where there is none; stolen; NULL: it fails */
    int code;         /* then it fails with this */
    const char *why;
};
/* Notes the call and answers it. 0, or -1 with the failure recorded. */
int fake_respond(struct banger_call *call, const struct fake_response *response,
                 const char **result);

/* -- The functions of the table, as banger/host.h describes them -- */

int fake_fail(struct banger_call *call, int code, const char *format, ...) BANGER_PRINTF(3, 4);
void fake_hint(struct banger_call *call, const char *format, ...) BANGER_PRINTF(2, 3);
void fake_log(struct banger_call *call, int level, const char *format, ...) BANGER_PRINTF(3, 4);
void fake_progress(struct banger_call *call, const char *text);
int64_t fake_remaining_ms(struct banger_call *call);
int fake_cancelled(struct banger_call *call);
const char *fake_get_string(struct banger_call *call, const char *key, const char *fallback);
int64_t fake_get_int(struct banger_call *call, const char *key, int64_t fallback);
int fake_get_bool(struct banger_call *call, const char *key, int fallback);
const char *fake_get_json(struct banger_call *call, const char *key);
int fake_contribute(struct banger_call *call, const char *section, const char *json);
int fake_set_json(struct banger_call *call, const char *key, const char *json);
int fake_emit(struct banger_call *call, const char *name, const char *json);
int64_t fake_resource_intend(struct banger_call *call, const char *kind, const char *key,
                             const char *attrs);
int fake_resource_held(struct banger_call *call, int64_t id, const char *attrs);
int fake_resource_gone(struct banger_call *call, int64_t id);
int fake_spawn(struct banger_call *call, const char *argv_json, const char *options_json);
int fake_run(struct banger_call *call, const char *argv_json, const char **result);
int fake_guest_exec(struct banger_call *call, const char *request, const char **result);
int fake_guest_copy(struct banger_call *call, const char *request);
int fake_host_op(struct banger_call *call, const char *name, const char *args_json,
                 const char **result);
int fake_provide(struct banger_call *call, const char *json);
int64_t fake_lease_number(struct banger_call *call, const char *pool, int64_t first, int64_t last);

#endif
