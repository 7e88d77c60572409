/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Debian binary packages (deb(5)): an ar archive with control.tar.* and data.tar.*, read through
 * libarchive. Nothing of the package is run, and no path in it decides where a file goes.
 */
#ifndef IMAGE_DEB_H
#define IMAGE_DEB_H

#include "base/str.h"
#include "context.h"

/* Appends the text of the package's control file. */
int deb_read_control(const char *path, struct buf *control, banger_error *err);

#define DEB_KERNEL "vmlinuz"
#define DEB_MODULES "modules"

/* Takes the kernel out of a package: DIR/DEB_KERNEL, and DIR/DEB_MODULES with every module
 * (NAME.ko, .ko.xz, ...) and modules.builtin, without the folders they lie in there. Fails with
 * BANGER_ENOTFOUND when there is no kernel in it (a metapackage). */
int deb_extract_kernel(const struct image_context *context, const char *path, const char *dir,
                       banger_error *err);

#endif
