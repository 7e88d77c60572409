/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files: whole reads and writes, atomic replacement, folders. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "error.h"
#include "str.h"

#include <sys/types.h>

/* Creates the folder and its missing parents with `mode`. It is fine if it is there already. */
int dir_make(const char *path, mode_t mode, banger_error *err);
/* Removes a folder and everything below it, never following a symbolic link and never leaving the
 * file system it starts on. It is fine if it is not there. */
int dir_remove(const char *path, banger_error *err);

/* Reads a whole file of at most `limit` bytes into `out` (appends). A longer file is an error. */
int file_read(const char *path, size_t limit, struct buf *out, banger_error *err);
/* Writes a file so that a reader, or a crash, sees the old content or the new one and nothing
 * between: temporary file beside it, fsync, rename, fsync of the folder. */
int file_write_atomic(const char *path, const void *data, size_t length, mode_t mode,
                      banger_error *err);
/* Removes a file; it is fine if it is not there. */
int file_remove(const char *path, banger_error *err);
/* Makes a finished folder visible under its final name and makes that durable. */
int dir_publish(const char *staging, const char *final, banger_error *err);

/* All bytes or an error; EINTR is retried. */
int fd_write_all(int fd, const void *data, size_t length, banger_error *err);
/* Reads until `length` bytes or the end; returns how many. */
ssize_t fd_read_full(int fd, void *data, size_t length, banger_error *err);
/* Copies `length` bytes between regular files at their current offsets, leaving holes as holes and
 * falling back from copy_file_range to read and write across file systems (EXDEV). `to` has nothing
 * there yet. */
int fd_copy_sparse(int from, int to, off_t length, banger_error *err);

#endif
