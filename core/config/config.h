/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration: config.lua returns one table. It is read in a sandbox (text chunks only;
 * string, table, math, utf8 and a few pure functions; os.getenv and nothing else of os; a memory
 * cap and an instruction limit) and turned into values checked against the tables of declared keys:
 * the core's (config_keys.c) and each plugin's own. No file: all defaults.
 *
 *   return {
 *     log_level = "info",
 *     vm = { vcpu = 2, memory = "1G" },
 *     plugins = { nat = { on_error = "warn", timeout = "5s" } },
 *   }
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/error.h"

#include <banger/config.h>
#include <jansson.h>

/* Reads and checks the core's keys; "plugins" is left for the registry to check. The result is an
 * object with every core key present under its dotted place: {"vm":{"vcpu":2,"memory":1073741824}}.
 */
json_t *config_load(const char *path, banger_error *err);

/* Checks `given` (an object or NULL) against declared keys and completes it with the defaults:
 * durations become milliseconds, sizes bytes. `what` is for errors: "plugins.nat". New reference.
 */
json_t *config_check(const char *what, const struct banger_config_key *keys, size_t count,
                     const json_t *given, banger_error *err);

/* The core's own keys, names dotted: for `banger config`, documentation and completion. */
const struct banger_config_key *config_core_keys(size_t *count);

#endif
