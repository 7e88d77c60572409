/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operation log and the event stream. Every operation (start, stop, image build, ...) is a row
 * with its stages; every change worth telling is an event. The newest 1,000 operations of each VM
 * (and of the host), 20,000 in all, and 10,000 events are kept.
 */
#ifndef STORE_OPLOG_H
#define STORE_OPLOG_H

#include "base/name.h"
#include "store/store.h"

#include <jansson.h>

/* One stage of an operation as it went. Collected in memory and written with the operation's end,
 * in one transaction: the log must not cost a disk flush a stage. */
struct oplog_stage {
    char name[32];
    int64_t started_ns; /* since the operation's start, monotonic */
    int64_t took_ns;
    int outcome; /* 0 done, 1 skipped, -1 failed */
    char *error; /* NULL: none */
};

/* Opens an operation (its row says "running" until it ends; a restart finds and closes such rows as
 * "interrupted"). `vm_id`, `vm_name` may be NULL. Returns its id or -1. */
int64_t oplog_begin(struct store *store, const char *kind, const char *vm_id, const char *vm_name,
                    banger_error *err);
int oplog_end(struct store *store, int64_t id, const char *outcome, const char *error,
              int64_t took_ns, const struct oplog_stage *stages, size_t count, banger_error *err);
/* Marks operations that a dead daemon left "running" as "interrupted"; returns how many, or -1. */
int oplog_interrupt_all(struct store *store, banger_error *err);

/* The newest `limit` operations, oldest first: [{"id","kind","vm","name","started","took_ms",
 * "outcome","error","stages":[{"name","started_us","took_us","outcome","error"}]}]. "vm" is an id,
 * "started" as clock_format gives it, a stage's "outcome" is "done", "skipped" or "failed"; what is
 * not known is null. `vm_id` NULL: of all. A new reference, NULL on failure. */
json_t *oplog_list(struct store *store, const char *vm_id, size_t limit, banger_error *err);

/* Appends {"id","time","type","vm","name","data"} (times and nulls as above); `event` (may be NULL)
 * gets the whole row as a new reference, for live listeners. Returns its id or -1. */
int64_t event_append(struct store *store, const char *type, const char *vm_id, const char *vm_name,
                     const json_t *data, json_t **event, banger_error *err);
/* Events with an id above `after`, oldest first, at most `limit`; a new array or NULL. */
json_t *event_list(struct store *store, int64_t after, size_t limit, banger_error *err);

#endif
