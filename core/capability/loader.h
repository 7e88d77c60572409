/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The .so loader: dlopen with RTLD_NOW|RTLD_LOCAL, only files in the given folder, which (like the
 * file) must belong to root or to us and be writable by nobody else. Never dlclose.
 */
#ifndef CAPABILITY_LOADER_H
#define CAPABILITY_LOADER_H

#include "capability/registry.h"

/* Loads every *.so of the folder, by name. `policies` (may be NULL): {"PLUGIN NAME": policy}. A
 * plugin whose policy says enabled=false is passed over. One that cannot be loaded fails the call,
 * naming it. */
int loader_load_dir(struct registry *registry, const char *dir, const json_t *policies,
                    banger_error *err);
int loader_load_file(struct registry *registry, const char *path, const json_t *policies,
                     banger_error *err);

#endif
