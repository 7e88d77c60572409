/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What lies in a set or map, read from the kernel itself. libnftables lists as JSON only, which takes
 * 7 ms for a thousand elements where this takes one: too long for every stop of a VM.
 */
#ifndef HOST_NFT_SET_H
#define HOST_NFT_SET_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define NFT_FIELDS_MAX 64  /* NFT_DATA_VALUE_MAXLEN, linux/netfilter/nf_tables.h */
#define NFT_COMMENT_MAX 64 /* ours are short; a longer one is cut */

/* The fields of a key or value follow one another, each padded to four bytes, in network order: what
 * nft calls `ipv4_addr . inet_proto . inet_service` is twelve bytes. Behind the last one are zeros. */
struct nft_element {
    uint8_t key[NFT_FIELDS_MAX];
    uint8_t value[NFT_FIELDS_MAX]; /* zeros: a set's */
    char comment[NFT_COMMENT_MAX]; /* "": none */
};

/* `family`: NFPROTO_INET, NFPROTO_BRIDGE. `*list` is the caller's to free. ENOTFOUND: no such table or
 * set. */
int nft_set_read(uint8_t family, const char *table, const char *set, struct nft_element **list,
                 size_t *count, banger_error *err);

#endif
