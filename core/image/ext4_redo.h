/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of a file system that happen as a whole or not at all. libext2fs writes in place and keeps no
 * journal, not even of its superblock: whoever dies in the middle leaves what e2fsck must not mend alone.
 *
 * 1. libext2fs works through `ext4_redo_manager`: what it writes stays in memory, and what it reads is seen
 *    with that. The disk is not touched.
 * 2. ext4_redo_commit writes all of it into a log file, which is there whole or not at all.
 * 3. ext4_redo_finish copies the log onto the disk, and removes it. Killed in between, it is called again.
 */
#ifndef IMAGE_EXT4_REDO_H
#define IMAGE_EXT4_REDO_H

#include "base/error.h"

#include <ext2fs/ext2fs.h>

extern io_manager ext4_redo_manager;

/* `channel` is one of the manager's, for `disk`. */
int ext4_redo_commit(io_channel channel, const char *disk, const char *log, banger_error *err);
/* Fine when there is no log. */
int ext4_redo_finish(const char *log, banger_error *err);

#endif
