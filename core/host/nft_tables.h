/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which tables there are, asked of the kernel itself: libnftables 1.0.6 frees the flags of a table that has
 * any before it prints them as JSON (table_flags_json in its src/json.c), so that `list tables` is not
 * safe on a host where somebody has a dormant one.
 */
#ifndef HOST_NFT_TABLES_H
#define HOST_NFT_TABLES_H

#include "base/error.h"

#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

#define NFT_TABLE_NAME_MAX NFT_NAME_MAXLEN

/* The first table of the family whose name is meant; "": there is none. EPERMISSION; EUNSUPPORTED: this
 * kernel has no nf_tables. `own` is handed on to `is_meant`. */
int nft_tables_find(uint8_t family, bool (*is_meant)(const char *name, const char *own),
                    const char *own, char found[NFT_TABLE_NAME_MAX], banger_error *err);

#endif
