/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be said of a specification before anything is made or changed for it: its network accepts
 * it (ports that are free, a range that overlaps nothing), and so do the capabilities. The same
 * questions as a start's preflight asks, without the VMM and the disk.
 */
#ifndef LIFECYCLE_PRECHECK_H
#define LIFECYCLE_PRECHECK_H

#include "lifecycle/engine.h"
#include "store/vm_table.h"

/* `vm` has its id, name and specification; image and kernel may still be unknown. */
int precheck_network(struct engine *engine, const struct vm_record *vm, banger_error *err);
/* The same, then every capability's `check`: image and kernel are there. Of `caller` only `warn` is used, for
 * what on_error = "warn" lets pass. */
int precheck_vm(struct engine *engine, const struct caller *caller, const struct vm_record *vm,
                banger_error *err);

#endif
