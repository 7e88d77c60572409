/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file vm.dir/work.img: an ext4 file system without a partition table.
 *
 * 1. It is made under a temporary name and renamed (root_disk_write_new): whole when it is there.
 * 2. Here only the file grows. The file system in it is grown by the guest's kernel when it is mounted,
 *    which goes through the journal: no `kill -9` at any point leaves it halfway.
 * 3. Nor is a journal replayed here: a mount does that.
 */
#ifndef WORK_DISK_DISK_H
#define WORK_DISK_DISK_H

#include <banger/host.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct work_disk {
    const char *seed; /* an ext4 file; NULL: made fresh */
    int64_t bytes;    /* at least so large */
    bool private;     /* the root folder of a fresh one is for its owner only */
    char path[PATH_MAX];
};

/* Can it be made or, where it is there, used? Changes nothing. */
int disk_check(const struct banger_host *host, struct banger_call *call,
               const struct work_disk *disk);
/* Makes it, or lets it grow to `bytes`. */
int disk_ensure(const struct banger_host *host, struct banger_call *call,
                const struct work_disk *disk);

#endif
