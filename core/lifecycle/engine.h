/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine: what every operation needs, made once by the daemon. It owns none of its parts but
 * the locks and the tables of VMs; the daemon closes them after the last operation has ended.
 */
#ifndef LIFECYCLE_ENGINE_H
#define LIFECYCLE_ENGINE_H

#include "base/layout.h"
#include "base/loop.h"
#include "capability/registry.h"
#include "lifecycle/key_lock.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>

struct live_table;
struct retry_table;

struct engine {
    const struct layout *layout;
    struct store *store;
    struct host *host; /* NULL (in tests): nothing is done with privilege */
    struct registry *registry;
    struct loop *loop;
    const json_t *config; /* config_load's */
    struct key_locks *locks;
    struct live_table *live;
    struct retry_table *retries;
    /* Runs work that begins here, not at a client: a VMM that ended. Set by the daemon. */
    void (*defer)(void *context, void (*fn)(void *context), void *argument);
    /* Tells live listeners that there is a new event. NULL: nobody listens. */
    void (*announce)(void *context);
    void *context;
};

void engine_init(struct engine *engine);
void engine_free(struct engine *engine);

/* Who waits for an operation. Every function may be NULL; any thread may call them. */
struct caller {
    /* `state`: "start", "done", "failed", "info". */
    void (*progress)(void *context, const char *stage, const char *state, const char *text,
                     int64_t elapsed_ms);
    void (*warn)(void *context, const char *text);
    bool (*cancelled)(void *context);
    /* What each hook asked and was told (capability/record.h); NULL: it is not written down. */
    void (*record)(void *context, const json_t *entry);
    void *context;
    /* Among the requests that name the same VM, from when they came in; NULL: it is not one. */
    struct key_place *place;
};

extern const struct caller caller_nobody; /* the daemon itself: never cancelled, tells the log */

/* Writes an event and tells the listeners; a failure is logged and otherwise harmless. `data` is
 * borrowed and may be NULL. */
void engine_emit(struct engine *engine, const char *type, const char *vm_id, const char *vm_name,
                 const json_t *data);

#endif
