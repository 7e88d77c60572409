/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The seal on our tables, so that a start does not write again what is there: which rules we made, by
 * what text, and what the kernel has called them. It holds while the kernel still says the same of
 * both tables; whatever anybody flushed, deleted, added or replaced in them breaks it, and so does
 * another text.
 */
#ifndef HOST_FIREWALL_SEAL_H
#define HOST_FIREWALL_SEAL_H

#include "host/host.h"

#include <stdint.h>

bool firewall_seal_holds(struct host *host, const char *bridge, const char *text);
/* Right after `text` was written. Where the last transaction is not that of `generation`, somebody's
 * came in between, and there is no seal. */
void firewall_seal_set(struct host *host, const char *bridge, const char *text,
                       uint32_t generation);
void firewall_seal_free(struct firewall_seal *seal);

#endif
