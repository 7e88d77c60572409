/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/link.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/netlink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>

static void link_read(struct rtnl_link *from, struct link *link)
{
    struct nl_addr *mac = rtnl_link_get_addr(from);
    *link = (struct link){
        .index = rtnl_link_get_ifindex(from),
        .master = rtnl_link_get_master(from),
        .up = (rtnl_link_get_flags(from) & IFF_UP) != 0,
        .carrier = rtnl_link_get_carrier(from) != 0,
        .group = rtnl_link_get_group(from),
    };
    (void)snprintf(link->name, sizeof(link->name), "%s", str_or(rtnl_link_get_name(from), ""));
    (void)snprintf(link->kind, sizeof(link->kind), "%s", str_or(rtnl_link_get_type(from), ""));
    (void)snprintf(link->alias, sizeof(link->alias), "%s", str_or(rtnl_link_get_ifalias(from), ""));
    if (mac != NULL && nl_addr_get_len(mac) == MAC_LENGTH) {
        memcpy(link->mac, nl_addr_get_binary_addr(mac), MAC_LENGTH);
    }
}

int link_find(const char *name, struct link *link, banger_error *err)
{
    AUTO_NL struct nl_sock *sock = netlink_open(err);
    if (sock == NULL) {
        return -1;
    }
    struct rtnl_link *found = NULL;
    int result = rtnl_link_get_kernel(sock, 0, name, &found);
    if (result == -NLE_NODEV || result == -NLE_OBJ_NOTFOUND) {
        return error_set(err, BANGER_ENOTFOUND, "there is no network link '%s'", name);
    }
    if (result < 0) {
        return netlink_error(err, result, "cannot look for the network link '%s'", name);
    }
    link_read(found, link);
    rtnl_link_put(found);
    return 0;
}

static int fill_links(struct nl_sock *sock, struct nl_cache **cache)
{
    return rtnl_link_alloc_cache(sock, AF_UNSPEC, cache);
}

int link_list(const char *prefix, struct link **links, size_t *count, banger_error *err)
{
    AUTO_CACHE struct nl_cache *cache = netlink_dump(fill_links, err);
    if (cache == NULL) {
        return -1;
    }
    struct link *list = xcalloc((size_t)nl_cache_nitems(cache) + 1, sizeof(*list));
    size_t found = 0;
    for (struct nl_object *at = nl_cache_get_first(cache); at != NULL; at = nl_cache_get_next(at)) {
        link_read((struct rtnl_link *)at, &list[found]);
        if (str_starts(list[found].alias, prefix)) {
            found++;
        }
    }
    *links = list;
    *count = found;
    return 0;
}

static struct nl_msg *message_new(int type, struct ifinfomsg info)
{
    struct nl_msg *message = nlmsg_alloc_simple(type, 0);
    if (message != NULL) {
        (void)nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO);
    }
    return message;
}

int link_delete(const struct link *link, banger_error *err)
{
    /* By index: names pass from one link to another, an index does not. */
    struct nl_msg *message = message_new(RTM_DELLINK, (struct ifinfomsg){.ifi_index = link->index});
    int result = netlink_send(&message, 1);
    if (result < 0 && result != -NLE_NODEV && result != -NLE_OBJ_NOTFOUND) {
        return netlink_error(err, result, "cannot delete the network link '%s'", link->name);
    }
    return 0;
}

int link_change(const struct link *link, const struct link_change *change, banger_error *err)
{
    struct ifinfomsg info = {
        .ifi_index = link->index,
        .ifi_flags = change->raise ? IFF_UP : 0,
        .ifi_change = change->raise || change->lower ? IFF_UP : 0,
    };
    struct nl_msg *message = message_new(RTM_SETLINK, info);
    /* A message has room for a page: these fit. */
    if (message != NULL && change->name != NULL) {
        (void)nla_put_string(message, IFLA_IFNAME, change->name);
    }
    if (message != NULL && change->alias != NULL) {
        (void)nla_put_string(message, IFLA_IFALIAS, change->alias);
    }
    if (message != NULL && change->master >= 0) {
        (void)nla_put_u32(message, IFLA_MASTER, (uint32_t)change->master);
    }
    if (message != NULL && change->group != 0) {
        (void)nla_put_u32(message, IFLA_GROUP, change->group);
    }
    int result = netlink_send(&message, 1);
    return result < 0
               ? netlink_error(err, result, "cannot change the network link '%s'", link->name)
               : 0;
}
