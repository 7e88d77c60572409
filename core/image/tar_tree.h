/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tar archive into a file system: owners, modes, links and device nodes as the archive says.
 * Extended attributes are not taken along. */
#ifndef IMAGE_TAR_TREE_H
#define IMAGE_TAR_TREE_H

#include "ext4.h"

/* `skip` (may be NULL) says of a path ("etc/machine-id") whether it is left out. */
int tar_tree_copy(const struct image_context *context, const char *tar, struct ext4 *fs,
                  bool (*skip)(const char *path), banger_error *err);

#endif
