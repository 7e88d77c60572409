/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VM's root disk as one ext4 file, vm.dir/rootfs.img: what the rootfs providers that work on
 * files (reflink, copy) have in common. They differ in how the bytes get there: `root_disk_fill`.
 *
 * 1. The file is filled, grown and flushed under a temporary name and then renamed, so that
 *    rootfs.img is whole whenever it is there, after a crash of the host too.
 * 2. A temporary file that a killed daemon left is replaced by the next create.
 */
#ifndef COMMON_ROOT_DISK_H
#define COMMON_ROOT_DISK_H

#include <banger/host.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* Gives `to` (empty) the content of `from`, `length` bytes. <0: host->fail has been called. */
typedef int (*root_disk_fill)(const struct banger_host *host, struct banger_call *call, int from,
                              int to, off_t length);

/* Makes the disk from image.path and grows it to vm.disk_mib, once. */
int root_disk_create(const struct banger_host *host, struct banger_call *call, root_disk_fill fill);
/* Grows disk and file system to vm.disk_mib; refuses to shrink. */
int root_disk_resize(const struct banger_host *host, struct banger_call *call);
/* Makes the ext4 of a disk, a file or a device, as large as the disk is. */
int root_disk_fit(const struct banger_host *host, struct banger_call *call, const char *path);
int root_disk_contribute(const struct banger_host *host, struct banger_call *call);

/* vm.dir/rootfs.img. */
int root_disk_path(const struct banger_host *host, struct banger_call *call, char path[PATH_MAX]);
bool root_disk_exists(const char *path);
/* The nearest folder that exists of vm.dir and host.state_dir, upwards: whose file system the disk
 * will be on. A descriptor, or -1 after host->fail. */
int root_disk_open_folder(const struct banger_host *host, struct banger_call *call);

/* Writes the new, empty file `to`, which is called `temporary`. <0: host->fail has been called. */
typedef int (*root_disk_write)(const struct banger_host *host, struct banger_call *call,
                               void *context, int to, const char *temporary);

/* Makes the disk `path` in the VM's folder as 1 and 2 say; also for disks that are not the root. */
int root_disk_write_new(const struct banger_host *host, struct banger_call *call, const char *path,
                        root_disk_write write, void *context);

/* Runs a program of e2fsprogs on a disk; `highest_good` is its highest exit status that is not a failure
 * (e2fsck(8): 1 is "errors corrected"). Steals `argv`. */
int root_disk_run(const struct banger_host *host, struct banger_call *call, json_t *argv,
                  int highest_good);
/* host->fail for a failed system call on a disk: a full one gets its own code and hint. */
int root_disk_fail(const struct banger_host *host, struct banger_call *call, int errno_value,
                   const char *doing, const char *path);

#endif
