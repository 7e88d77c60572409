/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_EACH_H
#define CLI_EACH_H

#include "cli/cli.h"

/* Calls `method` with {KEY: argument} and `more` (borrowed, may be NULL) for every argument. Prints
 * the name of each that succeeded, or with --json an array of the results. One that fails is told
 * of and does not keep the others from their turn; the exit status is that of the last failure. */
int each_call(struct cli *cli, const char *method, const char *key, const json_t *more,
              banger_error *err);

#endif
