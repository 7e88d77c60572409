/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One capability: what it is, how the site wants it treated, and how it has done up to now.
 *
 * It is made by the registry (a plugin) or by a refresh (what a plugin carries), is not changed any more
 * once it stands in a line-up, and goes with the last reference to it: an operation, a hook that has not
 * returned. Only its tally and its standing are written to meanwhile, with atomics; capabilities that
 * follow it in later line-ups share them.
 */
#ifndef CAPABILITY_CAPABILITY_H
#define CAPABILITY_CAPABILITY_H

#include "base/error.h"
#include "capability/isolate.h"
#include "capability/standing.h"
#include "capability/tally.h"

#include <banger/plugin.h>
#include <jansson.h>
#include <stdbool.h>

enum on_error {
    ON_ERROR_ABORT,
    ON_ERROR_WARN,
};

const char *hook_name(enum hook hook); /* "contributeMachineConfig", ... */
/* NULL: not implemented. A plugin that carries capabilities has no hooks itself. */
banger_hook hook_of(const struct banger_plugin *plugin, enum hook hook);
const char *config_type_name(enum banger_config_type type); /* "duration"; NULL: unknown */
enum hook hook_by_name(const char *name); /* HOOK_COUNT: there is none of that name */
banger_hook hook_in_table(const struct banger_hooks *table, enum hook hook); /* NULL: as above */
banger_hook *hook_place(struct banger_hooks *table, enum hook hook);

struct capability {
    const struct banger_plugin *plugin; /* a copy of full size: no field needs BANGER_HAS */
    struct capability *carrier;         /* in whose code its hooks are; NULL: in its own */
    struct isolate *isolate; /* the processes that its code is in; NULL: ours, or its carrier's */
    char *origin;            /* the .so file, the script, or "built-in" */
    bool stranger;           /* none of ours: one that cannot be used breaks, and nothing else */
    const banger_error *broken; /* why it cannot be used; NULL: it can */
    enum on_error on_error;     /* from the configuration */
    int64_t timeout_ms;
    int disable_after; /* failures in a row that disable it; 0: none do */
    int order;         /* place in the configuration's order; INT_MAX: not listed */
    json_t *config;    /* the plugin's keys, checked and completed; never NULL */
    json_t *self;      /* {"name","origin","state"?}: what getters see as self.* */
    struct tally *tally;
    struct standing *standing;

    /* Of capability.c and carried.c. */
    _Atomic int references;
    struct descriptor *descriptor; /* what `plugin` points into */
    json_t *said;                  /* carried: as host->provide was told */
};

/* A capability without a plugin, yet. One reference, the caller's. */
struct capability *capability_new(const char *origin);
struct capability *capability_ref(struct capability *capability);
void capability_unref(struct capability *capability);

/* Where the code of its hooks runs, its carrier's or its own; NULL: in our process. */
static inline struct isolate *capability_isolate(const struct capability *capability)
{
    return capability->carrier != NULL ? capability->carrier->isolate : capability->isolate;
}

/* Takes the descriptor in; see descriptor_adopt. */
int capability_adopt(struct capability *capability, const struct banger_plugin *plugin,
                     banger_error *err);
/* It is there, and cannot be used: only its `check` is "called", and fails with this. `name` may be that
 * of the plugin it has adopted; all else that it adopted is dropped. */
void capability_break(struct capability *capability, const char *name, const banger_error *why);
/* What `self.state` is to its hooks; NULL: nothing. */
void capability_set_state(struct capability *capability, json_t *state);
/* It takes the place of an earlier one of its name: the tally goes on, and, where it is the same in every
 * word, the standing too. */
void capability_succeed(struct capability *capability, const struct capability *earlier);

#endif
