/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hooks by number: one row each, in the order of the lifecycle. */
#include "registry.h"

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

banger_hook hook_of(const struct banger_plugin *plugin, enum hook hook)
{
    if (plugin->hooks == NULL || hook >= HOOK_COUNT) {
        return NULL;
    }
    banger_hook function = NULL;
    memcpy(&function, (const char *)plugin->hooks + hook_rows[hook].offset, sizeof(function));
    return function;
}
