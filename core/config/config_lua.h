/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A configuration chunk into JSON. What bounds it: text chunks only, CONFIG_TEXT_MAX bytes of
 * source, a memory cap in the allocator, an instruction limit that pcall cannot outrun, no function
 * that reaches outside but os.getenv, and none that could run code past the limit (setmetatable:
 * finalizers run unhooked).
 */
#ifndef CONFIG_CONFIG_LUA_H
#define CONFIG_CONFIG_LUA_H

#include "base/error.h"

#include <jansson.h>

#define CONFIG_TEXT_MAX ((size_t)1024 * 1024)

/* Runs `text`, which errors call `name` (a path), and returns the one table it returns. An empty
 * table becomes an object. A new reference. */
json_t *config_lua_read(const char *name, const char *text, size_t length, banger_error *err);

#endif
