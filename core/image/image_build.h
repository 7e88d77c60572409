/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every way to make an image begins and ends with. */
#ifndef IMAGE_IMAGE_BUILD_H
#define IMAGE_IMAGE_BUILD_H

#include "staging.h"

/* Checks the name, that it is free, and begins the staging. The root file system goes to the path
 * that image_build_rootfs gives. */
int image_build_begin(const struct image_context *context, const char *name,
                      struct staging *staging, banger_error *err);
char *image_build_rootfs(const struct staging *staging); /* a new string */
/* Takes the digest and commits; nothing but the root file system may be left in the folder. */
int image_build_finish(struct staging *staging, const char *name, const char *origin,
                       struct image_record *image, banger_error *err);

#endif
