/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --record FILE of a start: what every hook asked and was told, as the daemon sends it hook by hook
 * (capability/record.h), in one file of the user's:
 *   {"format":1,"banger":"0.1.0","vm":NAME,"hooks":[entry, ...]}
 */
#ifndef CLI_RECORDING_H
#define CLI_RECORDING_H

#include "cli/cli.h"

#define RECORDING_FORMAT 1

/* Where the option was given: sees that the file can be written, and asks for entries in `params`. */
int recording_begin(struct cli *cli, json_t *params, banger_error *err);
/* One has come. Does nothing where none was asked for. */
void recording_add(struct cli *cli, const json_t *entry);
/* Writes the file, whatever became of the start. `vm` is borrowed, and NULL where there is none to name. */
int recording_end(struct cli *cli, const char *vm, banger_error *err);

#endif
