/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where NAT leads to: a configured link, or those of the default routes. In the second case a thread
 * listens to what changes routes and keeps each table's set `uplinks` as the routes are.
 */
#ifndef HOST_UPLINK_H
#define HOST_UPLINK_H

#include "host/host.h"

#define UPLINK_AUTO "auto"

/* Whether it can be used: a configured one must exist (ENOTFOUND, with the nearest existing name as a
 * hint); "auto" needs nothing: without a default route there is nowhere to go, until there is one. */
int uplink_check(const char *uplink, banger_error *err);
/* Fills the bridge's table (firewall_set_uplinks), and follows the routes when it is "auto". For each
 * bridge the latest call counts. Idempotent. */
int uplink_apply(struct host *host, const char *bridge, const char *uplink, banger_error *err);
void uplink_close(struct host *host);

#endif
