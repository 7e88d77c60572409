/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registry: every loaded capability in its resolved order. Filled once while the daemon starts,
 * read-only afterwards (statistics aside), so that no lock is needed to walk it.
 */
#ifndef CAPABILITY_REGISTRY_H
#define CAPABILITY_REGISTRY_H

#include "base/error.h"

#include <banger/plugin.h>
#include <jansson.h>
#include <stdbool.h>

struct registry;

enum on_error {
    ON_ERROR_ABORT,
    ON_ERROR_WARN,
};

enum hook {
    HOOK_CHECK,
    HOOK_PREPARE,
    HOOK_CONTRIBUTE,
    HOOK_POST_START,
    HOOK_CLEANUP,
    HOOK_CONFIGURE,
    HOOK_DELETED,
    HOOK_RECONCILED,
    HOOK_COUNT,
};

const char *hook_name(enum hook hook); /* "contributeMachineConfig", ... */
banger_hook hook_of(const struct banger_plugin *plugin, enum hook hook); /* NULL: not implemented */

struct hook_stats { /* updated with atomics */
    uint64_t calls;
    uint64_t failures;
    uint64_t total_ns;
    uint64_t max_ns;
};

struct capability {
    const struct banger_plugin *plugin; /* a copy of full size: no field needs BANGER_HAS */
    char *origin;                       /* the .so file, or "built-in" */
    enum on_error on_error;             /* from the configuration */
    int64_t timeout_ms;
    int order;      /* place in the configuration's order; INT_MAX: not listed */
    json_t *config; /* the plugin's keys, checked and completed; never NULL */
    struct hook_stats stats[HOOK_COUNT];
    _Atomic int stuck; /* hooks of it that have outlived their deadline and not returned */
};

struct registry *registry_new(void);
/* Calls every plugin's `stop`, last first, and frees. What belongs to a stuck capability is left:
 * its code may still return. */
void registry_free(struct registry *registry);

/* The time limit of hooks where a policy has none (hook_timeout of the configuration); for plugins
 * added from then on. 10 seconds unless set. */
void registry_set_timeout(struct registry *registry, int64_t timeout_ms);

/* Everything a plugin is, and how it is to be treated: registered whole or not at all. Checks
 * magic, ABI, sizes, name, duplicate name, declared keys, and calls the plugin's `start`. `policy`
 * (may be NULL) is the plugin's table of the configuration: {"on_error","timeout","order", KEY...};
 * one with enabled=false makes this a success that registers nothing. */
int registry_add(struct registry *registry, const struct banger_plugin *plugin, const char *origin,
                 const json_t *policy, banger_error *err);
/* Sorts by after/before, then configured order, then name. Cycle (named whole), unknown names. */
int registry_resolve(struct registry *registry, banger_error *err);
/* Every name in `policies` must be a plugin's, unless its table disables it: after all is loaded.
 */
int registry_check_policies(const struct registry *registry, const json_t *policies,
                            banger_error *err);

size_t registry_count(const struct registry *registry);
struct capability *registry_at(const struct registry *registry, size_t index); /* resolved order */
struct capability *registry_find(const struct registry *registry, const char *name);
/* The name of a loaded one that was probably meant; NULL: none is near. */
const char *registry_nearest(const struct registry *registry, const char *name);

#endif
