/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel's initramfs: the agent as /init, and the modules it loads (agent/guest_conf.h). */
#ifndef IMAGE_INITRAMFS_H
#define IMAGE_INITRAMFS_H

#include "modules.h"

/* Writes `path`. The same agent and modules give the same bytes. */
int initramfs_write(const char *path, const char *agent, const struct module_list *modules,
                    banger_error *err);

#endif
