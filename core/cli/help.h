/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Help texts, all made from the command table; on stdout. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

void help_short(void); /* the everyday commands: `banger` alone */
void help_all(void);   /* every command: `banger --help` */
void help_group(const struct command_group *group);
void help_command(const struct command *command);

/* man.c: one page as roff. "banger", "banger-vm-run"; "list" prints the names of all pages. */
int man_page(const char *page, banger_error *err);

#endif
