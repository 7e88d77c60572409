/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was found out about each script's file, until one of the files that it was made of changes. */
#ifndef LUA_LOADED_H
#define LUA_LOADED_H

#include "load.h"

/* What the host was told of FOLDER/FILE, malloc'ed. NULL: it has changed, or was never loaded. */
char *loaded_find(const char *folder, const char *file, const json_t *settings);
void loaded_keep(const struct loading *loading, const json_t *settings, const char *told);

#endif
