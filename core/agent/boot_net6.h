/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A static IPv6 address and default route. */
#ifndef AGENT_BOOT_NET6_H
#define AGENT_BOOT_NET6_H

#include <netinet/in.h>
#include <stdbool.h>

struct interface6 {
    struct in6_addr address, gateway; /* gateway all zero: none */
    unsigned bits;
};

/* `gateway` "-": none. */
bool boot_net6_parse(const char *address, unsigned long bits, const char *gateway,
                     struct interface6 *v6);
/* On an interface that is there; -1 with errno. */
int boot_net6_apply(const char *name, const struct interface6 *v6);

#endif
