/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel packages by name, through the host's apt: its sources, its keys, its proxies. */
#ifndef IMAGE_APT_H
#define IMAGE_APT_H

#include "staging.h"

/* Downloads the package (the kernel behind a metapackage) into the cache, or finds it there with
 * the checksum that apt's lists give. A new string in `path`. */
int apt_fetch(struct staging *staging, const char *name, char **path, banger_error *err);

#endif
