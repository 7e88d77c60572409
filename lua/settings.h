/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the site allows to scripts, from this plugin's own configuration: {"memory": bytes, "programs",
 * "read_dirs", "sockets", "write_dirs": [path]}. A hook's call has the script's configuration instead, so these go with the
 * script's state.
 */
#ifndef LUA_SETTINGS_H
#define LUA_SETTINGS_H

#include "context.h"

#include <jansson.h>

/* A new reference; NULL: the host has been told why. */
json_t *settings_read(const struct banger_host *host, struct banger_call *call);

/* Absolute, and the only way to write it: no '.', '..', '//' and '/' at the end. */
bool settings_is_plain(const char *path);
size_t settings_memory(const json_t *settings);
/* Whether its list `key` has this path. */
bool settings_allow(const json_t *settings, const char *key, const char *path);
/* The folder of its list `key` that `path` lies below, and what follows it; NULL: none. */
const char *settings_find_dir(const json_t *settings, const char *key, const char *path,
                              const char **rest);

#endif
