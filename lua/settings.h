/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the site allows to scripts, from this plugin's own configuration: {"memory": bytes, "programs":
 * [path], "write_dirs": [path]}. A hook's call has the script's configuration instead, so these go with the
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
/* Whether a list of it has this text. */
bool settings_allow_program(const json_t *settings, const char *path);
/* The folder of `write_dirs` that `path` lies below, and what follows it; NULL: none. */
const char *settings_write_dir(const json_t *settings, const char *path, const char **rest);

#endif
