/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Manual pages in roff (man(7)), one for the program and one for each command, made from the
 * command table when banger is installed: `banger help --man PAGE`.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

/* Text that roff takes for nothing but text: groff_char(7). */
static void put_text(const char *text)
{
    bool line_start = true;
    for (const char *at = text; *at != '\0'; at++) {
        if (line_start && (*at == '.' || *at == '\'')) {
            (void)fputs("\\&", stdout);
        }
        line_start = *at == '\n';
        switch (*at) {
        case '\\':
            (void)fputs("\\e", stdout);
            break;
        case '-':
            (void)fputs("\\-", stdout);
            break;
        case '\'':
            (void)fputs("\\(aq", stdout);
            break;
        default:
            (void)putchar(*at);
        }
    }
}

static void put_section(const char *title)
{
    (void)printf(".SH %s\n", title);
}

/* ".TP", a bold term, and its text. */
static void put_item(const char *term, const char *text)
{
    (void)printf(".TP\n\\fB");
    put_text(term);
    (void)printf("\\fR\n");
    put_text(text);
    (void)printf("\n");
}

/* "banger-vm-run"; new. */
static char *page_of(const struct command *command)
{
    char *page = str_format("banger-%s", command->path);
    for (char *at = page; *at != '\0'; at++) {
        *at = *at == ' ' ? '-' : *at;
    }
    return page;
}

static void put_header(const char *page, const char *summary)
{
    (void)printf(".TH \"%s\" 1 \"\" \"banger %s\" \"banger\"\n", page, BANGER_VERSION);
    put_section("NAME");
    put_text(page);
    (void)printf(" \\- ");
    put_text(summary);
    (void)printf("\n");
}

static void put_options(const char *title, const struct command_option *option)
{
    if (option == NULL || option->help == NULL) {
        return;
    }
    put_section(title);
    for (; option->name != NULL; option++) {
        AUTO_FREE char *form = command_option_form(option);
        put_item(form, option->help);
    }
}

static void put_command_page(const struct command *command, const char *page)
{
    AUTO_FREE char *usage = command_usage(command);
    put_header(page, command->summary);
    put_section("SYNOPSIS");
    put_text(usage);
    (void)printf("\n");
    put_section("DESCRIPTION");
    put_text(command->description);
    (void)printf("\n");
    put_options("OPTIONS", command->options);
    put_options("OPTIONS OF EVERY COMMAND", command_common_options);
    put_section("EXAMPLES");
    for (const struct command_example *e = command->examples; e->line != NULL; e++) {
        put_item(e->line, e->text);
    }
    put_section("EXIT STATUS");
    for (const struct command_status *s = command_statuses(command); s->status != NULL; s++) {
        put_item(s->status, s->text);
    }
    put_section("SEE ALSO");
    (void)printf(".BR banger (1)\n");
}

static void put_main_page(void)
{
    put_header("banger", "run sandboxes as small virtual machines");
    put_section("SYNOPSIS");
    (void)printf("banger COMMAND [OPTIONS] [ARGUMENTS]\n");
    put_section("COMMANDS");
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        put_item(c->path, c->summary);
    }
    put_section("ENVIRONMENT");
    put_item("BANGER_HOME", "keep everything below this folder");
    put_item("BANGER_NO_AUTOSTART", "when 1, do not start the daemon where none runs");
    put_item("NO_COLOR", "when set, print no colours");
    put_section("SEE ALSO");
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        AUTO_FREE char *page = page_of(c);
        (void)printf(".BR %s (1)%s\n", page, command_next(c) != NULL ? "," : "");
    }
}

int man_page(const char *page, banger_error *err)
{
    bool list = strcmp(page, "list") == 0;
    if (list) {
        (void)printf("banger\n");
    } else if (strcmp(page, "banger") == 0) {
        put_main_page();
        return 0;
    }
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        AUTO_FREE char *name = page_of(c);
        if (list) {
            (void)printf("%s\n", name);
        } else if (strcmp(name, page) == 0) {
            put_command_page(c, page);
            return 0;
        }
    }
    return list ? 0 : error_set(err, BANGER_EINVALID, "no manual page is called '%s'", page);
}
