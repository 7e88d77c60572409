/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "args.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>

static int usage_hint(const struct args *args, banger_error *err)
{
    return error_hint(err, "'banger %s --help' shows how it is used", args->command->path);
}

static int unknown_option(const struct args *args, const char *text, banger_error *err)
{
    const char *names[48] = {0};
    size_t count = 0;
    for (const struct command_option *o = args->command->options;
         o != NULL && o->name != NULL && count < 40; o++) {
        names[count++] = o->name;
    }
    for (const struct command_option *o = command_common_options; o->name != NULL; o++) {
        names[count++] = o->name;
    }
    (void)error_set(err, BANGER_EINVALID, "unknown option '%s' for 'banger %s'", text,
                    args->command->path);
    const char *nearest = str_starts(text, "--") ? str_nearest(text + 2, names, count) : NULL;
    return nearest != NULL ? error_hint(err, "did you mean '--%s'?", nearest)
                           : usage_hint(args, err);
}

static int give(struct args *args, const struct command_option *option, const char *value,
                banger_error *err)
{
    AUTO_FREE char *what = str_format("--%s", option->name);
    if (value != NULL && value_check(option->kind, what, value, err) < 0) {
        return -1;
    }
    if (!option->repeats && value != NULL && args_text(args, option->name) != NULL) {
        return error_set(err, BANGER_EINVALID, "--%s is given twice: give it once", option->name);
    }
    args->given[args->given_count++] = (struct args_given){option, value};
    return 0;
}

/* --name, --name=value, --name value. Returns how many of argv it took. */
static int parse_long(struct args *args, int left, char *const *argv, banger_error *err)
{
    const char *name = argv[0] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    const struct command_option *option = command_option_find(args->command, name, length);
    if (option == NULL) {
        AUTO_FREE char *text = str_format("--%.*s", (int)length, name);
        return unknown_option(args, text, err);
    }
    if (option->kind == VALUE_NONE) {
        if (value != NULL) {
            return error_set(err, BANGER_EINVALID, "--%s takes no value", option->name);
        }
        return give(args, option, NULL, err) < 0 ? -1 : 1;
    }
    if (value != NULL) {
        return give(args, option, value, err) < 0 ? -1 : 1;
    }
    if (left < 2) {
        (void)error_set(err, BANGER_EINVALID, "--%s needs a value: %s", option->name,
                        option->value);
        return usage_hint(args, err);
    }
    return give(args, option, argv[1], err) < 0 ? -1 : 2;
}

/* -x, -xyz (flags), -n value, -nvalue. Returns how many of argv it took. */
static int parse_short(struct args *args, int left, char *const *argv, banger_error *err)
{
    for (const char *at = argv[0] + 1; *at != '\0'; at++) {
        const struct command_option *option = command_option_letter(args->command, *at);
        if (option == NULL) {
            return unknown_option(args, argv[0], err);
        }
        if (option->kind == VALUE_NONE) {
            if (give(args, option, NULL, err) < 0) {
                return -1;
            }
            continue;
        }
        if (at[1] != '\0') {
            return give(args, option, at + 1, err) < 0 ? -1 : 1;
        }
        if (left < 2) {
            (void)error_set(err, BANGER_EINVALID, "-%c needs a value: %s", *at, option->value);
            return usage_hint(args, err);
        }
        return give(args, option, argv[1], err) < 0 ? -1 : 2;
    }
    return 1;
}

/* The row that the next word belongs to; NULL: there is no place for it. */
static const struct command_argument *argument_for(const struct args *args)
{
    const struct command_argument *argument = args->command->arguments;
    for (size_t i = 0; argument != NULL && argument->name != NULL; argument++, i++) {
        bool many = argument->use == ARGUMENT_SOME || argument->use == ARGUMENT_ANY;
        if (argument->use != ARGUMENT_TAIL &&
            (many || i == args->word_count || argument->use == ARGUMENT_COMMAND)) {
            return argument;
        }
    }
    return NULL;
}

static bool takes_tail(const struct command *command)
{
    for (const struct command_argument *a = command->arguments; a != NULL && a->name != NULL; a++) {
        if (a->use == ARGUMENT_TAIL || a->use == ARGUMENT_COMMAND) {
            return true;
        }
    }
    return false;
}

/* Returns 1, or 0 when the word begins the guest's command line. */
static int parse_word(struct args *args, char *const *argv, banger_error *err)
{
    const struct command_argument *argument = argument_for(args);
    if (argument == NULL) {
        (void)error_set(err, BANGER_EINVALID, "unexpected argument '%s' for 'banger %s'", argv[0],
                        args->command->path);
        return usage_hint(args, err);
    }
    if (argument->use == ARGUMENT_COMMAND) {
        return 0;
    }
    if (value_check(argument->kind, argument->name, argv[0], err) < 0) {
        return -1;
    }
    args->words[args->word_count++] = argv[0];
    return 1;
}

static int check_required(const struct args *args, banger_error *err)
{
    const struct command_argument *argument = args->command->arguments;
    for (size_t i = 0; argument != NULL && argument->name != NULL; argument++, i++) {
        bool required = argument->use == ARGUMENT_ONE || argument->use == ARGUMENT_SOME;
        if (required && args->word_count <= i) {
            (void)error_set(err, BANGER_EINVALID, "'banger %s' needs %s", args->command->path,
                            argument->name);
            return usage_hint(args, err);
        }
    }
    return 0;
}

/* Takes what stands before the guest's command line; returns how much of argv that was. */
static int parse_until_guest(struct args *args, int argc, char *const *argv, banger_error *err)
{
    bool only_words = false;
    int at = 0;
    while (at < argc && !args_has(args, "help")) {
        const char *word = argv[at];
        int took = 0;
        if (!only_words && strcmp(word, "--") == 0) {
            at++;
            if (takes_tail(args->command)) {
                return at;
            }
            only_words = true;
            continue;
        }
        if (!only_words && word[0] == '-' && word[1] != '\0') {
            took = word[1] == '-' ? parse_long(args, argc - at, argv + at, err)
                                  : parse_short(args, argc - at, argv + at, err);
        } else {
            took = parse_word(args, argv + at, err);
        }
        if (took <= 0) {
            return took < 0 ? -1 : at;
        }
        at += took;
    }
    return at;
}

int args_parse(struct args *args, const struct command *command, int argc, char *const *argv,
               banger_error *err)
{
    *args = (struct args){.command = command};
    /* A word gives at most one of each letter in it. */
    size_t most = (size_t)argc + 1;
    for (int i = 0; i < argc; i++) {
        most += strlen(argv[i]);
    }
    args->given = xcalloc(most, sizeof(*args->given));
    args->words = xcalloc((size_t)argc + 1, sizeof(*args->words));
    int at = parse_until_guest(args, argc, argv, err);
    if (at < 0) {
        return -1;
    }
    if (at < argc && !args_has(args, "help")) {
        args->guest_argv = argv + at;
    }
    return args_has(args, "help") ? 0 : check_required(args, err);
}

void args_free(struct args *args)
{
    free(args->given);
    free(args->words);
    *args = (struct args){0};
}

static const struct args_given *find_last(const struct args *args, const char *name)
{
    for (size_t i = args->given_count; i > 0; i--) {
        if (strcmp(args->given[i - 1].option->name, name) == 0) {
            return &args->given[i - 1];
        }
    }
    return NULL;
}

bool args_has(const struct args *args, const char *name)
{
    return find_last(args, name) != NULL;
}

const char *args_text(const struct args *args, const char *name)
{
    const struct args_given *given = find_last(args, name);
    return given != NULL ? given->value : NULL;
}

json_t *args_array(const struct args *args, const char *name)
{
    json_t *array = NULL;
    for (size_t i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].option->name, name) == 0) {
            array = array != NULL ? array : json_array();
            (void)json_array_append_new(array, json_string(args->given[i].value));
        }
    }
    return array;
}

json_t *args_object(const struct args *args, const char *name)
{
    json_t *object = NULL;
    for (size_t i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].option->name, name) == 0) {
            const char *pair = args->given[i].value;
            const char *equals = strchr(pair, '=');
            AUTO_FREE char *key = str_format("%.*s", (int)(equals - pair), pair);
            object = object != NULL ? object : json_object();
            (void)json_object_set_new(object, key, json_string(equals + 1));
        }
    }
    return object;
}

const char *args_word(const struct args *args, size_t index)
{
    return index < args->word_count ? args->words[index] : NULL;
}
