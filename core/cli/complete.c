/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables are functions of one `case` each. Their answer for a value is the way to complete it:
 *   words A B C      one of these
 *   list COMMAND     what `banger COMMAND --quiet` prints
 *   files            file names
 *   copy COMMAND     file names, or a name of that list with ':' behind it
 *   text             nothing that could be guessed
 */
#include "complete.h"

#include "base/str.h"
#include "cli/handlers.h"

#include <stdio.h>
#include <string.h>

/* No text of the tables has a quote in it, but for words of help, which are not printed here. */
static void put_way(enum value_kind kind)
{
    const struct value_completion *completion = value_completion_of(kind);
    if (completion->words != NULL) {
        (void)printf("words");
        for (const char *const *word = completion->words; *word != NULL; word++) {
            (void)printf(" %s", *word);
        }
    } else if (completion->list != NULL) {
        (void)printf("%s %s", completion->files ? "copy" : "list", completion->list);
    } else {
        (void)printf("%s", completion->files ? "files" : "text");
    }
}

/* The pattern 'vm delete'|'vm rm', with `suffix` inside and `glob` behind each pair of quotes. */
static void put_paths(const struct command *command, const char *suffix, const char *glob)
{
    (void)printf("'%s%s'%s", command->path, suffix, glob);
    if (command->alias != NULL) {
        int group = (int)(command_leaf(command) - command->path);
        (void)printf("|'%.*s%s%s'%s", group, command->path, command->alias, suffix, glob);
    }
}

static void put_group(const struct command_group *group)
{
    (void)printf("    '%s') echo '", group != NULL ? group->name : "");
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        if (command_in_group(c, group)) {
            (void)printf("%s ", command_leaf(c));
        }
    }
    for (const struct command_group *g = command_groups; group == NULL && g->name != NULL; g++) {
        (void)printf("%s ", g->name);
    }
    (void)printf("' ;;\n");
}

static void put_commands(void)
{
    (void)printf("_banger_commands() {\n    case $1 in\n");
    put_group(NULL);
    for (const struct command_group *group = command_groups; group->name != NULL; group++) {
        put_group(group);
    }
    (void)printf("    esac\n}\n\n");
}

/* Whether a path (with aliases) is a command or a group. */
static void put_known(void)
{
    (void)printf("_banger_known() {\n    case $1 in\n");
    for (const struct command_group *group = command_groups; group->name != NULL; group++) {
        (void)printf("    '%s') return 0 ;;\n", group->name);
    }
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        (void)printf("    ");
        put_paths(c, "", "");
        (void)printf(") return 0 ;;\n");
    }
    (void)printf("    esac\n    return 1\n}\n\n");
}

static void put_option_names(const struct command_option *option)
{
    for (; option != NULL && option->name != NULL; option++) {
        if (option->help != NULL) {
            (void)printf("--%s ", option->name);
        }
    }
}

static void put_options(void)
{
    (void)printf("_banger_options() {\n    case $1 in\n");
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        (void)printf("    ");
        put_paths(c, "", "");
        (void)printf(") echo '");
        put_option_names(c->options);
        (void)printf("' ;;\n");
    }
    (void)printf("    esac\n    echo '");
    put_option_names(command_common_options);
    (void)printf("'\n}\n\n");
}

static void put_value(const struct command *command, const struct command_option *option)
{
    char suffix[80];
    (void)snprintf(suffix, sizeof(suffix), " --%s", option->name);
    (void)printf("    ");
    put_paths(command, suffix, "");
    if (option->letter != 0) {
        (void)snprintf(suffix, sizeof(suffix), " -%c", option->letter);
        (void)printf("|");
        put_paths(command, suffix, "");
    }
    (void)printf(") echo '");
    put_way(option->kind);
    (void)printf("' ;;\n");
}

/* $1: the command, $2: the option. Nothing for a flag. */
static void put_values(void)
{
    (void)printf("_banger_value() {\n    case \"$1 $2\" in\n");
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        for (const struct command_option *o = c->options; o != NULL && o->name != NULL; o++) {
            if (o->kind != VALUE_NONE && o->help != NULL) {
                put_value(c, o);
            }
        }
    }
    (void)printf("    esac\n}\n\n");
}

/* $1: the command, $2: how many arguments stand before. */
static void put_arguments(void)
{
    (void)printf("_banger_argument() {\n    case \"$1 $2\" in\n");
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        unsigned place = 0;
        for (const struct command_argument *a = c->arguments; a != NULL && a->name != NULL; a++) {
            bool many = a->use == ARGUMENT_SOME || a->use == ARGUMENT_ANY;
            char suffix[16];
            (void)snprintf(suffix, sizeof(suffix), " %u", place++);
            if (a->use == ARGUMENT_COMMAND || a->use == ARGUMENT_TAIL) {
                continue;
            }
            (void)printf("    ");
            put_paths(c, many ? " " : suffix, many ? "*" : "");
            (void)printf(") echo '");
            put_way(a->kind);
            (void)printf("' ;;\n");
        }
    }
    (void)printf("    esac\n}\n\n");
}

void complete_tables(void)
{
    put_commands();
    put_known();
    put_options();
    put_values();
    put_arguments();
    (void)printf("# A completion never starts the daemon.\n"
                 "_banger_list() {\n"
                 "    BANGER_NO_AUTOSTART=1 command banger \"$@\" --quiet 2>/dev/null\n"
                 "}\n\n");
}

int completion(struct cli *cli, banger_error *err)
{
    (void)err;
    const char *shell = args_word(&cli->args, 0);
    if (strcmp(shell, "bash") == 0) {
        complete_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        complete_zsh();
    } else {
        complete_fish();
    }
    return EXIT_DONE;
}
