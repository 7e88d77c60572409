/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command line, taken apart and checked against its command's row. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/error.h"
#include "cli/command.h"

#include <jansson.h>
#include <stdbool.h>

struct args_given {
    const struct command_option *option;
    const char *value; /* NULL for a flag */
};

struct args {
    const struct command *command;
    struct args_given *given;
    size_t given_count;
    const char **words; /* the arguments but for the guest's command line */
    size_t word_count;
    char *const *guest_argv; /* NULL-terminated; NULL: none was given */
};

/* Options may stand anywhere before "--": --name V, --name=V, -n V, -nV, -it. All texts stay
 * argv's. --help ends the parsing where it stands: only args_has(args, "help") counts then. */
int args_parse(struct args *args, const struct command *command, int argc, char *const *argv,
               banger_error *err);
void args_free(struct args *args);

/* Options by their long names; one that the command does not have is never given. */
bool args_has(const struct args *args, const char *name);
const char *args_text(const struct args *args, const char *name); /* the last one; NULL: none */
json_t *args_array(const struct args *args, const char *name);    /* new; NULL: none */
/* KEY=VALUE options as an object; new; NULL: none. */
json_t *args_object(const struct args *args, const char *name);
const char *args_word(const struct args *args, size_t index); /* NULL: not given */

#endif
