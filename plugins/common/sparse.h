/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying a file with its holes. */
#ifndef COMMON_SPARSE_H
#define COMMON_SPARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Called between pieces of at most SPARSE_PIECE bytes; false ends the copy with ECANCELED. */
typedef bool (*sparse_watch)(void *context, off_t done);

#define SPARSE_PIECE (8 * 1024 * 1024)

/* Copies `length` bytes of `from` to `to`, an empty file; holes stay holes. Inside the kernel where
 * both file systems allow it, else by read and write. 0, or an errno. */
int sparse_copy(int from, int to, off_t length, sparse_watch watch, void *context);

/* Bytes that the file occupies, which is what a copy of it will. */
int64_t sparse_occupied(int fd);

#endif
