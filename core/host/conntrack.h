/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections that the kernel remembers. */
#ifndef HOST_CONNTRACK_H
#define HOST_CONNTRACK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Forgets every connection from or to the IPv4 address, also those translated to it: so that the next
 * guest with this address gets nothing of the last one's. Idempotent; a kernel without conntrack is a
 * success. */
int conntrack_forget(const char *address, banger_error *err);

struct conntrack_port {
    bool udp;
    uint16_t port;
};

/* The same of those alone that came in for one of these ports of this host and were led to the address:
 * a port that is taken back ends at once. For UDP also of those that were led nowhere, while the port
 * was not yet published: whoever goes on sending would keep such a one alive for ever, and would not be
 * translated. */
int conntrack_forget_ports(const char *address, const struct conntrack_port *ports, size_t count,
                           banger_error *err);

#endif
