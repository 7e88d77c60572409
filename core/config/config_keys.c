/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core's own keys: this table is their documentation. Sizes are bytes, durations ms. */
#include "config.h"

#include "base/cleanup.h"

#define MIB (INT64_C(1) << 20)
#define TIB (INT64_C(1) << 40)
#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)

#define KEY(key_name, key_type, key_default, low, high, key_help)                                  \
    {                                                                                              \
        .size = sizeof(struct banger_config_key), .type = BANGER_CONFIG_##key_type,                \
        .name = (key_name), .default_value = (key_default), .help = (key_help), .minimum = (low),  \
        .maximum = (high),                                                                         \
    }

/* clang-format off */
static const struct banger_config_key core_keys[] = {
    KEY("log_level", STRING, "info", 0, 0, "what bangerd logs: error, warn, info or debug"),
    KEY("vm.vcpu", INT, "2", 1, 32, "processors of a VM that does not say"),
    KEY("vm.memory", SIZE, "512M", 64 * MIB, TIB, "memory of a VM that does not say"),
    KEY("vm.disk", SIZE, "2G", 64 * MIB, 64 * TIB, "root disk of a VM that does not say"),
    KEY("vm.vmm", STRING, "auto", 0, 0, "provider that runs the machine"),
    KEY("vm.rootfs", STRING, "auto", 0, 0, "provider of the root disk"),
    KEY("vm.network", STRING, "auto", 0, 0, "provider of the network"),
    KEY("default_image", STRING, "tiny", 0, 0, "image of a VM that does not say"),
    KEY("default_kernel", STRING, "linux-image-cloud-amd64", 0, 0, "kernel of a VM that does not say"),
    KEY("boot_timeout", DURATION, "60s", SECOND, HOUR, "how long a guest's agent may take to answer"),
    KEY("stop_timeout", DURATION, "10s", 0, HOUR, "how long a guest may take after Ctrl-Alt-Del"),
    KEY("term_timeout", DURATION, "5s", 0, HOUR, "how long a VMM may take after SIGTERM"),
    KEY("health_interval", DURATION, "5s", 0, HOUR, "how often what may have failed by itself is looked at: the disks of running VMs, and what could not be recorded or given back; 0: never"),
    KEY("hook_timeout", DURATION, "10s", 1, HOUR, "how long a hook may take where its plugin's timeout is not set"),
    KEY("plugin_dirs", LIST, "[]", 0, 0, "folders with more plugins, beside the bundled ones"),
    KEY("socket_group", STRING, NULL, 0, 0, "group that may use the control socket; none: its owner alone"),
    KEY("plugins", JSON, "{}", 0, 0, "for each plugin its policy (enabled, on_error, timeout, order) and its own keys"),
};
/* clang-format on */

const struct banger_config_key *config_core_keys(size_t *count)
{
    *count = COUNT_OF(core_keys);
    return core_keys;
}
