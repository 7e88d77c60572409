/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext4 file systems in files, through libext2fs: nothing is mounted, so that neither root nor a
 * loop device is needed, and every owner and mode can be written by anybody.
 */
#ifndef IMAGE_EXT4_H
#define IMAGE_EXT4_H

#include "staging.h"

#include <sys/types.h>

/* Fails unless `path` is an ext4 file system that is whole and was unmounted cleanly. */
int ext4_check(const char *path, const char *shown_as, banger_error *err);

/* Makes an empty file system of `size` bytes in the new, sparse file `path` (mke2fs). */
int ext4_format(struct staging *staging, const char *path, off_t size, banger_error *err);

/* A file system being filled. Paths are those inside it; missing parents are made, root's, 0755. */
struct ext4;

struct ext4_attr {
    mode_t mode; /* permission bits */
    uid_t uid;
    gid_t gid;
    int64_t mtime; /* seconds since 1970 */
};

struct ext4 *ext4_open(const char *path, banger_error *err);
/* Writes everything out. Whatever it returns, `fs` is gone. */
int ext4_close(struct ext4 *fs, banger_error *err);
void ext4_abandon(struct ext4 *fs); /* NULL is fine */

/* -- Changing one that a guest uses ---------------------------------------------------------------
 *
 * 1. ext4_change_finish completes what an earlier change was killed in.
 * 2. A guest that was killed leaves a journal to be replayed: e2fsck -p does that, and mends what it
 *    safely can (ext4_recover).
 * 3. Between ext4_change_begin and ext4_change_end nothing is written to the disk; the latter writes all
 *    of it, through the file `log` (ext4_redo.h).
 */

int ext4_change_finish(const char *log, banger_error *err);
/* Makes it clean where it is not. The file system must be in nobody's use. */
int ext4_recover(const char *path, deadline until, banger_error *err);
/* After it ext4_change_end instead of ext4_close. */
struct ext4 *ext4_change_begin(const char *path, banger_error *err);
/* Whatever it returns, `fs` is gone. */
int ext4_change_end(struct ext4 *fs, const char *path, const char *log, banger_error *err);
/* Removes what the root folder has under this name, with all below it; fine when there is nothing. */
int ext4_remove(struct ext4 *fs, const char *name, banger_error *err);

/* -- Filling one --------------------------------------------------------------------------------- */

/* A folder that is there already gets the attributes. Everything else must be new. */
int ext4_dir(struct ext4 *fs, const char *path, struct ext4_attr attr, banger_error *err);
int ext4_data(struct ext4 *fs, const char *path, struct ext4_attr attr, const void *data,
              size_t length, banger_error *err);
int ext4_symlink(struct ext4 *fs, const char *path, struct ext4_attr attr, const char *target,
                 banger_error *err);
int ext4_hardlink(struct ext4 *fs, const char *path, const char *existing, banger_error *err);
/* `type` is S_IFCHR, S_IFBLK, S_IFIFO or S_IFSOCK. */
int ext4_node(struct ext4 *fs, const char *path, struct ext4_attr attr, mode_t type, dev_t device,
              banger_error *err);

/* A file whose content comes in pieces: `next` gives the next one (length 0: the end). */
typedef int (*ext4_source_fn)(void *context, const void **data, size_t *length, banger_error *err);
int ext4_file(struct ext4 *fs, const char *path, struct ext4_attr attr, ext4_source_fn next,
              void *context, banger_error *err);

static inline void ext4_drop(struct ext4 **fs)
{
    ext4_abandon(*fs);
}

#endif
