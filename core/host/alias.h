/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "banger:INSTANCE:OWNER": whose a device is. OWNER is "bridge", "pool" or a VM's id. */
#ifndef HOST_ALIAS_H
#define HOST_ALIAS_H

#include "host/link.h"

#define ALIAS_BRIDGE "bridge"
#define ALIAS_POOL "pool"

/* `owner` "": the prefix of all that are this instance's. */
void alias_format(const struct host *host, const char *owner, char alias[ALIAS_MAX]);
bool alias_is(const struct host *host, const struct link *link, const char *owner);

#endif
