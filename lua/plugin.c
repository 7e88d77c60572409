/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lua: a site's own hooks. Every script in the hook folders is a capability like any other; what it may do
 * is in library.lua, how it is kept in bounds in sandbox.h, how it is found in expand.h and load.h.
 *
 * Runs in a process of its own (BANGER_PLUGIN_ISOLATED): what no bound on instructions ends, such as a
 * pattern that backtracks, ends with that process.
 */
#include "expand.h"
#include "hook.h"

#include <banger/plugin.h>

#define HOOK(name)                                                                                 \
    static int lua_##name(const struct banger_host *host, struct banger_call *call)                \
    {                                                                                              \
        return hook_run(host, call, #name);                                                        \
    }

HOOK(check)
HOOK(prepare)
HOOK(contributeMachineConfig)
HOOK(postStart)
HOOK(cleanup)
HOOK(configure)
HOOK(deleted)
HOOK(reconciled)

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_LIST,
     .name = "dirs",
     .default_value = "[]",
     .help = "more folders with hooks"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_SIZE,
     .name = "memory",
     .default_value = "64M",
     .help = "what one hook may use",
     .minimum = 1 << 20,
     .maximum = INT64_C(4) << 30},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_LIST,
     .name = "programs",
     .default_value = "[]",
     .help = "programs that banger.host.run may run, each by its whole path"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_LIST,
     .name = "read_dirs",
     .default_value = "[]",
     .help = "folders below which files and drives of guests may lie, beside a script's own"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_LIST,
     .name = "sockets",
     .default_value = "[]",
     .help = "unix sockets that banger.http may use, each by its whole path"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_LIST,
     .name = "write_dirs",
     .default_value = "[]",
     .help = "folders below which banger.host.write may write"},
};

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .check = lua_check,
    .prepare = lua_prepare,
    .contributeMachineConfig = lua_contributeMachineConfig,
    .postStart = lua_postStart,
    .cleanup = lua_cleanup,
    .configure = lua_configure,
    .deleted = lua_deleted,
    .reconciled = lua_reconciled,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "lua",
    .version = BANGER_VERSION,
    .summary = "a site's own hooks, in Lua",
    .license = "LGPL-2.1-or-later",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
    .expand = expand_scripts,
    .flags = BANGER_PLUGIN_ISOLATED,
};

BANGER_PLUGIN(&plugin)
