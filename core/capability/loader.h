/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The .so loader: only files in the given folder, which (like the file) must belong to root or to us and
 * be writable by nobody else. What is loaded here is mapped with RTLD_NOW|RTLD_LOCAL and never unmapped; what
 * is to run in processes of its own is not mapped here at all, unless it is one of ours (bundled) and
 * had to be asked.
 */
#ifndef CAPABILITY_LOADER_H
#define CAPABILITY_LOADER_H

#include "capability/registry.h"

struct loader {
    struct registry *registry;
    const json_t *policies; /* {"PLUGIN NAME": policy}; may be NULL */
    const char *isolator;   /* the program of isolated plugins: libexec/banger-plugin */
    bool bundled; /* ours: in our process, where neither the plugin nor a policy asks otherwise */
};

/* Loads every *.so of the folder, by name. A plugin whose policy says enabled=false is passed over. One of ours that
 * cannot be loaded fails the call, naming it; a stranger is registered as a broken one, under its name or
 * that of its file. */
int loader_load_dir(const struct loader *loader, const char *dir, banger_error *err);
int loader_load_file(const struct loader *loader, const char *path, banger_error *err);

#endif
