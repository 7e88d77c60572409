/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices: a bridge for all, a TAP for each. */
#include "host/ops_network.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/name.h"
#include "base/str.h"
#include "host/alias.h"
#include "host/bridge.h"
#include "host/firewall.h"
#include "host/firewall_table.h"
#include "host/tap.h"
#include "host/tap_pool.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const struct op_call *call, const char *name)
{
    return json_string_value(json_object_get(call->args, name));
}

static struct bridge_plan plan_of(const struct op_call *call)
{
    return (struct bridge_plan){
        .name = text_of(call, "bridge"),
        .address = text_of(call, "address"),
        .address6 = text_of(call, "address6"),
    };
}

/* -- What all VMs share --------------------------------------------------------------------------- */

/* A TAP of a VM of ours that should be connected and is not: the bridge or the rules have been removed
 * by another. One that is a port of another bridge is not ours to judge. */
static bool has_lost_place(const struct host *host, const struct link *link, int bridge,
                           const struct nft_element *macs, size_t count)
{
    if (!str_starts(link->name, TAP_PREFIX) || strcmp(link->kind, "tun") != 0 ||
        alias_is(host, link, ALIAS_POOL) || (link->master != 0 && link->master != bridge)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strncmp((const char *)macs[i].key, link->name, IFNAMSIZ) == 0) {
            return link->master == 0;
        }
    }
    return true;
}

static int count_lost(const struct host *host, const char *name, size_t *lost, banger_error *err)
{
    AUTO_FREE struct nft_element *macs = NULL;
    AUTO_FREE struct link *links = NULL;
    struct link bridge = {.index = -1}; /* none */
    char prefix[ALIAS_MAX];
    size_t count = 0;
    size_t mac_count = 0;
    alias_format(host, "", prefix);
    if (link_list(prefix, &links, &count, err) < 0 ||
        firewall_read(FIREWALL_BRIDGE, name, "macs", &macs, &mac_count, err) < 0) {
        return -1;
    }
    (void)bridge_find(host, name, &bridge, NULL);
    *lost = 0;
    for (size_t i = 0; i < count; i++) {
        *lost += has_lost_place(host, &links[i], bridge.index, macs, mac_count);
    }
    return 0;
}

int op_network_check(struct host *host, const struct op_call *call, json_t *result,
                     banger_error *err)
{
    const struct bridge_plan plan = plan_of(call);
    size_t lost = 0;
    if (bridge_check(host, &plan, err) < 0 || firewall_check(host, plan.name, err) < 0 ||
        (call->vm_id == NULL && count_lost(host, plan.name, &lost, err) < 0)) {
        return -1;
    }
    json_put(result, "lost", json_integer((json_int_t)lost));
    return 0;
}

/* The rules come before the devices that they are about: there is no moment without them. */
int op_network_ensure(struct host *host, const struct op_call *call, json_t *result,
                      banger_error *err)
{
    const struct bridge_plan plan = plan_of(call);
    const struct firewall_plan rules = {
        .bridge = plan.name,
        .prefix = plan.address,
        .prefix6 = plan.address6,
        .isolate = json_is_true(json_object_get(call->args, "isolate")),
    };
    bool rules_made = false;
    bool bridge_made = false;
    if (firewall_ensure(host, &rules, &rules_made, err) < 0 ||
        failpoint("network.ensure", "firewall-made", err) < 0 ||
        bridge_ensure(host, &plan, &bridge_made, err) < 0 ||
        failpoint("network.ensure", "bridge-made", err) < 0) {
        return -1;
    }
    json_put(result, "created", json_boolean(rules_made || bridge_made));
    size_t pool = (size_t)json_integer_value(json_object_get(call->args, "pool"));
    return tap_pool_resize(host, pool, err);
}

int op_network_remove(struct host *host, const struct op_call *call, json_t *result,
                      banger_error *err)
{
    (void)result;
    const char *bridge = text_of(call, "bridge");
    /* The bridge first: it refuses to go while a VM uses it, and then nothing has changed. */
    if (bridge_remove(host, bridge, err) < 0 ||
        failpoint("network.remove", "bridge-gone", err) < 0 || tap_pool_resize(host, 0, err) < 0 ||
        failpoint("network.remove", "pool-gone", err) < 0) {
        return -1;
    }
    return firewall_remove(host, bridge, err);
}

/* -- What one VM has ------------------------------------------------------------------------------ */

/* The TAP of a VM is named by it, so that no VM can ask for another's. */
static int check_tap_of_vm(const struct op_call *call, banger_error *err)
{
    char expected[IFNAMSIZ];
    if (call->vm_id == NULL) {
        return error_set(err, BANGER_EINVALID, "a TAP belongs to a VM, and there is none here");
    }
    (void)snprintf(expected, sizeof(expected), TAP_PREFIX "%.*s", SHORT_ID_LENGTH, call->vm_id);
    if (strcmp(expected, text_of(call, "tap")) != 0) {
        return error_set(err, BANGER_EINVALID, "'%s' is not the TAP of the VM %.*s",
                         text_of(call, "tap"), SHORT_ID_LENGTH, call->vm_id);
    }
    return 0;
}

int op_tap_acquire(struct host *host, const struct op_call *call, json_t *result, banger_error *err)
{
    const struct firewall_guest guest = {
        .bridge = text_of(call, "bridge"),
        .tap = text_of(call, "tap"),
        .mac = text_of(call, "mac"),
        .address = text_of(call, "address"),
        .address6 = text_of(call, "address6"),
    };
    bool pooled = false;
    if (check_tap_of_vm(call, err) < 0 ||
        bridge_check_guest(host, guest.bridge, guest.address, err) < 0 ||
        firewall_admit(host, call->vm_id, &guest, err) < 0 ||
        failpoint("tap.acquire", "admitted", err) < 0 ||
        tap_acquire(host, call->vm_id, guest.bridge, guest.tap, &pooled, err) < 0) {
        return -1;
    }
    json_put(result, "pooled", json_boolean(pooled));
    return 0;
}

int op_tap_lend(struct host *host, const struct op_call *call, json_t *result, banger_error *err)
{
    (void)result;
    uid_t uid = (uid_t)json_get_int(call->args, "uid", 0);
    return check_tap_of_vm(call, err) < 0
               ? -1
               : tap_lend(host, call->vm_id, text_of(call, "tap"), uid, err);
}

int op_tap_release(struct host *host, const struct op_call *call, json_t *result, banger_error *err)
{
    (void)result;
    if (check_tap_of_vm(call, err) < 0 ||
        tap_release(host, call->vm_id, text_of(call, "tap"), err) < 0 ||
        failpoint("tap.release", "released", err) < 0) {
        return -1;
    }
    return firewall_expel(host, text_of(call, "bridge"), text_of(call, "tap"), err);
}
