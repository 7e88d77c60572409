/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/route.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/address.h"
#include "host/netlink.h"

#include <linux/rtnetlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

static int fill_routes4(struct nl_sock *sock, struct nl_cache **cache)
{
    return rtnl_route_alloc_cache(sock, AF_INET, 0, cache);
}

static int fill_routes6(struct nl_sock *sock, struct nl_cache **cache)
{
    return rtnl_route_alloc_cache(sock, AF_INET6, 0, cache);
}

bool route_is_default(int family, unsigned prefix_bits)
{
    return prefix_bits <= (family == AF_INET6 ? 3 : 1);
}

/* -- Overlap ---------------------------------------------------------------------------------------- */

/* The first of the route's links that is not `except`; false: it has none, as a blackhole, which
 * says that addresses are not used rather than that they are. */
static bool leads_elsewhere(struct rtnl_route *route, const char *except, char name[IFNAMSIZ])
{
    for (int i = 0; i < rtnl_route_get_nnexthops(route); i++) {
        int index = rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, i));
        if (index > 0 && if_indextoname((unsigned)index, name) != NULL &&
            !str_equal(name, except)) {
            return true;
        }
    }
    return false;
}

/* Also the table "local": the addresses of this host, which need no other route. */
static bool is_conflict(struct rtnl_route *route, const struct address *wanted, const char *except,
                        struct address *network, char name[IFNAMSIZ])
{
    int type = rtnl_route_get_type(route);
    return (type == RTN_UNICAST || type == RTN_LOCAL) &&
           address_from_nl(rtnl_route_get_dst(route), network) &&
           !route_is_default(network->family, network->prefix) &&
           address_overlaps(network, wanted) && leads_elsewhere(route, except, name);
}

int route_check_overlap(const char *prefix, const char *except, banger_error *err)
{
    struct address wanted;
    struct address network;
    char name[IFNAMSIZ];
    if (address_parse(prefix, &wanted, err) < 0) {
        return -1;
    }
    AUTO_CACHE struct nl_cache *cache =
        netlink_dump(wanted.family == AF_INET6 ? fill_routes6 : fill_routes4, err);
    if (cache == NULL) {
        return -1;
    }
    for (struct nl_object *at = nl_cache_get_first(cache); at != NULL; at = nl_cache_get_next(at)) {
        if (is_conflict((struct rtnl_route *)at, &wanted, except, &network, name)) {
            char route[ADDRESS_TEXT_MAX];
            address_format(&network, route);
            (void)error_set(err, BANGER_EINVALID, "%s overlaps a route of this host: %s through %s",
                            prefix, route, name);
            return error_hint(err,
                              "give the guests another range: plugins.bridge.subnet in config.lua");
        }
    }
    return 0;
}

/* -- Uplinks ---------------------------------------------------------------------------------------- */

struct uplink {
    unsigned prefix;
    uint32_t metric;
    int index;
};

static int compare_uplinks(const void *left, const void *right)
{
    const struct uplink *a = left;
    const struct uplink *b = right;
    if (a->prefix != b->prefix) {
        return a->prefix > b->prefix ? -1 : 1;
    }
    if (a->metric != b->metric) {
        return a->metric < b->metric ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

/* Appends each link of the route, when it is a default route. */
static void add_uplinks(struct rtnl_route *route, struct buf *uplinks)
{
    struct address network;
    if (rtnl_route_get_table(route) != RT_TABLE_MAIN || rtnl_route_get_type(route) != RTN_UNICAST ||
        !address_from_nl(rtnl_route_get_dst(route), &network) ||
        !route_is_default(network.family, network.prefix)) {
        return;
    }
    for (int i = 0; i < rtnl_route_get_nnexthops(route); i++) {
        struct uplink uplink = {
            .prefix = network.prefix,
            .metric = rtnl_route_get_priority(route),
            .index = rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, i)),
        };
        buf_append(uplinks, &uplink, sizeof(uplink));
    }
}

static bool has_name(char (*names)[IFNAMSIZ], size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

int route_uplinks(char (*names)[IFNAMSIZ], size_t max, size_t *count, banger_error *err)
{
    AUTO_CACHE struct nl_cache *cache = netlink_dump(fill_routes4, err);
    AUTO_BUF struct buf uplinks = BUF_INIT;
    if (cache == NULL) {
        return -1;
    }
    for (struct nl_object *at = nl_cache_get_first(cache); at != NULL; at = nl_cache_get_next(at)) {
        add_uplinks((struct rtnl_route *)at, &uplinks);
    }
    size_t total = uplinks.length / sizeof(struct uplink);
    const struct uplink *list = (const struct uplink *)(const void *)uplinks.data;
    if (total > 0) {
        qsort(uplinks.data, total, sizeof(*list), compare_uplinks);
    }
    *count = 0;
    for (size_t i = 0; i < total && *count < max; i++) {
        char *name = names[*count];
        if (if_indextoname((unsigned)list[i].index, name) != NULL &&
            !has_name(names, *count, name)) {
            (*count)++;
        }
    }
    return *count > 0 ? 0 : error_set(err, BANGER_ENOTFOUND, "this host has no default route");
}
