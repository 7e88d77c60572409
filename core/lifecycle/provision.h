/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the image and the kernel of a new VM, and making the configured defaults when they are
 * not there yet. Two runs that need the same one wait for one build. */
#ifndef LIFECYCLE_PROVISION_H
#define LIFECYCLE_PROVISION_H

#include "lifecycle/engine.h"
#include "store/image_table.h"

/* `reference` NULL: the default. Only a default is made; any other unknown name is an error. */
int provision_image(struct engine *engine, const struct caller *caller, const char *reference,
                    struct image_record *image, banger_error *err);
int provision_kernel(struct engine *engine, const struct caller *caller, const char *reference,
                     struct kernel_record *kernel, banger_error *err);

#endif
