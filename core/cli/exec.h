/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running a program in a guest, with this process's streams: `vm exec` and the end of `vm run`. */
#ifndef CLI_EXEC_H
#define CLI_EXEC_H

#include "cli/cli.h"

/* What is wrong with the options can be said before anything is done. */
int exec_check_options(const struct cli *cli, banger_error *err);
/* The parameters of vm.exec but for "vm" and "env"; new; NULL when they cannot be sent. */
json_t *exec_params(const struct cli *cli, banger_error *err);
/* Steals `params`. Returns the program's exit status; with --json its output is collected and
 * printed as {"vm","status","stdout","stderr"}. */
int exec_run(struct cli *cli, const char *vm, json_t *params, banger_error *err);

#endif
