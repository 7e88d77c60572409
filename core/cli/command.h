/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands. Each is one row of one table; the parser, --help, the suggestions, the completions
 * of three shells and the manual pages are all made from these rows, so that they cannot disagree.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/error.h"
#include "cli/value.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;

/* Returns the exit status, or -1 with the error. */
typedef int (*command_handler)(struct cli *cli, banger_error *err);

enum argument_use {
    ARGUMENT_ONE,      /* exactly one */
    ARGUMENT_OPTIONAL, /* none or one */
    ARGUMENT_SOME,     /* one or more */
    ARGUMENT_ANY,      /* none or more */
    ARGUMENT_COMMAND,  /* a command line for the guest: what is left, not looked at */
    ARGUMENT_TAIL,     /* the same, but only behind "--" */
};

struct command_argument {
    const char *name; /* as usage lines show it; NULL ends the list */
    enum value_kind kind;
    enum argument_use use;
};

struct command_option {
    const char *name; /* without the dashes; NULL ends the list */
    char letter;      /* 0: none */
    enum value_kind kind;
    const char *value; /* as usage lines show it; NULL: a flag */
    const char *help;  /* NULL: not for users; help and completion leave it out */
    bool repeats;
};

struct command_example {
    const char *line; /* NULL ends the list */
    const char *text;
};

enum command_trait {
    COMMAND_EVERYDAY = 1,   /* shown by `banger` alone */
    COMMAND_GUEST_EXIT = 2, /* exits with the status of a program in the guest */
};

struct command {
    const char *path;  /* "vm run"; NULL ends the list */
    const char *alias; /* another last word: "rm" for "delete" */
    const char *summary;
    const char *description;                  /* whole paragraphs, wrapped at 78 columns */
    const struct command_argument *arguments; /* NULL: none */
    const struct command_option *options;     /* NULL: only the common ones */
    const struct command_example *examples;   /* at least one */
    unsigned traits;
    command_handler run;
};

struct command_group {
    const char *name; /* NULL ends the list */
    const char *summary;
};

/* For the tables: a list of rows with its end. */
#define ARGUMENTS(...) ((const struct command_argument[]){__VA_ARGS__, {0}})
#define OPTIONS(...) ((const struct command_option[]){__VA_ARGS__, {0}})
#define EXAMPLES(...) ((const struct command_example[]){__VA_ARGS__, {0}})

extern const struct command commands_network[]; /* table_network.c */
extern const struct command commands_vm[];      /* table_vm.c */
extern const struct command commands_host[];    /* table_host.c */
extern const struct command commands_kit[];     /* table_kit.c */
extern const struct command_group command_groups[];
extern const struct command_option command_common_options[]; /* every command has them */

/* The rows of all tables in order: `for (c = command_first(); c != NULL; c = command_next(c))`. */
const struct command *command_first(void);
const struct command *command_next(const struct command *command);

/* The command that the words name, with how many of them do. Neither a command nor a group: NULL
 * with the nearest name as hint; a group alone: NULL, no error, and `*group` is set. */
const struct command *command_find(int count, char *const *words, int *used,
                                   const struct command_group **group, banger_error *err);

/* Whether the command belongs to the group (NULL: to none). */
bool command_in_group(const struct command *command, const struct command_group *group);
/* The last word of its path. */
const char *command_leaf(const struct command *command);
const struct command_option *command_option_find(const struct command *command, const char *name,
                                                 size_t length);
const struct command_option *command_option_letter(const struct command *command, char letter);

/* "banger vm run [OPTIONS] [PATH] [-- CMD...]"; a new string. */
char *command_usage(const struct command *command);

/* "-e, --env NAME=VALUE..."; a new string. */
char *command_option_form(const struct command_option *option);

/* What an exit status means for this command, ended by a row without text. */
struct command_status {
    const char *status;
    const char *text;
};
const struct command_status *command_statuses(const struct command *command);

#endif
