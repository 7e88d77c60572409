/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* none: no network at all. The guest has its loopback, and the agent. */
#include <banger/json.h>
#include <banger/plugin.h>

static int none_check(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *publish = banger_json_get(host, call, "vm.publish");

    if (json_array_size(publish) > 0) {
        host->hint(call, "leave out --publish, or take another network: --network auto");
        return host->fail(call, BANGER_EINVALID, "a VM without a network has no ports to publish");
    }
    if (host->get_bool(call, "vm.nat", 0)) {
        host->hint(call, "leave out --nat, or take another network: --network auto");
        return host->fail(call, BANGER_EINVALID, "a VM without a network cannot have NAT");
    }
    return 0;
}

static int none_contribute(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    return 0;
}

static const char *const needs[] = {NULL};

static const struct banger_network network = {
    .size = sizeof(network),
    .rank = -1, /* never taken by `auto` */
    .needs = needs,
    .check = none_check,
    .contribute = none_contribute,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,           .name = "none",
    .version = BANGER_VERSION,      .summary = "no network: the guest has its loopback only",
    .license = "LGPL-2.1-or-later", .network = &network,
};

BANGER_PLUGIN(&plugin)
