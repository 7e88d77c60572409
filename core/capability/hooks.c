/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hooks by number: one row each, in the order of the lifecycle. */
#include "capability.h"

#include <string.h>

static const struct {
    const char *name;
    size_t offset; /* in struct banger_hooks */
} hook_rows[HOOK_COUNT] = {
    [HOOK_CHECK] = {"check", offsetof(struct banger_hooks, check)},
    [HOOK_PREPARE] = {"prepare", offsetof(struct banger_hooks, prepare)},
    [HOOK_CONTRIBUTE] = {"contributeMachineConfig",
                         offsetof(struct banger_hooks, contributeMachineConfig)},
    [HOOK_POST_START] = {"postStart", offsetof(struct banger_hooks, postStart)},
    [HOOK_CLEANUP] = {"cleanup", offsetof(struct banger_hooks, cleanup)},
    [HOOK_CONFIGURE] = {"configure", offsetof(struct banger_hooks, configure)},
    [HOOK_DELETED] = {"deleted", offsetof(struct banger_hooks, deleted)},
    [HOOK_RECONCILED] = {"reconciled", offsetof(struct banger_hooks, reconciled)},
};

const char *hook_name(enum hook hook)
{
    return hook < HOOK_COUNT ? hook_rows[hook].name : "unknown";
}

enum hook hook_by_name(const char *name)
{
    int hook = 0;
    while (hook < HOOK_COUNT && strcmp(hook_rows[hook].name, name) != 0) {
        hook++;
    }
    return (enum hook)hook;
}

banger_hook *hook_place(struct banger_hooks *table, enum hook hook)
{
    return (banger_hook *)(void *)((char *)table + hook_rows[hook].offset);
}

banger_hook hook_in_table(const struct banger_hooks *table, enum hook hook)
{
    banger_hook function = NULL;
    if (table != NULL && hook < HOOK_COUNT) {
        memcpy(&function, (const char *)table + hook_rows[hook].offset, sizeof(function));
    }
    return function;
}

banger_hook hook_of(const struct banger_plugin *plugin, enum hook hook)
{
    return plugin->expand == NULL ? hook_in_table(plugin->hooks, hook) : NULL;
}
