/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Single values below /proc/sys/net. */
#ifndef HOST_SYSCTL_H
#define HOST_SYSCTL_H

#include "base/error.h"

/* `key` is a path below /proc/sys: "net/ipv4/ip_forward", "net/ipv6/conf/br-fc/disable_ipv6".
 * ENOTFOUND: this kernel (or this link) does not have it. */
int sysctl_read(const char *key, int *value, banger_error *err);
int sysctl_write(const char *key, int value, banger_error *err);

#endif
