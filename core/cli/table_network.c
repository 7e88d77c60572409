/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands on networks. */
#include "cli/handlers.h"

const struct command commands_network[] = {
    {
        .path = "network list",
        .alias = "ls",
        .summary = "list the networks that VMs can have",
        .description =
            "Each provider of networks, whether it works here, what it has on this host,\n"
            "and the running VMs that are in it with their addresses.",
        .examples = EXAMPLES({"banger network list", "who has which address"}),
        .run = network_list,
    },
    {
        .path = "network remove",
        .alias = "rm",
        .summary = "take a network off this host",
        .description =
            "Removes what a network keeps on the host for all VMs: of 'bridge', the default,\n"
            "the bridge itself, the TAP devices that are kept ready, and the nft tables.\n"
            "Refused while a VM that uses it runs. The next start makes all of it again.",
        .arguments = ARGUMENTS({"NETWORK", VALUE_NETWORK, ARGUMENT_OPTIONAL}),
        .examples = EXAMPLES({"banger network remove", "leave no trace of the bridge"}),
        .run = network_remove,
    },
    {.path = NULL},
};
