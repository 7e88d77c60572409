/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host's routing says. */
#ifndef HOST_ROUTE_H
#define HOST_ROUTE_H

#include "host/host.h"

#include <net/if.h>
#include <stddef.h>

/* A default route: 0.0.0.0/0, or one half of it (0.0.0.0/1 and 128.0.0.0/1), which VPNs lay over the
 * default route without touching it; for IPv6 up to 2000::/3, all that is routed globally. */
bool route_is_default(int family, unsigned prefix_bits);

/* EINVALID, with the route named, when a route of the host through another link than `except`
 * overlaps the prefix ("172.16.0.0/24", or an address in it); default routes overlap nothing. */
int route_check_overlap(const char *prefix, const char *except, banger_error *err);
/* The links of the host's IPv4 default routes (main table), at most `max`, each once: those of the
 * longer prefix first, then those of the better metric. ENOTFOUND when there is none. */
int route_uplinks(char (*names)[IFNAMSIZ], size_t max, size_t *count, banger_error *err);

#endif
