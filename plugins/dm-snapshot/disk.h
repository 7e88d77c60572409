/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is kept of a VM's disk, below vm.dir:
 *
 *   rootfs.cow    what the guest has changed of the image: chunks and the kernel's table of them. Sparse.
 *   rootfs.tail   what the disk has beyond the image. Sparse; not there where the disk ends with it.
 *   rootfs.json   which image that belongs to, and the sizes. Written last: where it is, all is.
 */
#ifndef DM_SNAPSHOT_DISK_H
#define DM_SNAPSHOT_DISK_H

#include <banger/host.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#define DIGEST_LENGTH 64 /* SHA-256 in hex */

struct disk {
    char cow[PATH_MAX];
    char tail[PATH_MAX];
    char record[PATH_MAX];

    /* The image's file, as it was when the disk was made. */
    int64_t base_size; /* bytes */
    int64_t base_inode;
    int64_t base_mtime_ns;
    char digest[DIGEST_LENGTH + 1];

    int64_t chunk; /* bytes; the table in rootfs.cow is written in these */
    int64_t size;  /* of the whole disk, bytes */
    int64_t grown; /* the size that its file system was grown to; 0: as in the image */
};

/* All return <0 after host->fail. */

/* 1: the VM has a disk, and this is it. 0: it has none yet. */
int disk_load(const struct banger_host *host, struct banger_call *call, struct disk *disk);
int disk_save(const struct banger_host *host, struct banger_call *call, const struct disk *disk);
/* Makes the files of a new one over image.path. */
int disk_make(const struct banger_host *host, struct banger_call *call, struct disk *disk);
/* Makes the tail longer. Never shorter. */
int disk_extend(const struct banger_host *host, struct banger_call *call, struct disk *disk,
                int64_t size);
/* Makes rootfs.cow as large as the configuration has it now. Never smaller. */
int disk_enlarge_cow(const struct banger_host *host, struct banger_call *call,
                     const struct disk *disk);
/* Takes up a disk that the kernel gave up on when it could not write to rootfs.cow. What the guest was
 * told is written is in there: the kernel enters a chunk into its table after the chunk. */
int disk_revive(const struct banger_host *host, struct banger_call *call, const struct disk *disk);
/* Whether rootfs.cow may become full before the guest has changed the whole image. */
bool disk_may_overflow(const struct disk *disk);

/* base.c: whether image.path is still what the disk was made over. By size, inode and time, or else
 * by its digest: then the disk learns the new ones. */
int base_verify(const struct banger_host *host, struct banger_call *call, struct disk *disk);
int64_t base_mtime(const struct stat *status);

#endif
