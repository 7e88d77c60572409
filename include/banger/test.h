/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libbanger-test: a host for testing plugins. Getters answer from one JSON document, everything a
 * plugin does is recorded. A test is a program that is linked with the plugin's own files and with
 * this library (`pkg-config --cflags --libs banger-test`); it needs jansson, and no daemon.
 *
 * Convenience for tests and no part of the ABI. JSON of a plugin's that cannot be read fails the
 * call, as with the real host.
 */
#ifndef BANGER_TEST_H
#define BANGER_TEST_H

#include "plugin.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The entry symbol of the plugin that the test is linked with. */
const struct banger_plugin *banger_plugin_v1(void);

struct fake_host;

/* `input`: {"vm": {"id": "..."}, "config": {...}}: a getter's key is a dotted path into it. `input`
 * is read as json_loads does; `resources` are rows of the journal to begin with; anything else than an object ends the test program. */
struct fake_host *fake_host_new(const char *input);
/* Ends what was really spawned (KILL) and reaps it. */
void fake_host_free(struct fake_host *fake);

/* Sets or replaces one value of the input; steals `value`. With `self.name` set, what set_json stores is
 * read back as runtime.NAME.KEY. */
void fake_host_set(struct fake_host *fake, const char *dotted, json_t *value);

/* Calls a hook as the core would; a hook that is NULL is a success. */
int fake_host_call(struct fake_host *fake, banger_hook hook);
/* From now on the host is in this hook ("prepare"; a literal), and refuses what the real one would: effects
 * in `check` and in contributions, contributions elsewhere. NULL, as in the beginning: refuses nothing. */
void fake_host_enter(struct fake_host *fake, const char *hook);
/* Forgets the recorded error, so that the next call starts afresh. */
void fake_host_clear_error(struct fake_host *fake);
const struct banger_host *fake_host_table(void);
struct banger_call *fake_host_handle(struct fake_host *fake);

/* -- How the host is to behave --------------------------------------------------------------------
 */

void fake_host_set_remaining(struct fake_host *fake, int64_t ms); /* default 10000, never running */
/* From now on remaining_ms tells the time left until this deadline. */
void fake_host_set_deadline(struct fake_host *fake, int64_t ms);
void fake_host_cancel_after(struct fake_host *fake, int questions); /* 0: at the first */
/* Answers `run` by itself instead of executing anything; returns a new reference to the result,
 * NULL: cannot be run. */
typedef json_t *(*fake_runner)(const json_t *argv);
void fake_host_set_runner(struct fake_host *fake, fake_runner runner);
/* Answers guest_exec in the same way; gets its whole request. Without one there is no guest (EGUEST).
 */
void fake_host_set_guest(struct fake_host *fake, fake_runner guest);
/* Answers host_op: a new reference to the result, NULL: it fails (EBUSY, "NAME fails"). Without one
 * every operation succeeds with {}. */
typedef json_t *(*fake_operator)(const char *name, const json_t *args);
void fake_host_set_operator(struct fake_host *fake, fake_operator answer);
void fake_host_fail_copies(struct fake_host *fake); /* guest_copy fails from now on */
/* Answers run, guest_exec and host_op as another run's were that had the same arguments, each answer
 * once: `calls` is the list of that name in an entry of `banger vm start --record`. */
void fake_host_replay(struct fake_host *fake, const json_t *calls);
void fake_host_set_lease(struct fake_host *fake, int64_t number); /* default: the pool's first */
void fake_host_really_spawn(struct fake_host *fake); /* default: spawn records and does nothing */

/* -- What the plugin did; all borrowed ------------------------------------------------------------
 */

int fake_host_code(struct fake_host *fake);          /* enum banger_code; 0: no failure */
const char *fake_host_error(struct fake_host *fake); /* "" when there is none */
const char *fake_host_hint(struct fake_host *fake);
/* {"section": [value, ...]} in the order of the contributions. */
const json_t *fake_host_contributions(struct fake_host *fake);
/* The only or last value of a section, NULL: none. */
const json_t *fake_host_contribution(struct fake_host *fake, const char *section);
const json_t *fake_host_stored(struct fake_host *fake, const char *key); /* set_json's */
const json_t *fake_host_spawns(struct fake_host *fake);     /* [{"argv":[],"options":{}}] */
const json_t *fake_host_runs(struct fake_host *fake);       /* [argv, ...] */
const json_t *fake_host_operations(struct fake_host *fake); /* [{"name","args"}], failed ones too */
const json_t *fake_host_execs(struct fake_host *fake);      /* [request, ...] of guest_exec */
const json_t *fake_host_copies(struct fake_host *fake);     /* [request, ...] of guest_copy */
const json_t *fake_host_events(struct fake_host *fake);     /* [{"name","data"}] */
const json_t *fake_host_progress(struct fake_host *fake);
const json_t *fake_host_log(struct fake_host *fake); /* [text, ...] */
/* [{"id","kind","key","attrs","state"}]: those not gone. Plugins see it as `resources`. */
const json_t *fake_host_resources(struct fake_host *fake);
/* Every call with effects in its order, in the form of a recording: [{"call","args","result"?}]. */
const json_t *fake_host_calls(struct fake_host *fake);
const json_t *fake_host_provided(struct fake_host *fake); /* what expand named, in its order */
pid_t fake_host_pid(struct fake_host *fake);              /* of the last real spawn; 0: none */

#ifdef __cplusplus
}
#endif

#endif
