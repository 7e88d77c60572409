/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets to the kernel, and libnl's results as our errors. */
#ifndef HOST_NETLINK_H
#define HOST_NETLINK_H

#include "base/error.h"

#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <stddef.h>

/* A route socket of the caller's own: sockets are cheap, and one that is shared needs a lock. Free
 * with nl_socket_free (AUTO_NL). NULL on failure. */
struct nl_sock *netlink_open(banger_error *err);

/* Fills a new cache by `fill` (rtnl_link_alloc_cache ... bound by the caller), again when the kernel
 * says that the dump was interrupted (NLE_DUMP_INTR), a bounded number of times. Free with
 * nl_cache_free (AUTO_CACHE). */
typedef int (*netlink_fill)(struct nl_sock *sock, struct nl_cache **cache);
struct nl_cache *netlink_dump(netlink_fill fill, banger_error *err);

/* Sends the messages in one datagram and waits for every answer. The kernel works a datagram off
 * within the one system call that sends it: whoever is killed has had all of them done, or none.
 * Takes the messages, NULL (no memory) among them. Returns libnl's result: the first that failed. */
int netlink_send(struct nl_msg *const *messages, size_t count);

/* Whether the kernel would let us change links here; nothing is changed. EPERMISSION. */
int netlink_check_privilege(banger_error *err);

/* A negative libnl result as an error: EPERMISSION, ENOTFOUND, EEXISTS, EBUSY or EIO. Returns -1. */
int netlink_error(banger_error *err, int result, const char *format, ...) BANGER_PRINTF(3, 4);

static inline void cleanup_nl_sock(struct nl_sock **sock)
{
    nl_socket_free(*sock);
}

static inline void cleanup_nl_cache(struct nl_cache **cache)
{
    nl_cache_free(*cache);
}

#define AUTO_NL __attribute__((cleanup(cleanup_nl_sock)))
#define AUTO_CACHE __attribute__((cleanup(cleanup_nl_cache)))

#endif
