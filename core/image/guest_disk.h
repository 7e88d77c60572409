/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest configuration on the VM's own disk, for kernels that boot it without an initramfs: the same
 * files in the same places as in a guest's initramfs (agent/guest_conf.h), and the agent beside them.
 * Written by libext2fs, without mounting, while nobody uses the disk.
 */
#ifndef IMAGE_GUEST_DISK_H
#define IMAGE_GUEST_DISK_H

#include "base/clock.h"
#include "base/error.h"

#include <jansson.h>

/* `disk` is an ext4 file system, a file or a block device; `agent` the program on the host; for `guest`
 * see guest_content.h. What an earlier start wrote is removed first. */
int guest_disk_write(const char *disk, const char *agent, const json_t *guest, deadline until,
                     banger_error *err);

#endif
