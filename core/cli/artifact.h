/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands on images and on kernels have in common. */
#ifndef CLI_ARTIFACT_H
#define CLI_ARTIFACT_H

#include "cli/cli.h"

/* Adds --name, where it is given. */
void artifact_add_name(const struct cli *cli, json_t *params);
/* Adds the option's file or folder under `key`, absolute and resolved, since the daemon's working
 * directory is another; nothing when it is not given. Fails when it does not exist. */
int artifact_add_path(const struct cli *cli, json_t *params, const char *option, const char *key,
                      banger_error *err);
/* Calls a method that makes one (stealing `params`), and prints its name. */
int artifact_make(struct cli *cli, const char *method, json_t *params, banger_error *err);
int artifact_list(struct cli *cli, const char *method, bool with_version, banger_error *err);
int artifact_show(struct cli *cli, const char *method, const char *key, banger_error *err);

#endif
