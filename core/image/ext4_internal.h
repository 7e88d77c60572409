/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ext4_*.c share. */
#ifndef IMAGE_EXT4_INTERNAL_H
#define IMAGE_EXT4_INTERNAL_H

#include "ext4.h"
#include "ext4_fail.h"

#include <ext2fs/ext2fs.h>

struct ext4 {
    ext2_filsys fs;
    char *parent; /* the folder of the last path, and its inode: files come folder by folder */
    ext2_ino_t parent_inode;
};

struct ext4 *ext4_open_by(const char *path, io_manager manager, banger_error *err);

#endif
