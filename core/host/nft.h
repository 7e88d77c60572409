/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libnftables: text in nft's own language goes in, one transaction each; JSON comes out. */
#ifndef HOST_NFT_H
#define HOST_NFT_H

#include "host/host.h"

#include <jansson.h>

/* Runs the commands as one atomic transaction: all or nothing. EPERMISSION, EUNSUPPORTED (the kernel
 * lacks nf_tables or a part of it), EIO with nft's own words. */
int nft_run(struct host *host, const char *commands, banger_error *err);
/* Runs one `list ...` command; a new reference to the array "nftables" of its JSON. ENOTFOUND when
 * what was to be listed is not there. */
json_t *nft_list(struct host *host, const char *command, banger_error *err);
void nft_close(struct host *host);

#endif
