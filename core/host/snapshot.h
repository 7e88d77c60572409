/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM's root disk as a device-mapper snapshot: what the guest reads comes from the image until it has
 * written there; what it writes goes to a sparse file of the VM's own.
 *
 *       /dev/mapper/banger-INSTANCE-ID
 *      +---------------------------------------+----------------------------+
 *      | snapshot                              | linear                     |   one table, two rows
 *      +---------------------------------------+----------------------------+
 *        |                    |                    |
 *      loop, read-only      loop                 loop
 *      images/ID/rootfs     vms/ID/rootfs.cow    vms/ID/rootfs.tail
 *      one for all VMs      the VM's             the VM's: what its disk has beyond the image; none
 *                                                where it has nothing beyond
 *
 * The table holds the loop devices: they go with it (loop_device.h). The image's file is opened for
 * reading only.
 */
#ifndef HOST_SNAPSHOT_H
#define HOST_SNAPSHOT_H

#include "host/host.h"

#include <stdint.h>

struct snapshot_plan {
    const char *base; /* paths; below the state folder */
    const char *cow;
    const char *tail;   /* NULL: none */
    uint64_t base_size; /* the base that is meant; another file at its path is refused */
    uint64_t base_inode;
    uint64_t chunk; /* bytes; a power of 2 */
};

enum snapshot_state {
    SNAPSHOT_OK,
    SNAPSHOT_FULL,    /* writes fail; what was written before is there, after a restart too */
    SNAPSHOT_INVALID, /* everything fails: its file could not be written to */
    SNAPSHOT_GONE,    /* the VM has none */
};

struct snapshot_status {
    enum snapshot_state state;
    uint64_t used; /* bytes of the COW file, its metadata among them */
    uint64_t total;
};

int snapshot_check(banger_error *err);
/* Makes the device anew; one of this VM that a killed daemon left is replaced. EINVALID: a path that
 * is none of ours. ECORRUPT: the base is another file than was meant. */
int snapshot_attach(struct host *host, const char *vm_id, const struct snapshot_plan *plan,
                    banger_error *err);
/* Idempotent. */
int snapshot_detach(const struct host *host, const char *vm_id, banger_error *err);
int snapshot_status(const struct host *host, const char *vm_id, struct snapshot_status *status,
                    banger_error *err);

#endif
