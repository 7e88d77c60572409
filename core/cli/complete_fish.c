/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "complete.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

static const char head[] =
    "# banger completion for fish\n\n"
    "# The command that the line has so far.\n"
    "function __banger_path\n"
    "    set -l path\n"
    "    for word in (commandline -opc)[2..-1]\n"
    "        string match -q -- '-*' $word; and continue\n"
    "        contains -- (string join ' ' $path $word) $__banger_known; or break\n"
    "        set -a path $word\n"
    "    end\n"
    "    string join ' ' $path\n"
    "end\n\n"
    "function __banger_at\n"
    "    set -l path (__banger_path)\n"
    "    test \"$path\" = \"$argv\"\n"
    "end\n\n"
    "# A completion never starts the daemon.\n"
    "function __banger_list\n"
    "    BANGER_NO_AUTOSTART=1 command banger $argv --quiet 2>/dev/null\n"
    "end\n\n"
    "complete -c banger -f\n";

/* In single quotes: fish(1), "Quotes". */
static void put_quoted(const char *text)
{
    (void)putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            (void)putchar('\\');
        }
        (void)putchar(*text);
    }
    (void)putchar('\'');
}

/* The start of a `complete` line that counts at one command, under each of its names. */
static void put_at(const char *path)
{
    (void)printf("complete -c banger -n '__banger_at %s'", path);
}

static void put_way(enum value_kind kind)
{
    const struct value_completion *completion = value_completion_of(kind);
    if (completion->words != NULL) {
        (void)printf(" -a '");
        for (const char *const *word = completion->words; *word != NULL; word++) {
            (void)printf("%s ", *word);
        }
        (void)printf("'");
    } else if (completion->list != NULL) {
        (void)printf(" -a '(__banger_list %s%s)'", completion->list,
                     completion->files ? " | string replace -r \"\\$\" :" : "");
    }
    if (completion->files) {
        (void)printf(" -F");
    }
}

static void put_options(const char *path, const struct command_option *option)
{
    for (; option != NULL && option->name != NULL; option++) {
        if (option->help == NULL) {
            continue;
        }
        put_at(path);
        (void)printf(" -l %s", option->name);
        if (option->letter != 0) {
            (void)printf(" -s %c", option->letter);
        }
        if (option->kind != VALUE_NONE) {
            (void)printf(value_completion_of(option->kind)->files ? " -r" : " -x");
            put_way(option->kind);
        }
        (void)printf(" -d ");
        put_quoted(option->help);
        (void)printf("\n");
    }
}

static void put_command(const struct command *command, const char *path)
{
    put_options(path, command->options);
    put_options(path, command_common_options);
    for (const struct command_argument *a = command->arguments; a != NULL && a->name != NULL; a++) {
        const struct value_completion *way = value_completion_of(a->kind);
        if (way->words != NULL || way->list != NULL || way->files) {
            put_at(path);
            put_way(a->kind);
            (void)printf("\n");
        }
    }
}

static void put_group(const struct command_group *group)
{
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        if (command_in_group(c, group)) {
            put_at(group != NULL ? group->name : "");
            (void)printf(" -a %s -d ", command_leaf(c));
            put_quoted(c->summary);
            (void)printf("\n");
        }
    }
}

/* A command's path under its other name; new, or NULL. */
static char *alias_path(const struct command *command)
{
    int group = (int)(command_leaf(command) - command->path);
    return command->alias != NULL ? str_format("%.*s%s", group, command->path, command->alias)
                                  : NULL;
}

static void put_known(void)
{
    (void)printf("set -g __banger_known");
    for (const struct command_group *group = command_groups; group->name != NULL; group++) {
        (void)printf(" %s", group->name);
    }
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        char *alias = alias_path(c);
        (void)printf(" '%s'", c->path);
        if (alias != NULL) {
            (void)printf(" '%s'", alias);
        }
        free(alias);
    }
    (void)printf("\n\n");
}

void complete_fish(void)
{
    put_known();
    (void)fputs(head, stdout);
    put_group(NULL);
    for (const struct command_group *group = command_groups; group->name != NULL; group++) {
        put_at("");
        (void)printf(" -a %s -d ", group->name);
        put_quoted(group->summary);
        (void)printf("\n");
        put_group(group);
    }
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        char *alias = alias_path(c);
        put_command(c, c->path);
        if (alias != NULL) {
            put_command(c, alias);
        }
        free(alias);
    }
}
