/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernels and images: made in a staging folder, checked, and published under their id in one
 * rename; a row in the store is what makes them exist. Long work reports progress and can be
 * cancelled.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "base/error.h"
#include "base/layout.h"
#include "store/image_table.h"
#include "store/store.h"

#include <stdbool.h>

struct image_context {
    const struct layout *layout;
    struct store *store;
    void (*progress)(void *context, const char *text); /* never NULL */
    bool (*cancelled)(void *context);                  /* never NULL */
    void *context;
};

/* Exactly one of deb_package, deb_file, vmlinuz is set. */
struct kernel_source {
    const char *deb_package; /* fetched with apt-get download: linux-image-cloud-amd64 (dependencies
                                of a metapackage followed to the real one) */
    const char *deb_file;
    const char *vmlinuz; /* bzImage or ELF vmlinux */
    const char
        *modules;     /* with vmlinuz: the lib/modules/VERSION folder; NULL: virtio is built in */
    const char *name; /* NULL: the kernel's version */
};

int kernel_import(struct image_context *context, const struct kernel_source *source,
                  struct kernel_record *kernel, banger_error *err);
int kernel_delete(struct image_context *context, const char *reference, banger_error *err);

int image_build_tiny(struct image_context *context, const char *name, struct image_record *image,
                     banger_error *err);
int image_build_debian(struct image_context *context, const char *name, struct image_record *image,
                       banger_error *err);
/* Copies `path` in, after checking that it is an ext4 file system. */
int image_register(struct image_context *context, const char *path, const char *name,
                   struct image_record *image, banger_error *err);
int image_delete(struct image_context *context, const char *reference, banger_error *err);

#endif
