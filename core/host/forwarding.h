/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net.ipv4.ip_forward. How it was found is written below the run folder before it is changed: both
 * end with the boot, so that the note never tells of another one's state (the boot id is in it, for
 * run folders that stay).
 */
#ifndef HOST_FORWARDING_H
#define HOST_FORWARDING_H

#include "host/host.h"

int forwarding_on(struct host *host, banger_error *err);      /* idempotent */
int forwarding_restore(struct host *host, banger_error *err); /* as it was found; idempotent */

#endif
