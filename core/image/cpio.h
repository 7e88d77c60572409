/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing of cpio "newc" archives, as the kernel unpacks them into its initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst). The same members give the same
 * bytes: no times, no inode numbers. Paths are absolute in the guest; missing parent folders are
 * added with mode 0755, root's. A path may be given once.
 */
#ifndef IMAGE_CPIO_H
#define IMAGE_CPIO_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct cpio;

struct cpio_owner {
    mode_t mode; /* permission bits */
    uid_t uid;
    gid_t gid;
};

/* Writes to `fd` from its present offset, which must be a multiple of 4. */
struct cpio *cpio_open(int fd, banger_error *err);
int cpio_dir(struct cpio *cpio, const char *path, struct cpio_owner owner, banger_error *err);
int cpio_data(struct cpio *cpio, const char *path, struct cpio_owner owner, const void *data,
              size_t length, banger_error *err);
/* A regular file of the host's, its content only; `source` is where. */
int cpio_file(struct cpio *cpio, const char *path, struct cpio_owner owner, const char *source,
              banger_error *err);
int cpio_char_device(struct cpio *cpio, const char *path, struct cpio_owner owner,
                     unsigned int major_number, unsigned int minor_number, banger_error *err);
int cpio_finish(struct cpio *cpio, banger_error *err); /* the trailer */
void cpio_close(struct cpio *cpio);                    /* NULL is fine */

static inline void cpio_drop(struct cpio **cpio)
{
    cpio_close(*cpio);
}

#endif
