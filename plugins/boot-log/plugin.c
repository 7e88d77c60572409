/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot-log: the serial console goes to vm.dir/console.log; the log of the run before stays beside
 * it as console.log.1, so that a failed start does not erase why the one before it failed.
 */
#include <banger/json.h>
#include <banger/plugin.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int console_path(const struct banger_host *host, struct banger_call *call,
                        const char *suffix, char path[PATH_MAX])
{
    const char *dir = host->get_string(call, "vm.dir", NULL);

    if (dir == NULL) {
        return host->fail(call, BANGER_EINTERNAL, "the VM has no folder");
    }
    if (snprintf(path, PATH_MAX, "%s/console.log%s", dir, suffix) >= PATH_MAX) {
        return host->fail(call, BANGER_EINVALID, "the path of the VM's folder is too long: %s",
                          dir);
    }
    return 0;
}

static int boot_log_prepare(const struct banger_host *host, struct banger_call *call)
{
    char current[PATH_MAX];
    char previous[PATH_MAX];

    if (console_path(host, call, "", current) < 0 || console_path(host, call, ".1", previous) < 0) {
        return -1;
    }
    if (rename(current, previous) < 0 && errno != ENOENT) {
        return host->fail(call, BANGER_EIO, "cannot keep the console log of the run before, %s: %s",
                          current, strerror(errno));
    }
    return 0;
}

static int boot_log_contribute(const struct banger_host *host, struct banger_call *call)
{
    char path[PATH_MAX];

    if (console_path(host, call, "", path) < 0 ||
        banger_json_contribute(host, call, "console", json_pack("{s:s}", "path", path)) < 0) {
        return -1;
    }
    if (host->get_bool(call, "config.quiet", 1)) {
        return 0;
    }
    /* Behind the VMM's "quiet", and stronger: the kernel lets the last level stand. */
    return banger_json_contribute(host, call, "boot_args", json_pack("[s]", "loglevel=7"));
}

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_BOOL,
     .name = "quiet",
     .default_value = "true",
     .help = "false: log every message of the guest's kernel (a slower boot)"},
};

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .prepare = boot_log_prepare,
    .contributeMachineConfig = boot_log_contribute,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "boot-log",
    .version = BANGER_VERSION,
    .summary = "keeps the serial console of this run and of the one before",
    .license = "LGPL-2.1-or-later",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
};

BANGER_PLUGIN(&plugin)
