/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "help.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

static void heading(const char *text)
{
    (void)printf("\n%s%s%s\n", output_style(STDOUT_FILENO, STYLE_BOLD), text,
                 output_style(STDOUT_FILENO, STYLE_PLAIN));
}

static void entry(const char *name, const char *text)
{
    if (strlen(name) > 24) { /* the text then starts on a line of its own */
        (void)printf("  %s\n  %-24s  %s\n", name, "", text);
    } else {
        (void)printf("  %-24s  %s\n", name, text);
    }
}

static void command_entry(const struct command *command)
{
    AUTO_FREE char *name = command->alias == NULL
                               ? xstrdup(command->path)
                               : str_format("%s (%s)", command->path, command->alias);
    entry(name, command->summary);
}

static void group_entries(const struct command_group *group)
{
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        if (command_in_group(c, group)) {
            command_entry(c);
        }
    }
}

void help_short(void)
{
    (void)printf("banger runs sandboxes as small virtual machines.\n");
    heading("Everyday commands:");
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        if ((c->traits & COMMAND_EVERYDAY) != 0) {
            command_entry(c);
        }
    }
    heading("To begin with:");
    (void)printf("  banger vm run --rm -- uname -a\n");
    (void)printf("\n'banger --help' lists every command, 'banger COMMAND --help' explains one.\n");
}

void help_all(void)
{
    (void)printf("banger runs sandboxes as small virtual machines.\n\n"
                 "Usage: banger COMMAND [OPTIONS] [ARGUMENTS]\n");
    for (const struct command_group *group = command_groups; group->name != NULL; group++) {
        AUTO_FREE char *title = str_format("%s: %s", group->name, group->summary);
        heading(title);
        group_entries(group);
    }
    heading("everything else");
    group_entries(NULL);
    (void)printf("\n'banger COMMAND --help' explains a command, with examples.\n");
}

void help_group(const struct command_group *group)
{
    (void)printf("banger %s: %s\n\nUsage: banger %s COMMAND [OPTIONS] [ARGUMENTS]\n", group->name,
                 group->summary, group->name);
    heading("Commands:");
    group_entries(group);
    (void)printf("\n'banger %s COMMAND --help' explains a command, with examples.\n", group->name);
}

static void options(const char *title, const struct command_option *option)
{
    if (option == NULL || option->help == NULL) {
        return;
    }
    heading(title);
    for (; option->name != NULL; option++) {
        AUTO_FREE char *form = command_option_form(option);
        AUTO_FREE char *name = str_format("%s%s", option->letter != 0 ? "" : "    ", form);
        entry(name, option->help);
    }
}

void help_command(const struct command *command)
{
    AUTO_FREE char *usage = command_usage(command);
    (void)printf("banger %s: %s\n\nUsage: %s\n\n%s\n", command->path, command->summary, usage,
                 command->description);
    options("Options:", command->options);
    options("Options of every command:", command_common_options);
    heading("Examples:");
    for (const struct command_example *e = command->examples; e->line != NULL; e++) {
        (void)printf("  %s\n      %s\n", e->line, e->text);
    }
    heading("Exit status:");
    for (const struct command_status *s = command_statuses(command); s->status != NULL; s++) {
        (void)printf("  %-4s %s\n", s->status, s->text);
    }
}

int help(struct cli *cli, banger_error *err)
{
    const char *page = args_text(&cli->args, "man");
    if (page != NULL) {
        return man_page(page, err) < 0 ? -1 : EXIT_DONE;
    }
    if (cli->args.word_count == 0) {
        help_all();
        return EXIT_DONE;
    }
    int used = 0;
    const struct command_group *group = NULL;
    const struct command *command =
        command_find((int)cli->args.word_count, (char *const *)cli->args.words, &used, &group, err);
    if (command != NULL) {
        help_command(command);
        return EXIT_DONE;
    }
    if (group != NULL) {
        help_group(group);
        return EXIT_DONE;
    }
    return -1;
}
