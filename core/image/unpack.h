/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unpacking of a compressed byte range: kernel payloads and modules. */
#ifndef IMAGE_UNPACK_H
#define IMAGE_UNPACK_H

#include "base/error.h"

#include <sys/types.h>

struct unpack_source {
    const char *what; /* for messages: "the kernel's payload" */
    int fd;           /* read with pread: its offset stays */
    off_t start;
    off_t length;
};

/* Writes what the range unpacks to at the offset of `to`: LZ4 (legacy frames too), XZ, LZMA, ZSTD,
 * gzip, bzip2, told by their magic; anything else is copied as it is. More than `limit` bytes is an
 * error. Returns how many bytes were written, or -1. */
off_t unpack_range(const struct unpack_source *source, int to, off_t limit, banger_error *err);

#endif
