/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host's routing says. */
#ifndef HOST_ROUTE_H
#define HOST_ROUTE_H

#include "host/host.h"

#include <net/if.h>

/* EINVALID, with the route named, when a route of the host through another link than `except`
 * overlaps the prefix ("172.16.0.0/24"); default routes overlap nothing. */
int route_check_overlap(const char *prefix, const char *except, banger_error *err);
/* The links of the host's IPv4 default routes (main table), best metric first, at most `max`. ENOTFOUND
 * when there is none. */
int route_uplinks(char (*names)[IFNAMSIZ], size_t max, size_t *count, banger_error *err);

#endif
