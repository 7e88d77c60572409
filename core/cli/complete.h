/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shell completions, printed from the command table; one file a shell. */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "cli/command.h"

/* Functions in the shell language that bash and zsh share: what there is to complete where. */
void complete_tables(void);
void complete_bash(void);
void complete_zsh(void);
void complete_fish(void);

#endif
