/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CAPABILITY_MAP_H
#define CAPABILITY_MAP_H

#include "base/error.h"

#include <banger/plugin.h>

/* Maps a plugin's file and gives what its entry symbol returns. Its constructors run. `handle` (may be NULL)
 * is for map_drop. */
const struct banger_plugin *map_open(const char *path, void **handle, banger_error *err);
/* Takes a file back that was only looked at. Of one whose hooks may be running nothing is ever unmapped. */
void map_drop(void *handle);

#endif
