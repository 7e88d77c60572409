/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a bridge is made so that kill -9 between any two system calls leaves nothing unknown:
 *
 * 1. The kernel ignores an alias in the request that makes a link (rtnl_create_link,
 *    net/core/rtnetlink.c), so that it takes a second one. Both go in one datagram, which the kernel
 *    works off in one system call: a bridge without our alias never meets the eye of a next daemon.
 * 2. The second request finds the link by its name. Had a stranger taken the name in between, it
 *    would mark the stranger's link: so the name is one that only we can have, "br-INSTANCE".
 * 3. By its index it then gets the name that it is to have. Killed before that, the next
 *    bridge_ensure goes on with what it finds under the name of (2), and bridge_remove removes it.
 * 4. What follows (switches, up, addresses) is compared and repeated by each bridge_ensure.
 *
 * No start waits for a change that is not needed: bridge_ensure of a bridge as planned asks, and
 * writes nothing but what costs nothing to repeat.
 */
#include "host/bridge.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/str.h"
#include "host/address.h"
#include "host/alias.h"
#include "host/netlink.h"
#include "host/route.h"
#include "host/sysctl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>

/* Held by all making and removing: two starts must not both find no bridge. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

/* -- Whose ------------------------------------------------------------------------------------------ */

static bool is_ours(const struct host *host, const struct link *link)
{
    return strcmp(link->kind, "bridge") == 0 && alias_is(host, link, ALIAS_BRIDGE);
}

static int refuse_foreign(const struct link *link, banger_error *err)
{
    (void)error_set(err, BANGER_EBUSY, "the network link '%s' exists and is not banger's",
                    link->name);
    return error_hint(err, "configure another name (plugins.bridge.bridge), or remove that link");
}

int bridge_find(const struct host *host, const char *name, struct link *link, banger_error *err)
{
    if (link_find(name, link, err) < 0) {
        return -1;
    }
    return is_ours(host, link) ? 0 : refuse_foreign(link, err);
}

/* "br-" and the instance's 12 digits fill the 15 bytes of an interface name. */
static void unfinished_name(const struct host *host, char name[IFNAMSIZ])
{
    (void)snprintf(name, IFNAMSIZ, "br-%s", host->instance);
}

/* -- Check ------------------------------------------------------------------------------------------ */

static int check_tun(banger_error *err)
{
    AUTO_CLOSE int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC); /* by itself it makes nothing */
    if (fd >= 0) {
        return 0;
    }
    if (errno == EACCES || errno == EPERM) {
        (void)error_sys(err, errno, "cannot open /dev/net/tun");
        return error_hint(err, "run bangerd as root");
    }
    (void)error_set(err, BANGER_EUNSUPPORTED, "this host has no TAP devices: /dev/net/tun: %s",
                    strerror(errno));
    return error_hint(err, "load the kernel module 'tun' (modprobe tun)");
}

/* How many ports it has, and the first of them. */
static int count_ports(const struct link *bridge, struct link *first, size_t *count,
                       banger_error *err)
{
    AUTO_FREE struct link *links = NULL;
    size_t all = 0;
    if (link_list("", &links, &all, err) < 0) {
        return -1;
    }
    *count = 0;
    for (size_t i = 0; i < all; i++) {
        if (links[i].master == bridge->index && (*count)++ == 0) {
            *first = links[i];
        }
    }
    return 0;
}

static bool has_address(const struct address *list, size_t count, const struct address *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (address_equal(&list[i], wanted) && list[i].prefix == wanted->prefix) {
            return true;
        }
    }
    return false;
}

/* Another address would cut those off who have the present one as their gateway. */
static int check_address(const struct link *bridge, const char *text, banger_error *err)
{
    AUTO_FREE struct address *list = NULL;
    struct address wanted;
    struct link port;
    size_t count = 0;
    size_t ports = 0;
    if (address_parse(text, &wanted, err) < 0 ||
        address_list(bridge, wanted.family, &list, &count, err) < 0) {
        return -1;
    }
    if (count == 0 || has_address(list, count, &wanted)) {
        return 0;
    }
    if (count_ports(bridge, &port, &ports, err) < 0) {
        return -1;
    }
    if (ports == 0) {
        return 0;
    }
    char present[ADDRESS_TEXT_MAX];
    address_format(&list[0], present);
    (void)error_set(
        err, BANGER_EBUSY,
        "the bridge '%s' has the address %s and ports that use it, '%s' first: it cannot "
        "become %s",
        bridge->name, present, port.name, text);
    return error_hint(err, "stop the VMs that run, or keep the range as it was");
}

int bridge_check(const struct host *host, const struct bridge_plan *plan, banger_error *err)
{
    banger_error sought = BANGER_ERROR_INIT;
    struct link link;
    /* First: who may do nothing here is not in the way of another's bridge, and takes another network. */
    if (netlink_check_privilege(err) < 0 || check_tun(err) < 0) {
        return -1;
    }
    bool there = bridge_find(host, plan->name, &link, &sought) == 0;
    if (!there && sought.code != BANGER_ENOTFOUND) {
        error_join(err, &sought);
        return -1;
    }
    if (there && check_address(&link, plan->address, err) < 0) {
        return -1;
    }
    if (route_check_overlap(plan->address, plan->name, err) < 0 ||
        (plan->address6 != NULL && route_check_overlap(plan->address6, plan->name, err) < 0)) {
        return -1;
    }
    return 0;
}

/* -- Make ------------------------------------------------------------------------------------------- */

/* 02: locally administered, unicast (IEEE 802, 8.2); fc; the four bytes of the address. */
static void derive_mac(const struct address *address, unsigned char mac[MAC_LENGTH])
{
    const unsigned char prefix[] = {0x02, 0xfc};
    memcpy(mac, prefix, sizeof(prefix));
    memcpy(mac + sizeof(prefix), address->bytes, MAC_LENGTH - sizeof(prefix));
}

/* A request about a bridge: a new one (index 0, by name), or one that is there. */
static struct nl_msg *bridge_message(int index, int flags, struct nlattr **kind,
                                     struct nlattr **data)
{
    struct ifinfomsg info = {.ifi_index = index};
    struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWLINK, flags);
    if (message == NULL) {
        return NULL;
    }
    /* A message has room for a page: all of this, and what is added, fits. */
    (void)nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO);
    *kind = nla_nest_start(message, IFLA_LINKINFO);
    (void)nla_put_string(message, IFLA_INFO_KIND, "bridge");
    *data = nla_nest_start(message, IFLA_INFO_DATA);
    return message;
}

/* A delay of 0 lets a guest's first frame through. It is refused while STP is on, and the kernel looks
 * at it first: so a bridge that is there gets it by a second request. */
static struct nl_msg *shape_message(int index, int flags, const char *name,
                                    const unsigned char mac[MAC_LENGTH], bool delay)
{
    struct nlattr *kind = NULL;
    struct nlattr *data = NULL;
    struct nl_msg *message = bridge_message(index, flags, &kind, &data);
    if (message == NULL) {
        return NULL;
    }
    /* Frames to 01:80:c2:00:00:0X pass no hook of nft: a guest's must not teach the bridge addresses. */
    const struct br_boolopt_multi options = {.optval = 1U << BR_BOOLOPT_NO_LL_LEARN,
                                             .optmask = 1U << BR_BOOLOPT_NO_LL_LEARN};
    (void)nla_put(message, IFLA_BR_MULTI_BOOLOPT, sizeof(options), &options);
    (void)nla_put_u32(message, IFLA_BR_STP_STATE, 0);
    if (delay) {
        (void)nla_put_u32(message, IFLA_BR_FORWARD_DELAY, 0);
    }
    (void)nla_nest_end(message, data);
    (void)nla_nest_end(message, kind);
    if (name != NULL) {
        (void)nla_put_string(message, IFLA_IFNAME, name);
    }
    if (mac != NULL) {
        (void)nla_put(message, IFLA_ADDRESS, MAC_LENGTH, mac);
    }
    return message;
}

static struct nl_msg *alias_message(const char *name, const char *alias)
{
    struct ifinfomsg info = {.ifi_index = 0};
    struct nl_msg *message = nlmsg_alloc_simple(RTM_SETLINK, 0);
    if (message != NULL) {
        (void)nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO);
        (void)nla_put_string(message, IFLA_IFNAME, name);
        (void)nla_put_string(message, IFLA_IFALIAS, alias);
    }
    return message;
}

/* (1) and (2) */
static int make_unfinished(const struct host *host, const char *name,
                           const unsigned char mac[MAC_LENGTH], struct link *link,
                           banger_error *err)
{
    char alias[ALIAS_MAX];
    alias_format(host, ALIAS_BRIDGE, alias);
    struct nl_msg *const messages[] = {
        shape_message(0, NLM_F_CREATE | NLM_F_EXCL, name, mac, true),
        alias_message(name, alias),
    };
    int result = netlink_send(messages, COUNT_OF(messages));
    if (result == -NLE_OPNOTSUPP) {
        return error_set(err, BANGER_EUNSUPPORTED, "this host's kernel has no bridges");
    }
    if (result < 0) {
        return netlink_error(err, result, "cannot make a bridge");
    }
    return link_find(name, link, err);
}

/* (1) to (3) */
static int make(const struct host *host, const char *name, const unsigned char mac[MAC_LENGTH],
                struct link *link, banger_error *err)
{
    char unfinished[IFNAMSIZ];
    banger_error failure = BANGER_ERROR_INIT;
    unfinished_name(host, unfinished);
    if (bridge_find(host, unfinished, link, &failure) < 0) {
        if (failure.code != BANGER_ENOTFOUND) {
            error_join(err, &failure);
            return -1;
        }
        if (make_unfinished(host, unfinished, mac, link, err) < 0) {
            return -1;
        }
    }
    if (failpoint("bridge.make", "unnamed", err) < 0) {
        return -1;
    }
    failure = BANGER_ERROR_INIT;
    const struct link_change change = {.name = name, .master = -1};
    if (link_change(link, &change, &failure) == 0) {
        (void)snprintf(link->name, sizeof(link->name), "%s", name);
        return 0;
    }
    (void)link_delete(link, NULL);
    if (failure.code == BANGER_EEXISTS) {
        return error_set(err, BANGER_EBUSY, "a network link '%s' has just been made by another",
                         name);
    }
    error_join(err, &failure);
    return -1;
}

/* -- Keep as planned -------------------------------------------------------------------------------- */

static int write_switch(const char *family, const char *name, const char *key, int value,
                        banger_error *err)
{
    AUTO_FREE char *path = str_format("net/%s/conf/%s/%s", family, name, key);
    int have = 0;
    /* Some writes cost the kernel a wait for all processors, even of the value that is there. */
    return sysctl_read(path, &have, NULL) == 0 && have == value ? 0
                                                                : sysctl_write(path, value, err);
}

static int set_switches(const struct bridge_plan *plan, banger_error *err)
{
    banger_error failure = BANGER_ERROR_INIT;
    bool ipv6 = plan->address6 != NULL;
    /* What is published on 127.0.0.1 leaves through the bridge with that source. The firewall's
     * input chain keeps guests from using the way back. */
    if (write_switch("ipv4", plan->name, "route_localnet", 1, err) < 0) {
        return -1;
    }
    if (write_switch("ipv6", plan->name, "disable_ipv6", ipv6 ? 0 : 1, &failure) < 0 &&
        (ipv6 ||
         failure.code != BANGER_ENOTFOUND)) { /* a kernel without IPv6 has none to disable */
        error_join(err, &failure);
        return -1;
    }
    /* This host takes no routes from guests. */
    return ipv6 ? write_switch("ipv6", plan->name, "accept_ra", 0, err) : 0;
}

/* Of ours that was there already. The MAC only when it differs: setting it, even to what it is, makes
 * the kernel forget every guest's ARP entry. */
static int reshape(const struct link *link, const unsigned char mac[MAC_LENGTH], banger_error *err)
{
    bool same = memcmp(link->mac, mac, MAC_LENGTH) == 0;
    struct nl_msg *const messages[] = {
        shape_message(link->index, 0, NULL, same ? NULL : mac, false),
        shape_message(link->index, 0, NULL, NULL, true),
    };
    int result = netlink_send(messages, COUNT_OF(messages));
    return result < 0 ? netlink_error(err, result, "cannot change the bridge '%s'", link->name) : 0;
}

static int finish(const struct bridge_plan *plan, const struct link *link,
                  const struct address *address, banger_error *err)
{
    const struct link_change raise = {.master = -1, .raise = true};
    struct address address6;
    if (set_switches(plan, err) < 0 || (!link->up && link_change(link, &raise, err) < 0) ||
        address_replace(link, address, err) < 0) {
        return -1;
    }
    if (plan->address6 == NULL) {
        return 0; /* none is left where IPv6 is off */
    }
    return address_parse(plan->address6, &address6, err) < 0
               ? -1
               : address_replace(link, &address6, err);
}

static int ensure_locked(const struct host *host, const struct bridge_plan *plan, bool *created,
                         banger_error *err)
{
    banger_error sought = BANGER_ERROR_INIT;
    struct address address;
    struct link link;
    unsigned char mac[MAC_LENGTH];
    if (address_parse(plan->address, &address, err) < 0) {
        return -1;
    }
    derive_mac(&address, mac);
    bool there = bridge_find(host, plan->name, &link, &sought) == 0;
    if (!there && sought.code != BANGER_ENOTFOUND) {
        error_join(err, &sought);
        return -1;
    }
    if (there ? reshape(&link, mac, err) < 0 : make(host, plan->name, mac, &link, err) < 0) {
        return -1;
    }
    *created = !there;
    if (failpoint("bridge.make", "named", err) < 0) {
        return -1;
    }
    return finish(plan, &link, &address, err);
}

int bridge_ensure(const struct host *host, const struct bridge_plan *plan, bool *created,
                  banger_error *err)
{
    bool made = false;
    (void)pthread_mutex_lock(&making);
    int result = ensure_locked(host, plan, &made, err);
    (void)pthread_mutex_unlock(&making);
    if (created != NULL) {
        *created = made;
    }
    return result;
}

/* -- Remove ----------------------------------------------------------------------------------------- */

static int remove_locked(const struct host *host, const char *name, banger_error *err)
{
    size_t count = 0;
    struct link bridge;
    struct link port;
    banger_error sought = BANGER_ERROR_INIT;
    if (bridge_find(host, name, &bridge, &sought) < 0) {
        /* A stranger's link of that name: ours is gone. */
        if (sought.code == BANGER_ENOTFOUND || sought.code == BANGER_EBUSY) {
            return 0;
        }
        error_join(err, &sought);
        return -1;
    }
    if (count_ports(&bridge, &port, &count, err) < 0) {
        return -1;
    }
    if (count > 0) {
        return error_set(err, BANGER_EBUSY, "'%s' is still a port of the bridge '%s'", port.name,
                         name);
    }
    return link_delete(&bridge, err);
}

int bridge_remove(const struct host *host, const char *name, banger_error *err)
{
    char unfinished[IFNAMSIZ];
    unfinished_name(host, unfinished);
    (void)pthread_mutex_lock(&making);
    int result = remove_locked(host, name, err);
    if (result == 0) {
        result = remove_locked(host, unfinished, err);
    }
    (void)pthread_mutex_unlock(&making);
    return result;
}

/* -- Guests' addresses ------------------------------------------------------------------------------ */

/* The bridge's address in whose network it lies; NULL: none. */
static const struct address *find_network(const struct address *list, size_t count,
                                          const struct address *guest)
{
    for (size_t i = 0; i < count; i++) {
        if (guest->prefix >= list[i].prefix && address_overlaps(&list[i], guest)) {
            return &list[i];
        }
    }
    return NULL;
}

/* What the address stands for instead of a guest; NULL: nothing. */
static const char *find_reserved(const struct address *own, const struct address *guest)
{
    if (address_equal(own, guest)) {
        return "the bridge's own address";
    }
    if (address_is_edge(guest, own, false)) {
        return guest->family == AF_INET6 ? "the address of all routers" : "the network's address";
    }
    if (guest->family == AF_INET && address_is_edge(guest, own, true)) {
        return "the broadcast address";
    }
    return NULL;
}

int bridge_check_guest(const struct host *host, const char *bridge, const char *address,
                       banger_error *err)
{
    AUTO_FREE struct address *list = NULL;
    size_t count = 0;
    struct address guest;
    struct link link;
    char text[ADDRESS_TEXT_MAX];
    if (address_parse(address, &guest, err) < 0 || bridge_find(host, bridge, &link, err) < 0 ||
        address_list(&link, guest.family, &list, &count, err) < 0) {
        return -1;
    }
    const struct address *own = find_network(list, count, &guest);
    if (own == NULL) {
        return error_set(err, BANGER_EINVALID, "%s does not lie in the range of the bridge '%s'",
                         address, bridge);
    }
    struct address network = address_network(own);
    address_format(&network, text);
    const char *reserved = find_reserved(own, &guest);
    return reserved == NULL
               ? 0
               : error_set(err, BANGER_EINVALID, "%s is %s in %s", address, reserved, text);
}
