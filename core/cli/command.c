/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>

const struct command_group command_groups[] = {
    {"vm", "virtual machines"},
    {"image", "root file systems that VMs start from"},
    {"kernel", "kernels that VMs boot"},
    {"network", "what connects them"},
    {"plugin", "capabilities and providers"},
    {"hook", "the site's own scripts"},
    {"daemon", "the daemon that keeps the VMs"},
    {0},
};

const struct command_option command_common_options[] = {
    {"help", 'h', VALUE_NONE, NULL, "show this help", false},
    {"json", 0, VALUE_NONE, NULL, "print the result, and errors, as JSON", false},
    {"quiet", 'q', VALUE_NONE, NULL, "print no progress; lists print names only", false},
    {0},
};

static const struct command *const tables[] = {commands_vm, commands_network, commands_host,
                                               commands_kit};

const struct command *command_first(void)
{
    return tables[0];
}

const struct command *command_next(const struct command *command)
{
    if (command[1].path != NULL) {
        return &command[1];
    }
    for (size_t i = 0; i + 1 < COUNT_OF(tables); i++) {
        const struct command *last = tables[i];
        while (last[1].path != NULL) {
            last++;
        }
        if (last == command) {
            return tables[i + 1];
        }
    }
    return NULL;
}

const char *command_leaf(const struct command *command)
{
    const char *space = strrchr(command->path, ' ');
    return space != NULL ? space + 1 : command->path;
}

bool command_in_group(const struct command *command, const struct command_group *group)
{
    const char *space = strchr(command->path, ' ');
    if (group == NULL || space == NULL) {
        return group == NULL && space == NULL;
    }
    size_t length = (size_t)(space - command->path);
    return strlen(group->name) == length && strncmp(group->name, command->path, length) == 0;
}

static const struct command_group *group_find(const char *name)
{
    for (const struct command_group *group = command_groups; group->name != NULL; group++) {
        if (strcmp(group->name, name) == 0) {
            return group;
        }
    }
    return NULL;
}

static const struct command *find_in(const struct command_group *group, const char *word)
{
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        if (command_in_group(c, group) &&
            (strcmp(command_leaf(c), word) == 0 || str_equal(c->alias, word))) {
            return c;
        }
    }
    return NULL;
}

/* What may have been meant by a word that is no command of the group (NULL: at the top). */
static void hint_nearest(const struct command_group *group, const char *word, banger_error *err)
{
    const char *names[64] = {0};
    size_t count = 0;
    for (const struct command *c = command_first(); c != NULL && count < 48; c = command_next(c)) {
        if (command_in_group(c, group)) {
            names[count++] = command_leaf(c);
        }
    }
    for (const struct command_group *g = command_groups; group == NULL && g->name != NULL; g++) {
        names[count++] = g->name;
    }
    const char *prefix = group != NULL ? group->name : "";
    const char *space = group != NULL ? " " : "";
    if (group == NULL && find_in(&command_groups[0], word) != NULL) {
        (void)error_hint(err, "did you mean 'banger vm %s'?", word);
        return;
    }
    const char *nearest = str_nearest(word, names, count);
    if (nearest != NULL) {
        (void)error_hint(err, "did you mean 'banger %s%s%s'?", prefix, space, nearest);
    } else {
        (void)error_hint(err, "'banger %s%s--help' lists the commands", prefix, space);
    }
}

const struct command *command_find(int count, char *const *words, int *used,
                                   const struct command_group **group, banger_error *err)
{
    *group = group_find(words[0]);
    const char *word = words[0];
    *used = 1;
    if (*group != NULL) {
        if (count < 2 || words[1][0] == '-') {
            return NULL;
        }
        word = words[1];
        *used = 2;
    }
    const struct command *found = find_in(*group, word);
    if (found == NULL) {
        (void)error_set(err, BANGER_EINVALID, "unknown command '%s%s%s'",
                        *group != NULL ? (*group)->name : "", *group != NULL ? " " : "", word);
        hint_nearest(*group, word, err);
        *group = NULL;
    }
    return found;
}

static const struct command_option *option_match(const struct command_option *options,
                                                 const char *name, size_t length, char letter)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (letter != 0
                ? options->letter == letter
                : strlen(options->name) == length && strncmp(options->name, name, length) == 0) {
            return options;
        }
    }
    return NULL;
}

const struct command_option *command_option_find(const struct command *command, const char *name,
                                                 size_t length)
{
    const struct command_option *own = option_match(command->options, name, length, 0);
    return own != NULL ? own : option_match(command_common_options, name, length, 0);
}

const struct command_option *command_option_letter(const struct command *command, char letter)
{
    const struct command_option *own = option_match(command->options, NULL, 0, letter);
    return own != NULL ? own : option_match(command_common_options, NULL, 0, letter);
}

static const char *const argument_forms[] = {
    [ARGUMENT_ONE] = " %s",
    [ARGUMENT_OPTIONAL] = " [%s]",
    [ARGUMENT_SOME] = " %s...",
    [ARGUMENT_ANY] = " [%s...]",
    [ARGUMENT_COMMAND] = " [--] [%s...]",
    [ARGUMENT_TAIL] = " [-- %s...]",
};

/* Puts `name` where the form has its %s. */
static void usage_argument(struct buf *out, const struct command_argument *argument)
{
    const char *form = argument_forms[argument->use];
    const char *place = strstr(form, "%s");
    buf_append(out, form, (size_t)(place - form));
    buf_puts(out, argument->name);
    buf_puts(out, place + 2);
}

char *command_usage(const struct command *command)
{
    struct buf out = BUF_INIT;
    buf_printf(&out, "banger %s [OPTIONS]", command->path);
    for (const struct command_argument *a = command->arguments; a != NULL && a->name != NULL; a++) {
        usage_argument(&out, a);
    }
    return buf_steal(&out);
}

char *command_option_form(const struct command_option *option)
{
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    return str_format("%s--%s%s%s%s", option->letter != 0 ? letter : "", option->name,
                      option->value != NULL ? " " : "", str_or(option->value, ""),
                      option->repeats ? "..." : "");
}

static const struct command_status plain_statuses[] = {
    {"0", "done"},
    {"1", "it failed, or what was named does not exist"},
    {"2", "the command line or a value in it is wrong; nothing was changed"},
    {"130", "interrupted by Ctrl-C, after cleaning up"},
    {0},
};

static const struct command_status guest_statuses[] = {
    {"N", "the status of the program in the guest; 128 + N when signal N ended it"},
    {"126", "the guest cannot execute the program"},
    {"127", "the guest does not have the program"},
    {"1", "the VM, image or kernel that was named does not exist"},
    {"2", "the command line or a value in it is wrong; nothing was changed"},
    {"125", "banger failed: the VM did not start, or the connection to it broke"},
    {"130", "interrupted by Ctrl-C, after cleaning up"},
    {0},
};

const struct command_status *command_statuses(const struct command *command)
{
    return (command->traits & COMMAND_GUEST_EXIT) != 0 ? guest_statuses : plain_statuses;
}
