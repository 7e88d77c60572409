/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Published ports are elements of two maps, from what is asked for on this host to where it leads:
 *
 *     publish      host address . protocol . port : guest's address . port
 *     publish_any                 protocol . port : guest's address . port
 *
 *   1. Read both. A port that leads to another guest is a clash.
 *   2. In one transaction: delete what leads to this guest and is not wanted so, add what is not there.
 *   3. End the connections of what changed.
 */
#include "host/firewall.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"
#include "host/conntrack.h"
#include "host/firewall_table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define ANY "0.0.0.0"

struct mapping {
    struct firewall_port port;
    char guest[INET_ADDRSTRLEN];
    char comment[NFT_COMMENT_MAX]; /* the guest's short id */
};

struct mappings {
    struct mapping *list;
    size_t count;
};

static void mappings_free(struct mappings *mappings)
{
    free(mappings->list);
}
#define AUTO_MAPPINGS AUTO(mappings_free) struct mappings

/* -- Reading -------------------------------------------------------------------------------------- */

static uint16_t port_at(const uint8_t *field)
{
    return (uint16_t)(field[0] << 8 | field[1]);
}

static void parse_mapping(const struct nft_element *element, bool any, struct mapping *mapping)
{
    const uint8_t *key = element->key;
    *mapping = (struct mapping){.port.host_ip = ANY};
    if (!any) {
        (void)inet_ntop(AF_INET, key, mapping->port.host_ip, sizeof(mapping->port.host_ip));
        key += sizeof(struct in_addr);
    }
    mapping->port.udp = key[0] == IPPROTO_UDP;
    mapping->port.host_port = port_at(key + 4);
    (void)inet_ntop(AF_INET, element->value, mapping->guest, sizeof(mapping->guest));
    mapping->port.guest_port = port_at(element->value + sizeof(struct in_addr));
    memcpy(mapping->comment, element->comment, sizeof(mapping->comment));
}

static int read_map(const char *bridge, bool any, struct mappings *mappings, banger_error *err)
{
    AUTO_FREE struct nft_element *elements = NULL;
    size_t count = 0;
    const char *name = any ? "publish_any" : "publish";
    if (firewall_read(FIREWALL_INET, bridge, name, &elements, &count, err) < 0) {
        return -1;
    }
    mappings->list = xrealloc(mappings->list, (mappings->count + count) * sizeof(struct mapping));
    for (size_t i = 0; i < count; i++) {
        parse_mapping(&elements[i], any, &mappings->list[mappings->count++]);
    }
    return 0;
}

static int read_maps(const char *bridge, struct mappings *mappings, banger_error *err)
{
    return read_map(bridge, false, mappings, err) < 0 ? -1 : read_map(bridge, true, mappings, err);
}

/* -- Checking ------------------------------------------------------------------------------------- */

static bool is_any(const struct firewall_port *port)
{
    return strcmp(port->host_ip, ANY) == 0;
}

static bool is_same_key(const struct firewall_port *a, const struct firewall_port *b)
{
    return a->udp == b->udp && a->host_port == b->host_port && strcmp(a->host_ip, b->host_ip) == 0;
}

/* As two sockets would: every address includes each. */
static bool overlaps(const struct firewall_port *a, const struct firewall_port *b)
{
    return a->udp == b->udp && a->host_port == b->host_port &&
           (is_any(a) || is_any(b) || strcmp(a->host_ip, b->host_ip) == 0);
}

static int refuse_taken(const struct firewall_port *port, const char *by, const char *whose,
                        banger_error *err)
{
    return error_set(err, BANGER_EBUSY, "port %u/%s of %s is already published by %s%s",
                     port->host_port, port->udp ? "udp" : "tcp",
                     is_any(port) ? "this host" : port->host_ip, by, whose);
}

static int check_port(const struct firewall_port *port, banger_error *err)
{
    if (firewall_check_address(AF_INET, port->host_ip, err) < 0) {
        return -1;
    }
    return port->host_port != 0 && port->guest_port != 0
               ? 0
               : error_set(err, BANGER_EINVALID, "a published port cannot be 0");
}

static int check_ports(const struct firewall_port *ports, size_t count, banger_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (check_port(&ports[i], err) < 0) {
            return -1;
        }
        for (size_t j = 0; j < i; j++) {
            if (is_same_key(&ports[i], &ports[j])) {
                return error_set(err, BANGER_EINVALID, "port %u/%s of %s is published twice",
                                 ports[i].host_port, ports[i].udp ? "udp" : "tcp",
                                 ports[i].host_ip);
            }
        }
    }
    return 0;
}

static int check_free(const struct mappings *there, const char *address,
                      const struct firewall_port *ports, size_t count, banger_error *err)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < there->count; j++) {
            const struct mapping *other = &there->list[j];
            if (str_equal(other->guest, address) || !overlaps(&ports[i], &other->port)) {
                continue;
            }
            return other->comment[0] != '\0'
                       ? refuse_taken(&ports[i], "VM ", other->comment, err)
                       : refuse_taken(&ports[i], "the guest ", other->guest, err);
        }
    }
    return 0;
}

/* -- Changing ------------------------------------------------------------------------------------- */

/* Protocols as numbers: their names come from /etc/protocols, which a small host lacks. */
static void put_command(struct buf *text, const char *verb, const char *bridge,
                        const struct firewall_port *port, const char *rest)
{
    buf_printf(text, "%s element inet banger-%s %s { %s%s%d . %u%s }\n", verb, bridge,
               is_any(port) ? "publish_any" : "publish", is_any(port) ? "" : port->host_ip,
               is_any(port) ? "" : " . ", port->udp ? IPPROTO_UDP : IPPROTO_TCP, port->host_port,
               rest);
}

static void put_addition(struct buf *text, const char *vm_id, const char *bridge,
                         const char *address, const struct firewall_port *port)
{
    AUTO_FREE char *rest = str_format(" comment \"%.*s\" : %s . %u", SHORT_ID_LENGTH, vm_id,
                                      address, port->guest_port);
    put_command(text, "add", bridge, port, rest);
}

static bool is_same_port(const struct firewall_port *a, const struct firewall_port *b)
{
    return is_same_key(a, b) && a->guest_port == b->guest_port;
}

static bool is_wanted(const struct firewall_port *port, const struct firewall_port *ports,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_same_port(port, &ports[i])) {
            return true;
        }
    }
    return false;
}

static bool is_there(const struct mappings *there, const char *address,
                     const struct firewall_port *port)
{
    for (size_t i = 0; i < there->count; i++) {
        if (str_equal(there->list[i].guest, address) && is_same_port(port, &there->list[i].port)) {
            return true;
        }
    }
    return false;
}

static void put_port(struct conntrack_port *ports, size_t *count, const struct firewall_port *port)
{
    ports[(*count)++] = (struct conntrack_port){.udp = port->udp, .port = port->host_port};
}

static int forget_changed(const struct mappings *there, const char *address,
                          const struct firewall_port *ports, size_t count, banger_error *err)
{
    AUTO_FREE struct conntrack_port *changed =
        xcalloc(there->count + count, sizeof(struct conntrack_port));
    size_t changed_count = 0;
    for (size_t i = 0; i < there->count; i++) {
        const struct mapping *old = &there->list[i];
        if (str_equal(old->guest, address) && !is_wanted(&old->port, ports, count)) {
            put_port(changed, &changed_count, &old->port);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (ports[i].udp && !is_there(there, address, &ports[i])) {
            put_port(changed, &changed_count, &ports[i]);
        }
    }
    return conntrack_forget_ports(address, changed, changed_count, err);
}

static char *compose(const struct mappings *there, const char *vm_id, const char *bridge,
                     const char *address, const struct firewall_port *ports, size_t count)
{
    AUTO_BUF struct buf text = BUF_INIT;
    for (size_t i = 0; i < there->count; i++) {
        if (str_equal(there->list[i].guest, address) &&
            !is_wanted(&there->list[i].port, ports, count)) {
            put_command(&text, "delete", bridge, &there->list[i].port, "");
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_there(there, address, &ports[i])) {
            put_addition(&text, vm_id, bridge, address, &ports[i]);
        }
    }
    return buf_steal(&text);
}

int firewall_publish(struct host *host, const char *vm_id, const char *bridge, const char *address,
                     const struct firewall_port *ports, size_t count, banger_error *err)
{
    AUTO_MAPPINGS there = {0};
    if (firewall_check_vm(vm_id, err) < 0 || firewall_check_bridge(bridge, err) < 0 ||
        firewall_check_address(AF_INET, address, err) < 0 || check_ports(ports, count, err) < 0 ||
        read_maps(bridge, &there, err) < 0 || check_free(&there, address, ports, count, err) < 0) {
        return -1;
    }
    AUTO_FREE char *text = compose(&there, vm_id, bridge, address, ports, count);
    int result = count > 0 ? firewall_change(host, FIREWALL_INET, bridge, text, err)
                           : firewall_retract(host, FIREWALL_INET, bridge, text, err);
    return result < 0 ? -1 : forget_changed(&there, address, ports, count, err);
}
