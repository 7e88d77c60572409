/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IP addresses with their prefixes, and those that a link has. */
#ifndef HOST_ADDRESS_H
#define HOST_ADDRESS_H

#include "host/link.h"

#include <stddef.h>
#include <stdint.h>

struct nl_addr;

struct address {
    int family;        /* AF_INET, AF_INET6 */
    uint8_t bytes[16]; /* in network order; four of them for AF_INET */
    unsigned prefix;   /* bits */
};

#define ADDRESS_TEXT_MAX 64 /* INET6_ADDRSTRLEN, "/128" and some */

/* "172.16.0.1/24", "fd00::1/64"; without a prefix it is the whole length. EINVALID. */
int address_parse(const char *text, struct address *address, banger_error *err);
/* False: no IP address. */
bool address_from_nl(const struct nl_addr *from, struct address *address);
/* "172.16.0.1/24" */
void address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]);
/* The network that it lies in: "172.16.0.0/24". */
struct address address_network(const struct address *address);
bool address_equal(const struct address *a, const struct address *b); /* prefixes aside */
/* Whether one of the two prefixes contains the other. */
bool address_overlaps(const struct address *a, const struct address *b);
/* Whether all bits behind `network`'s prefix are zero, or all are ones. */
bool address_is_edge(const struct address *address, const struct address *network, bool ones);

/* Those of a family that the link has, without IPv6's own link-local ones; `*list` is the caller's to
 * free. */
int address_list(const struct link *link, int family, struct address **list, size_t *count,
                 banger_error *err);
/* Makes `wanted` the link's only one of its family, link-local ones aside. One that is there stays
 * untouched. */
int address_replace(const struct link *link, const struct address *wanted, banger_error *err);

#endif
