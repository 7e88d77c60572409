/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bridge that guests are ports of. */
#ifndef HOST_BRIDGE_H
#define HOST_BRIDGE_H

#include "host/link.h"

struct bridge_plan {
    const char *name;     /* "br-fc" */
    const char *address;  /* "172.16.0.1/24": the guests' gateway */
    const char *address6; /* "fd..::1/64"; NULL: IPv6 is switched off on it */
};

/* What can be said before anything is made: a link of that name that is not ours (EBUSY, named); a
 * prefix that overlaps a route of the host through another link (EINVALID, the route named); no
 * privilege (EPERMISSION); no /dev/net/tun (EUNSUPPORTED). */
int bridge_check(const struct host *host, const struct bridge_plan *plan, banger_error *err);
/* Makes it, or brings ours up to the plan (a changed address replaces the old one). `created` may be
 * NULL. STP off, forward delay 0, and a fixed MAC of its own, so that it does not change with its
 * ports (a bridge otherwise takes the lowest of theirs, and guests' ARP entries go stale). */
int bridge_ensure(const struct host *host, const struct bridge_plan *plan, bool *created,
                  banger_error *err);
/* EBUSY while a VM's TAP is a port of it. Idempotent. */
int bridge_remove(const struct host *host, const char *name, banger_error *err);
/* Ours, or an error. */
int bridge_find(const struct host *host, const char *name, struct link *link, banger_error *err);
/* Whether the address lies in the bridge's IPv4 range and is none of its own, the network's or the
 * broadcast address; IPv6 likewise. */
int bridge_check_guest(const struct host *host, const char *bridge, const char *address,
                       banger_error *err);

#endif
