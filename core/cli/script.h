/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A script of a site's, tried through the Lua host: the plugin that carries it in the daemon too. */
#ifndef CLI_SCRIPT_H
#define CLI_SCRIPT_H

#include "cli/trial.h"

/* Loads the script as the daemon does it. `policy`: its table of the configuration; `host_policy`: that of the
 * Lua host (what the site allows); either may be NULL. On failure, which is also that of a script with a
 * mistake, nothing needs to be closed. */
int script_open(struct trial *trial, const char *file, const json_t *policy,
                const json_t *host_policy, banger_error *err);

#endif
