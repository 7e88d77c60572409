/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening what others named, without leaving a folder: openat2(2). */
#ifndef AGENT_RESOLVE_H
#define AGENT_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

/* O_PATH of the folder `path` below `dir`; symbolic links are followed as chroot(dir) would
 * (`as_root`), or only as long as they stay below. -1 with errno. */
int resolve_dir(int dir, const char *path, int as_root);
/* The same of the folder that `path`'s last component lies in; `name` gets that component.
 * EINVAL when it has none or is "..". `path` is taken apart in place. */
int resolve_parent(int dir, char *path, int as_root, const char **name);

#endif
