/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets to the kernel, and libnl's results as our errors. */
#ifndef HOST_NETLINK_H
#define HOST_NETLINK_H

#include "base/error.h"

#include <netlink/netlink.h>

/* A route socket of the caller's own: sockets are cheap, and one that is shared needs a lock. Free
 * with nl_socket_free (AUTO_NL). NULL on failure. */
struct nl_sock *netlink_open(banger_error *err);

/* Fills a new cache by `fill` (rtnl_link_alloc_cache ... bound by the caller), again when the kernel
 * says that the dump was interrupted (NLE_DUMP_INTR), a bounded number of times. */
typedef int (*netlink_fill)(struct nl_sock *sock, struct nl_cache **cache);
struct nl_cache *netlink_dump(netlink_fill fill, banger_error *err);

/* A negative libnl result as an error: EPERMISSION, ENOTFOUND, EEXISTS, EBUSY or EIO. Returns -1. */
int netlink_error(banger_error *err, int result, const char *format, ...) BANGER_PRINTF(3, 4);

static inline void cleanup_nl_sock(struct nl_sock **sock)
{
    if (*sock != NULL) {
        nl_socket_free(*sock);
    }
}
#define AUTO_NL __attribute__((cleanup(cleanup_nl_sock)))

#endif
