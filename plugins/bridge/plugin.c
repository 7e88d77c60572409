/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bridge: a network of the host's own. Each VM has a TAP that is a port of one bridge, and an
 * address that follows from its number:
 *
 * 1. A VM gets a number once (host->lease_number) and keeps it until it is deleted. Address, MAC,
 *    vsock cid and IPv6 address are computed from it, never stored apart.
 * 2. `ensure` makes what all VMs share and tells the capabilities the VM's addresses (runtime.bridge.*),
 *    so that NAT and DNS can prepare; `acquire` takes the TAP, journaled; `contribute` describes the
 *    NIC and what the guest sets up.
 * 3. What all share may go while VMs run: `nft flush ruleset`, a restart of nftables.service. Whoever
 *    makes it again (ensure) says so, `made`; the core then tells the VMs that run (reconciled), and
 *    each takes its place again. The daemon's restart tells them too.
 * 4. Everything privileged is a host operation (host->host_op): this file only decides.
 */
#include "subnet.h"

#include <arpa/inet.h>
#include <banger/json.h>
#include <banger/plugin.h>
#include <string.h>

#define POOL "address"
#define TAP_PREFIX "tap-fc-" /* and a short id: the 15 bytes of an interface's name */
#define IPV6_BITS 64         /* RFC 4291 2.5.4 */

struct guest {
    char address[INET_ADDRSTRLEN];
    char address6[INET6_ADDRSTRLEN]; /* "": none */
    char mac[MAC_TEXT_SIZE];
    char tap[16];
    uint32_t cid;
};

struct net {
    struct subnet subnet;
    const char *bridge;
    char gateway[INET_ADDRSTRLEN];
    char gateway6[INET6_ADDRSTRLEN]; /* "": none */
    struct guest guest;
};

/* -- Reading --------------------------------------------------------------------------------------- */

static int read_net(const struct banger_host *host, struct banger_call *call, struct net *net)
{
    const char *text = host->get_string(call, "config.subnet", "");
    const char *reason = NULL;

    *net = (struct net){.bridge = host->get_string(call, "config.bridge", "")};
    if (!subnet_parse(text, &net->subnet, &reason)) {
        host->hint(call, "set plugins.bridge.subnet in config.lua");
        return host->fail(call, BANGER_EINVALID, "invalid subnet '%.64s': %s", text, reason);
    }
    subnet_address(&net->subnet, SUBNET_GATEWAY, net->gateway);
    if (host->get_bool(call, "config.ipv6", 0)) {
        subnet_address6(host->get_string(call, "host.instance", ""), SUBNET_GATEWAY, net->gateway6);
    }
    return 0;
}

static int read_guest(const struct banger_host *host, struct banger_call *call, struct net *net)
{
    if (read_net(host, call, net) < 0) {
        return -1;
    }
    int64_t number =
        host->lease_number(call, POOL, SUBNET_GATEWAY + 1, (int64_t)subnet_last(&net->subnet));
    if (number < 0) {
        return -1;
    }
    struct guest *guest = &net->guest;
    subnet_address(&net->subnet, (uint32_t)number, guest->address);
    subnet_mac(&net->subnet, (uint32_t)number, guest->mac);
    guest->cid = subnet_cid(&net->subnet, (uint32_t)number);
    if (net->gateway6[0] != '\0') {
        subnet_address6(host->get_string(call, "host.instance", ""), (uint32_t)number,
                        guest->address6);
    }
    (void)snprintf(guest->tap, sizeof(guest->tap), TAP_PREFIX "%.8s",
                   host->get_string(call, "vm.short_id", ""));
    return 0;
}

static json_t *optional(const char *text)
{
    return text[0] != '\0' ? json_string(text) : NULL;
}

static json_t *bridge_address(const struct net *net)
{
    return json_sprintf("%s/%d", net->gateway, net->subnet.bits);
}

/* Each is written into guests' resolv.conf. */
static int check_resolvers(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *resolvers = banger_json_get(host, call, "config.resolvers");
    unsigned char bytes[sizeof(struct in6_addr)];
    size_t i;
    json_t *resolver;

    json_array_foreach (resolvers, i, resolver) {
        const char *text = json_string_value(resolver);

        if (text == NULL ||
            (inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1)) {
            host->hint(call, "set plugins.bridge.resolvers in config.lua");
            return host->fail(call, BANGER_EINVALID,
                              "invalid resolver '%.64s': it must be an address",
                              text != NULL ? text : "");
        }
    }
    return 0;
}

/* -- The provider ---------------------------------------------------------------------------------- */

/* Texts for `banger doctor` and `banger network list`. */
static int describe(const struct banger_host *host, struct banger_call *call, const struct net *net,
                    json_int_t lost)
{
    char *text = NULL;

    if (lost > 0) {
        host->hint(call, "the next start of a VM or of the daemon (banger daemon stop) mends it");
        return host->fail(
            call, BANGER_EBUSY,
            "another program has removed the bridge %s, or its nft tables, under %lld "
            "running VM%s",
            net->bridge, (long long)lost, lost == 1 ? "" : "s");
    }
    if (asprintf(&text, "%s, %s/%d%s%s", net->bridge, net->gateway, net->subnet.bits,
                 net->gateway6[0] != '\0' ? ", " : "", net->gateway6) > 0) {
        host->progress(call, text);
        free(text);
    }
    return 0;
}

static int bridge_check(const struct banger_host *host, struct banger_call *call)
{
    struct net net;

    if (read_net(host, call, &net) < 0 || check_resolvers(host, call) < 0) {
        return -1;
    }
    json_auto_t *result = banger_json_host_op(
        host, call, "network.check",
        json_pack("{s:s, s:o}", "bridge", net.bridge, "address", bridge_address(&net)));
    if (result == NULL) {
        return -1;
    }
    return host->get_string(call, "vm.id", NULL) != NULL
               ? 0
               : describe(host, call, &net, json_integer_value(json_object_get(result, "lost")));
}

/* What other capabilities know of it: the table "runtime.bridge.*" in share/doc/network.md. */
static int store_addresses(const struct banger_host *host, struct banger_call *call,
                           const struct net *net)
{
    const struct guest *guest = &net->guest;
    const struct {
        const char *key;
        json_t *value; /* NULL: not said */
    } rows[] = {
        {"link", json_string(net->bridge)},
        {"subnet", json_string(host->get_string(call, "config.subnet", ""))},
        {"gateway", json_string(net->gateway)},
        {"gateway6", optional(net->gateway6)},
        {"address", json_string(guest->address)},
        {"address6", optional(guest->address6)},
        {"mac", json_string(guest->mac)},
        {"tap", json_string(guest->tap)},
        {"cid", json_integer((json_int_t)guest->cid)},
    };
    int result = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].value != NULL &&
            banger_json_store(host, call, rows[i].key, rows[i].value) < 0) {
            result = -1;
        }
    }
    return result;
}

static int bridge_ensure(const struct banger_host *host, struct banger_call *call)
{
    struct net net;

    if (read_guest(host, call, &net) < 0) {
        return -1;
    }
    json_t *args =
        json_pack("{s:s, s:o, s:b, s:I}", "bridge", net.bridge, "address", bridge_address(&net),
                  "isolate", host->get_bool(call, "config.isolate_guests", 1), "pool",
                  (json_int_t)host->get_int(call, "config.pool", 0));
    if (net.gateway6[0] != '\0') {
        (void)json_object_set_new(args, "address6", json_sprintf("%s/%d", net.gateway6, IPV6_BITS));
    }
    json_auto_t *result = banger_json_host_op(host, call, "network.ensure", args);
    if (result == NULL) {
        return -1;
    }
    json_t *made = json_boolean(json_is_true(json_object_get(result, "created")));
    return banger_json_store(host, call, "made", made) < 0 ? -1 : store_addresses(host, call, &net);
}

static int acquire_tap(const struct banger_host *host, struct banger_call *call,
                       const struct net *net)
{
    json_t *args = json_pack("{s:s, s:s, s:s, s:s}", "bridge", net->bridge, "tap", net->guest.tap,
                             "mac", net->guest.mac, "address", net->guest.address);

    if (net->guest.address6[0] != '\0') {
        (void)json_object_set_new(args, "address6", json_string(net->guest.address6));
    }
    json_auto_t *result = banger_json_host_op(host, call, "tap.acquire", args);
    return result != NULL ? 0 : -1;
}

static int bridge_acquire(const struct banger_host *host, struct banger_call *call)
{
    struct net net;

    if (read_guest(host, call, &net) < 0) {
        return -1;
    }
    char *attrs = banger_json_text(host, call, json_pack("{s:s}", "bridge", net.bridge));
    int64_t row = attrs != NULL ? host->resource_intend(call, "tap", net.guest.tap, attrs) : -1;
    free(attrs);
    if (row < 0) {
        return -1;
    }
    return acquire_tap(host, call, &net) == 0 ? host->resource_held(call, row, NULL) : -1;
}

/* Whether the VM was started with what is configured now. */
static bool is_as_started(const struct banger_host *host, struct banger_call *call,
                          const struct net *net)
{
    return strcmp(host->get_string(call, "runtime.bridge.link", ""), net->bridge) == 0 &&
           strcmp(host->get_string(call, "runtime.bridge.subnet", ""),
                  host->get_string(call, "config.subnet", "")) == 0 &&
           strcmp(host->get_string(call, "runtime.bridge.gateway6", ""), net->gateway6) == 0;
}

/* (3): its row is in the journal already. */
static int bridge_reconciled(const struct banger_host *host, struct banger_call *call)
{
    struct net net;

    if (host->get_string(call, "runtime.bridge.address", NULL) == NULL) {
        return 0;
    }
    if (read_net(host, call, &net) < 0) {
        return -1;
    }
    if (!is_as_started(host, call, &net)) {
        host->log(call, BANGER_LOG_WARN,
                  "plugins.bridge has changed since the VM was started, which keeps what it has");
        return 0;
    }
    return bridge_ensure(host, call) < 0 || read_guest(host, call, &net) < 0
               ? -1
               : acquire_tap(host, call, &net);
}

static int release_row(const struct banger_host *host, struct banger_call *call, const json_t *row)
{
    const json_t *attrs = json_object_get(row, "attrs");
    json_auto_t *result =
        banger_json_host_op(host, call, "tap.release",
                            json_pack("{s:O, s:O}", "bridge", json_object_get(attrs, "bridge"),
                                      "tap", json_object_get(row, "key")));

    return result != NULL
               ? host->resource_gone(call, json_integer_value(json_object_get(row, "id")))
               : -1;
}

static int bridge_cleanup(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *rows = banger_json_get(host, call, "resources");
    int result = 0;
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row) {
        result = release_row(host, call, row) < 0 ? -1 : result;
    }
    return result;
}

static int bridge_remove(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *result = banger_json_host_op(
        host, call, "network.remove",
        json_pack("{s:s}", "bridge", host->get_string(call, "config.bridge", "")));

    return result != NULL ? 0 : -1;
}

/* -- What the guest is told ------------------------------------------------------------------------ */

/* Where the guest asks for names: the gateway, where the plugin dns answers, or what is configured. */
static json_t *resolv_conf(const struct banger_host *host, struct banger_call *call,
                           const struct net *net)
{
    json_auto_t *resolvers = banger_json_get(host, call, "config.resolvers");
    json_t *text = json_sprintf("nameserver %s\n", net->gateway);
    size_t i;
    json_t *resolver;

    json_array_foreach (resolvers, i, resolver) {
        json_t *longer = json_sprintf("%snameserver %s\n", i > 0 ? json_string_value(text) : "",
                                      json_string_value(resolver));
        json_decref(text);
        text = longer;
    }
    return text;
}

static json_t *guest_conf(const struct net *net)
{
    const struct guest *guest = &net->guest;
    json_t *interfaces = json_pack("[o]", json_sprintf("%s %s/%d %s", guest->mac, guest->address,
                                                       net->subnet.bits, net->gateway));
    if (guest->address6[0] != '\0') {
        (void)json_array_append_new(
            interfaces,
            json_sprintf("%s %s/%d %s", guest->mac, guest->address6, IPV6_BITS, net->gateway6));
    }
    return json_pack("{s:o}", "interface", interfaces);
}

static int bridge_contribute(const struct banger_host *host, struct banger_call *call)
{
    struct net net;

    if (read_guest(host, call, &net) < 0 ||
        banger_json_contribute(host, call, "nics",
                               json_pack("[{s:s, s:s, s:s, s:s}]", "id", "eth0", "backend", "tap",
                                         "tap", net.guest.tap, "mac", net.guest.mac)) < 0 ||
        banger_json_contribute(host, call, "guest.conf", guest_conf(&net)) < 0) {
        return -1;
    }
    return banger_json_contribute(host, call, "guest.files",
                                  json_pack("[{s:s, s:i, s:i, s:i, s:o}]", "path",
                                            "/etc/resolv.conf", "mode", 0644, "uid", 0, "gid", 0,
                                            "content", resolv_conf(host, call, &net)));
}

/* -- The descriptor -------------------------------------------------------------------------------- */

#define KEY(key_name, key_type, key_default, low, high, key_help)                                  \
    {                                                                                              \
        .size = sizeof(struct banger_config_key), .type = BANGER_CONFIG_##key_type,                \
        .name = (key_name), .default_value = (key_default), .help = (key_help), .minimum = (low),  \
        .maximum = (high),                                                                         \
    }

/* clang-format off */
static const struct banger_config_key keys[] = {
    KEY("bridge", STRING, "br-fc", 0, 0, "the bridge's name"),
    KEY("subnet", STRING, "172.16.0.0/24", 0, 0, "the guests' addresses; the first is the bridge's own"),
    KEY("ipv6", BOOL, "false", 0, 0, "give guests a unique local IPv6 address too"),
    KEY("isolate_guests", BOOL, "true", 0, 0, "guests do not reach one another"),
    KEY("pool", INT, "4", 0, 256, "TAP devices that are kept ready"),
    KEY("resolvers", LIST, "[]", 0, 0, "name servers of guests, in place of the plugin dns on the bridge"),
};
/* clang-format on */

static const char *const needs[] = {"nic:tap", NULL};

static const struct banger_network network = {
    .size = sizeof(network),
    .rank = 100,
    .needs = needs,
    .check = bridge_check,
    .ensure = bridge_ensure,
    .acquire = bridge_acquire,
    .contribute = bridge_contribute,
    .cleanup = bridge_cleanup,
    .remove = bridge_remove,
};

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .reconciled = bridge_reconciled,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "bridge",
    .version = BANGER_VERSION,
    .summary = "network of the host's own: a bridge, a TAP and an address for each VM (root)",
    .license = "LGPL-2.1-or-later",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
    .network = &network,
};

BANGER_PLUGIN(&plugin)
