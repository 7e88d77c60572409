/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Published ports, held by sockets of ours. The kernel translates packets before any socket sees
 * them, so nothing ever arrives at these: they keep a second program from listening on a port in vain,
 * and `ss -ltnup` from showing it as free. They end with the daemon, and the next one takes them again
 * (`reconciled`). Any thread may call these.
 */
#ifndef NAT_RESERVE_H
#define NAT_RESERVE_H

#include "forward.h"

/* Makes these all that the VM holds: takes what is new, then lets go of the rest. When one cannot be
 * had nothing has changed, and the reason has been given to the host. */
int reserve_set(const struct banger_host *host, struct banger_call *call, const char *vm_id,
                const struct forward_list *list);
void reserve_drop(const char *vm_id);
/* Refuses ports that nobody could take now, but for those that the VM holds already. */
int reserve_check(const struct banger_host *host, struct banger_call *call, const char *vm_id,
                  const struct forward_list *list);
void reserve_drop_all(void);

#endif
