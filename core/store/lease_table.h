/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Leases: numbers that VMs have of a pool, such as the host part of an address. A VM keeps its number
 * across runs, until its record goes; a new one gets the lowest that is free.
 */
#ifndef STORE_LEASE_TABLE_H
#define STORE_LEASE_TABLE_H

#include "store/store.h"

#include <stdbool.h>

struct lease_pool {
    const char *owner; /* the plugin */
    const char *name;
    int64_t first; /* both ends belong to it */
    int64_t last;
};

/* The VM's number, or the lowest free one, which becomes the VM's unless it only asks. A number that
 * the pool does not have (any more) is given up for one that it has. EBUSY: none is free. */
int lease_take(struct store *store, const struct lease_pool *pool, const char *vm_id, bool asks,
               int64_t *number, banger_error *err);

#endif
