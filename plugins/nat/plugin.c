/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nat: what connects a VM of the network `bridge` to others. Two things, each with a row of its own
 * in the journal, whose key is the guest's address:
 *
 *   nat      what the guest sends to other networks leaves with this host's address
 *   publish  ports of this host lead to the guest
 *
 * The rules are the host operations' (nat.*, publish.*); here is when they change: in prepare, by
 * `banger vm set` while the VM runs (configure), after a restart of the daemon (reconciled), and in
 * cleanup. The network `user` does both by itself: for its VMs nothing is done here.
 */
#include "reserve.h"

#include <banger/json.h>
#include <banger/plugin.h>
#include <string.h>

#define NETWORK "bridge"
#define ROW_NAT "nat"
#define ROW_PUBLISH "publish"

/* A VM that says nothing about it gets what is configured: the same as in the network `user`. */
static bool wants_nat(const struct banger_host *host, struct banger_call *call)
{
    return host->get_bool(call, "vm.nat", host->get_bool(call, "config.default", 1)) != 0;
}

/* -- check ----------------------------------------------------------------------------------------- */

/* Text for `banger doctor`: where NAT leads to. */
static void say_uplinks(const struct banger_host *host, struct banger_call *call,
                        const json_t *uplinks)
{
    json_t *text = json_string("");
    size_t i;
    json_t *name;

    json_array_foreach (uplinks, i, name) {
        json_t *longer = json_sprintf("%s%s%s", json_string_value(text), i > 0 ? ", " : "",
                                      json_string_value(name));
        json_decref(text);
        text = longer;
    }
    json_t *line = i > 0 ? json_sprintf("towards %s", json_string_value(text))
                         : json_string("this host has no default route: NAT leads nowhere now");
    host->progress(call, json_string_value(line));
    json_decref(line);
    json_decref(text);
}

/* Others' rules come after ours whatever ours say: a chain that drops what it does not know drops
 * guests' packets too. For a VM it is no reason to fail, since a rule in it may let them pass. */
static int refuse_drops(const struct banger_host *host, struct banger_call *call,
                        const json_t *drops)
{
    const char *first = json_string_value(json_array_get(drops, 0));

    if (first == NULL) {
        return 0;
    }
    if (host->get_string(call, "vm.id", NULL) != NULL) {
        host->log(call, BANGER_LOG_WARN,
                  "the chain '%s' drops what is forwarded, unless it has rules for %s", first,
                  host->get_string(call, "runtime.bridge.link", "the bridge"));
        return 0;
    }
    host->hint(call, "let the bridge pass there; with docker: iptables -I DOCKER-USER -i br-fc -j "
                     "ACCEPT, and the same with -o");
    return host->fail(call, BANGER_EBUSY,
                      "the chain '%s' of another program drops what is forwarded: guests' NAT and "
                      "published ports need a rule in it",
                      first);
}

static int check_nat(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *answer = banger_json_host_op(
        host, call, "nat.check",
        json_pack("{s:s}", "uplink", host->get_string(call, "config.uplink", "auto")));

    if (answer == NULL) {
        return -1;
    }
    if (host->get_string(call, "vm.id", NULL) == NULL) {
        say_uplinks(host, call, json_object_get(answer, "uplinks"));
    }
    return refuse_drops(host, call, json_object_get(answer, "drops"));
}

static int check_publish(const struct banger_host *host, struct banger_call *call)
{
    struct forward_list list;

    if (forward_read_all(host, call, &list) < 0) {
        return -1;
    }
    return reserve_check(host, call, host->get_string(call, "vm.id", ""), &list);
}

static int nat_check(const struct banger_host *host, struct banger_call *call)
{
    bool of_vm = host->get_string(call, "vm.id", NULL) != NULL;

    if (of_vm && strcmp(host->get_string(call, "vm.network", ""), NETWORK) != 0) {
        return 0;
    }
    if ((!of_vm || wants_nat(host, call)) && check_nat(host, call) < 0) {
        return -1;
    }
    return of_vm ? check_publish(host, call) : 0;
}

/* -- Rows ------------------------------------------------------------------------------------------ */

/* This VM's row of a kind, from `rows`; NULL: none. */
static const json_t *find_row(const json_t *rows, const char *kind)
{
    size_t i;
    const json_t *row;

    json_array_foreach (rows, i, row) {
        if (strcmp(json_string_value(json_object_get(row, "kind")), kind) == 0) {
            return row;
        }
    }
    return NULL;
}

/* The row's id: the one that is there, or a new intent. */
static int64_t take_row(const struct banger_host *host, struct banger_call *call, const char *kind)
{
    json_auto_t *rows = banger_json_get(host, call, "resources");
    const json_t *row = find_row(rows, kind);

    if (row != NULL) {
        return json_integer_value(json_object_get(row, "id"));
    }
    char *attrs = banger_json_text(
        host, call,
        json_pack("{s:s}", "bridge", host->get_string(call, "runtime.bridge.link", "")));
    int64_t id = attrs != NULL
                     ? host->resource_intend(
                           call, kind, host->get_string(call, "runtime.bridge.address", ""), attrs)
                     : -1;
    free(attrs);
    return id;
}

/* -- Acts ------------------------------------------------------------------------------------------ */

static int nat_on(const struct banger_host *host, struct banger_call *call)
{
    int64_t row = take_row(host, call, ROW_NAT);

    if (row < 0) {
        return -1;
    }
    json_auto_t *result = banger_json_host_op(
        host, call, "nat.on",
        json_pack("{s:s, s:s, s:s}", "bridge", host->get_string(call, "runtime.bridge.link", ""),
                  "address", host->get_string(call, "runtime.bridge.address", ""), "uplink",
                  host->get_string(call, "config.uplink", "auto")));
    return result != NULL ? host->resource_held(call, row, NULL) : -1;
}

static int publish_set(const struct banger_host *host, struct banger_call *call,
                       const struct forward_list *list)
{
    int64_t row = take_row(host, call, ROW_PUBLISH);

    if (row < 0 || reserve_set(host, call, host->get_string(call, "vm.id", ""), list) < 0) {
        return -1;
    }
    json_auto_t *result = banger_json_host_op(
        host, call, "publish.set",
        json_pack("{s:s, s:s, s:o}", "bridge", host->get_string(call, "runtime.bridge.link", ""),
                  "address", host->get_string(call, "runtime.bridge.address", ""), "ports",
                  forward_to_json(list)));
    return result != NULL ? host->resource_held(call, row, NULL) : -1;
}

/* Takes back what a row stands for, then the row. */
static int release_row(const struct banger_host *host, struct banger_call *call, const json_t *row)
{
    const json_t *bridge = json_object_get(json_object_get(row, "attrs"), "bridge");
    bool publish = strcmp(json_string_value(json_object_get(row, "kind")), ROW_PUBLISH) == 0;
    json_t *args =
        json_pack("{s:O, s:O}", "bridge", bridge, "address", json_object_get(row, "key"));

    if (publish) {
        (void)json_object_set_new(args, "ports", json_array());
        reserve_drop(host->get_string(call, "vm.id", ""));
    }
    json_auto_t *result =
        banger_json_host_op(host, call, publish ? "publish.set" : "nat.off", args);
    return result != NULL
               ? host->resource_gone(call, json_integer_value(json_object_get(row, "id")))
               : -1;
}

static int release(const struct banger_host *host, struct banger_call *call, const char *kind)
{
    json_auto_t *rows = banger_json_get(host, call, "resources");
    const json_t *row = find_row(rows, kind);

    return row != NULL ? release_row(host, call, row) : 0;
}

/* -- The hooks ------------------------------------------------------------------------------------- */

static bool is_on_bridge(const struct banger_host *host, struct banger_call *call)
{
    return host->get_string(call, "runtime.bridge.address", NULL) != NULL;
}

/* prepare and reconciled: what the VM wants, and nothing else. A change that the daemon did not survive,
 * or that failed, may have left more than the record says. All operations are idempotent. */
static int nat_apply(const struct banger_host *host, struct banger_call *call)
{
    struct forward_list list;

    if (!is_on_bridge(host, call)) {
        return 0;
    }
    if (forward_read_all(host, call, &list) < 0 ||
        (wants_nat(host, call) ? nat_on(host, call) : release(host, call, ROW_NAT)) < 0) {
        return -1;
    }
    return list.count > 0 ? publish_set(host, call, &list) : release(host, call, ROW_PUBLISH);
}

static int configure_publish(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *publish = banger_json_get(host, call, "change.publish");
    struct forward_list list;

    if (publish == NULL) {
        return 0;
    }
    if (forward_read_list(host, call, publish, &list) < 0) {
        return -1;
    }
    return list.count > 0 ? publish_set(host, call, &list) : release(host, call, ROW_PUBLISH);
}

/* Ports first: they may be refused, and then nothing has changed. */
static int nat_configure(const struct banger_host *host, struct banger_call *call)
{
    if (!is_on_bridge(host, call)) {
        return 0;
    }
    if (configure_publish(host, call) < 0) {
        return -1;
    }
    if (host->get_json(call, "change.nat") == NULL) {
        return 0;
    }
    return host->get_bool(call, "change.nat", 0) ? nat_on(host, call)
                                                 : release(host, call, ROW_NAT);
}

static int nat_cleanup(const struct banger_host *host, struct banger_call *call)
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

static int nat_stop(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    reserve_drop_all();
    return 0;
}

/* -- The descriptor -------------------------------------------------------------------------------- */

#define KEY(key_name, key_type, key_default, key_help)                                             \
    {                                                                                              \
        .size = sizeof(struct banger_config_key), .type = BANGER_CONFIG_##key_type,                \
        .name = (key_name), .default_value = (key_default), .help = (key_help),                    \
    }

/* clang-format off */
static const struct banger_config_key keys[] = {
    KEY("default", BOOL, "true", "whether a VM that says nothing about NAT has it"),
    KEY("uplink", STRING, "auto", "the link that NAT leads to; auto: those of the default routes, as they change"),
};
/* clang-format on */

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .check = nat_check,
    .prepare = nat_apply,
    .cleanup = nat_cleanup,
    .configure = nat_configure,
    .reconciled = nat_apply,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "nat",
    .version = BANGER_VERSION,
    .summary = "connects VMs of the network bridge: NAT out of it, published ports into it",
    .license = "LGPL-2.1-or-later",
    .after = (const char *const[]){"bridge?", NULL}, /* reconciled: it makes what this lies in */
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
    .stop = nat_stop,
};

BANGER_PLUGIN(&plugin)
