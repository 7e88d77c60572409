/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device-mapper devices, one a VM.
 *
 * Named "banger-INSTANCE-SHORT_ID" for people; whose it is says its UUID, "BANGER-INSTANCE-VM_ID". It
 * is found, asked and removed by the UUID alone, in the one request that does it: a device of
 * somebody else's that has our name, made at whatever moment, is never touched.
 */
#ifndef HOST_DM_H
#define HOST_DM_H

#include "host/host.h"

#include <stddef.h>
#include <stdint.h>

/* "/dev/mapper/banger-", the instance, "-", a short id. */
#define DM_PATH_MAX 48

/* One row of a device's table, in sectors of 512 bytes. */
struct dm_row {
    uint64_t start;
    uint64_t length;
    const char *target; /* "snapshot", "linear" */
    const char *parameters;
};

/* Whether device-mapper is here, may be used, and has (or can load) `target`. */
int dm_check(const char *target, banger_error *err);
/* Makes the VM's device with this table; its node is there when this returns. EBUSY: a device of that
 * name is not ours. */
int dm_create(const struct host *host, const char *vm_id, const struct dm_row *rows, size_t count,
              banger_error *err);
/* Removes the VM's device; none of ours there is a success. EBUSY: somebody has it open, for longer
 * than we wait. */
int dm_remove(const struct host *host, const char *vm_id, banger_error *err);
/* What `target`, the first row, says of itself. ENOTFOUND: the VM has no device. A new string. */
int dm_status(const struct host *host, const char *vm_id, const char *target, char **text,
              banger_error *err);

void dm_path(const struct host *host, const char *vm_id, char path[DM_PATH_MAX]);

#endif
