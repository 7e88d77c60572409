/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where plugins may lie: the folder and the file belong to root or to us, and nobody else can write there. */
#ifndef CAPABILITY_PLUGIN_FILE_H
#define CAPABILITY_PLUGIN_FILE_H

#include "base/error.h"

/* The file behind `path`, followed through links, after it and its folder were found safe. A new string or
 * NULL. */
char *plugin_file_find(const char *path, banger_error *err);
int plugin_file_check_dir(const char *dir, banger_error *err);

#endif
