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

/* Completes a write that was killed while it changed the disk; before anything else uses it. */
int guest_disk_finish(const char *log, banger_error *err);

/* `disk` is an ext4 file system, a file or a block device; `agent` the program on the host; for `guest`
 * see guest_content.h. What an earlier start wrote is removed first. `log` is a file name for its own use;
 * a killed write leaves the file, a failed one nothing changed. */
int guest_disk_write(const char *disk, const char *log, const char *agent, const json_t *guest,
                     deadline until, banger_error *err);

#endif
