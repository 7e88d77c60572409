/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of addresses: in-addr.arpa (RFC 1035, 3.5) and ip6.arpa (RFC 3596, 2.5). Pure. */
#ifndef DNS_REVERSE_H
#define DNS_REVERSE_H

#include "endpoint.h"
#include "message.h"

struct reverse {
    struct address address; /* the bits that the name gives, zeros behind them */
    unsigned bits;
    size_t labels; /* that were understood, "in-addr.arpa" included; the name may have more */
    bool whole;    /* the bits are all of an address */
};

/* False: the name lies in neither tree. */
bool reverse_parse(const struct query *query, struct reverse *reverse);
/* How many labels the smallest name has that gives `prefix` bits. */
size_t reverse_labels(int family, unsigned prefix);
/* Are the first `bits` bits of both the same? */
bool reverse_matches(const struct address *a, const struct address *b, unsigned bits);

#endif
