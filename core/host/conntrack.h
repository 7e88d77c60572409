/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections that the kernel remembers. */
#ifndef HOST_CONNTRACK_H
#define HOST_CONNTRACK_H

#include "base/error.h"

/* Forgets every connection from or to the IPv4 address, also those translated to it: so that the next
 * guest with this address gets nothing of the last one's. Idempotent; a kernel without conntrack is a
 * success. */
int conntrack_forget(const char *address, banger_error *err);

#endif
