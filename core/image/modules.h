/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of a kernel's modules its guests need, and in which order they load. Dependencies are read
 * from the modules themselves (libkmod), so that no depmod has to have run.
 */
#ifndef IMAGE_MODULES_H
#define IMAGE_MODULES_H

#include "context.h"

#define MODULES_BUILTIN "modules.builtin" /* kbuild's list of what is no module */

struct module_list {
    char **paths; /* plain .ko files in load order */
    size_t count;
};

/* NAME.ko, NAME.ko.xz, NAME.ko.zst, NAME.ko.gz, with NAME of letters, digits, - and _. */
bool modules_is_file_name(const char *name);

struct module_source {
    const char *dir;     /* a lib/modules/VERSION folder, or one with the files side by side */
    const char *version; /* the kernel's: it refuses modules of any other */
    const char *scratch; /* where what is needed is unpacked to */
};

/* Fails with BANGER_EUNSUPPORTED when something without which no guest runs is neither there nor in
 * the kernel. */
int modules_resolve(const struct image_context *context, const struct module_source *source,
                    struct module_list *list, banger_error *err);
/* The same for a kernel that is to have everything built in. */
int modules_check_builtin(int kernel_fd, banger_error *err);
void module_list_free(struct module_list *list);

#endif
