/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What connects a guest: NAT out of its network, published ports into it. */
#include "host/ops_network.h"

#include "base/failpoint.h"
#include "base/json.h"
#include "host/bridge.h"
#include "host/firewall.h"
#include "host/forwarding.h"
#include "host/route.h"
#include "host/uplink.h"

#include <stdio.h>
#include <string.h>

#define PORTS_MAX 64   /* as op_check_ports allows */
#define UPLINKS_MAX 16 /* default routes of one host */

static const char *text_of(const struct op_call *call, const char *name)
{
    return json_string_value(json_object_get(call->args, name));
}

/* -- Forwarding: on while anybody needs it -------------------------------------------------------- */

static int forwarding_needed(struct host *host, banger_error *err)
{
    (void)pthread_mutex_lock(&host->lock);
    int result = forwarding_on(host, err);
    (void)pthread_mutex_unlock(&host->lock);
    return result;
}

/* Whoever takes something back asks this afterwards. One who is just being connected has its element
 * in the table before it switches forwarding on: whichever of the two comes last here is right. */
static int forwarding_if_idle(struct host *host, const char *bridge, banger_error *err)
{
    bool idle = false;
    (void)pthread_mutex_lock(&host->lock);
    int result = firewall_is_idle(host, bridge, &idle, err);
    if (result == 0 && idle) {
        result = forwarding_restore(host, err);
    }
    (void)pthread_mutex_unlock(&host->lock);
    return result;
}

/* -- NAT ------------------------------------------------------------------------------------------ */

int op_nat_check(struct host *host, const struct op_call *call, json_t *result, banger_error *err)
{
    const char *uplink = text_of(call, "uplink");
    if (uplink_check(uplink, err) < 0) {
        return -1;
    }
    json_t *uplinks = json_array();
    char names[UPLINKS_MAX][IFNAMSIZ];
    size_t count = 0;
    if (strcmp(uplink, UPLINK_AUTO) != 0) {
        (void)json_array_append_new(uplinks, json_string(uplink));
    } else if (route_uplinks(names, UPLINKS_MAX, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++) {
            (void)json_array_append_new(uplinks, json_string(names[i]));
        }
    }
    json_put(result, "uplinks", uplinks);
    json_t *drops = json_array();
    json_put(result, "drops", drops);
    return firewall_foreign_drops(host, drops, err);
}

int op_nat_on(struct host *host, const struct op_call *call, json_t *result, banger_error *err)
{
    (void)result;
    const char *bridge = text_of(call, "bridge");
    const char *address = text_of(call, "address");
    if (bridge_check_guest(host, bridge, address, err) < 0 ||
        uplink_check(text_of(call, "uplink"), err) < 0 ||
        uplink_apply(host, bridge, text_of(call, "uplink"), err) < 0 ||
        failpoint("nat.on", "uplinks-known", err) < 0 ||
        firewall_nat_on(host, call->vm_id, bridge, address, err) < 0 ||
        failpoint("nat.on", "translated", err) < 0) {
        return -1;
    }
    return forwarding_needed(host, err);
}

int op_nat_off(struct host *host, const struct op_call *call, json_t *result, banger_error *err)
{
    (void)result;
    const char *bridge = text_of(call, "bridge");
    if (firewall_nat_off(host, bridge, text_of(call, "address"), err) < 0 ||
        failpoint("nat.off", "not-translated", err) < 0) {
        return -1;
    }
    return forwarding_if_idle(host, bridge, err);
}

/* -- Published ports ------------------------------------------------------------------------------ */

static size_t ports_of(const struct op_call *call, struct firewall_port ports[PORTS_MAX])
{
    const json_t *list = json_object_get(call->args, "ports");
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(list, i);
        struct firewall_port *port = &ports[i];
        port->udp = strcmp(json_get_string(row, "proto", "tcp"), "udp") == 0;
        (void)snprintf(port->host_ip, sizeof(port->host_ip), "%s",
                       json_get_string(row, "host_ip", ""));
        port->host_port = (uint16_t)json_get_int(row, "host_port", 0);
        port->guest_port = (uint16_t)json_get_int(row, "guest_port", 0);
    }
    return count;
}

int op_publish_set(struct host *host, const struct op_call *call, json_t *result, banger_error *err)
{
    (void)result;
    struct firewall_port ports[PORTS_MAX];
    size_t count = ports_of(call, ports);
    const char *bridge = text_of(call, "bridge");
    const char *address = text_of(call, "address");
    if ((count > 0 && bridge_check_guest(host, bridge, address, err) < 0) ||
        firewall_publish(host, call->vm_id, bridge, address, ports, count, err) < 0 ||
        failpoint("publish.set", "mapped", err) < 0) {
        return -1;
    }
    return count > 0 ? forwarding_needed(host, err) : forwarding_if_idle(host, bridge, err);
}
