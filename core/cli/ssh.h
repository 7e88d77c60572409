/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `vm ssh` and `ssh-config` tell OpenSSH's client, ssh_config(5). */
#ifndef CLI_SSH_H
#define CLI_SSH_H

#include "base/str.h"
#include "cli/cli.h"

/* The paths of ssh.show. */
struct ssh_paths {
    json_t *answer; /* owns the texts */
    const char *key;
    const char *known_hosts;
    const char *config;
};

int ssh_paths_ask(struct cli *cli, struct ssh_paths *paths, banger_error *err);
void ssh_paths_free(struct ssh_paths *paths);

/* Calls `take` with every option, in order; the values are quoted as ssh_config(5) wants them. Fails
 * when this program cannot tell where it lies. */
int ssh_options(const struct ssh_paths *paths, const char *user,
                void (*take)(void *context, const char *name, const char *value), void *context,
                banger_error *err);

/* A word for a shell, as it is; a new string. */
char *ssh_shell_word(const char *word);

/* A path as one argument of ssh_config(5); `expands`: of an option that knows %-tokens. A new string.
 */
char *ssh_config_word(const char *path, bool expands);

#endif
