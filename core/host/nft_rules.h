/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a table's chains and rules are still those that they were, asked of the kernel itself. */
#ifndef HOST_NFT_RULES_H
#define HOST_NFT_RULES_H

#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

/* Appends what identifies the table, its chains and its rules: names, hooks, policies, flags and
 * handles. A handle is given once (the table's by the namespace, a chain's or rule's by the table), and
 * what has it never changes, so that equal bytes are equal rules, in the same order. What lies in
 * sets, and counters, are no part of it. `family`: NFPROTO_INET, NFPROTO_BRIDGE. ENOTFOUND: no such table. */
int nft_rules_read(uint8_t family, const char *table, struct buf *identity, banger_error *err);

/* The number of the last transaction of anybody in this network namespace. */
int nft_rules_generation(uint32_t *generation, banger_error *err);

#endif
