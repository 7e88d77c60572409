/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values against declared keys. A declared name may be dotted ("vm.memory"): then its value lies in
 * a table ("vm"), here called a group. */
#include "config.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_unbounded(const struct banger_config_key *key)
{
    return key->minimum == 0 && key->maximum == 0;
}

static json_t *parse_int(const struct banger_config_key *key, const char *text, banger_error *err)
{
    int64_t value = 0;
    int64_t low = is_unbounded(key) ? INT64_MIN : key->minimum;
    int64_t high = is_unbounded(key) ? INT64_MAX : key->maximum;
    if (number_parse("number", text, low, high, &value, err) < 0) {
        return NULL;
    }
    return json_integer(value);
}

static json_t *parse_size(const struct banger_config_key *key, const char *text, banger_error *err)
{
    int64_t bytes = 0;
    int64_t high = is_unbounded(key) ? INT64_MAX : key->maximum;
    if (size_parse("size", text, 1, key->minimum, high, &bytes, err) < 0) {
        return NULL;
    }
    return json_integer(bytes);
}

static json_t *parse_duration(const struct banger_config_key *key, const char *text,
                              banger_error *err)
{
    int64_t ms = 0;
    int64_t high = is_unbounded(key) ? INT64_MAX : key->maximum;
    if (duration_parse("duration", text, key->minimum, high, &ms, err) < 0) {
        return NULL;
    }
    return json_integer(ms);
}

typedef json_t *(*text_parser)(const struct banger_config_key *key, const char *text,
                               banger_error *err);

/* A number given as such is parsed from its decimal text, so that it meets the same rules. */
static json_t *from_number(const struct banger_config_key *key, const json_t *given,
                           text_parser parse, banger_error *err)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)json_integer_value(given));
    return parse(key, text, err);
}

static json_t *refuse(const char *expected, banger_error *err)
{
    (void)error_set(err, BANGER_EINVALID, "it must be %s", expected);
    return NULL;
}

static json_t *check_list(const json_t *given, banger_error *err)
{
    if (json_is_object(given) && json_object_size(given) == 0) {
        return json_array(); /* Lua's {} may be either */
    }
    if (!json_is_array(given)) {
        return refuse("a list of strings", err);
    }
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (given, index, item) {
        if (!json_is_string(item)) {
            return refuse("a list of strings", err);
        }
    }
    return json_deep_copy(given);
}

/* The value as given, checked and converted; a new reference. */
static json_t *check_given(const struct banger_config_key *key, const json_t *given,
                           banger_error *err)
{
    switch (key->type) {
    case BANGER_CONFIG_STRING:
        return json_is_string(given) ? json_deep_copy(given) : refuse("a string", err);
    case BANGER_CONFIG_INT:
        return json_is_integer(given) ? from_number(key, given, parse_int, err)
                                      : refuse("a whole number", err);
    case BANGER_CONFIG_BOOL:
        return json_is_boolean(given) ? json_boolean(json_is_true(given))
                                      : refuse("true or false", err);
    case BANGER_CONFIG_SIZE:
        if (json_is_integer(given)) {
            return from_number(key, given, parse_size, err);
        }
        return json_is_string(given) ? parse_size(key, json_string_value(given), err)
                                     : refuse("a size, such as \"512M\"", err);
    case BANGER_CONFIG_DURATION:
        if (json_is_integer(given)) {
            return from_number(key, given, parse_duration, err);
        }
        return json_is_string(given)
                   ? parse_duration(key, json_string_value(given), err)
                   : refuse("a duration: whole seconds, or such as \"250ms\"", err);
    case BANGER_CONFIG_LIST:
        return check_list(given, err);
    case BANGER_CONFIG_JSON:
        return json_is_object(given) || json_is_array(given) ? json_deep_copy(given)
                                                             : refuse("a table", err);
    }
    return refuse("of a type that this banger knows", err);
}

/* Defaults are text: numbers, sizes, durations and booleans as written, tables as JSON. */
static json_t *check_default(const struct banger_config_key *key, banger_error *err)
{
    const char *text = key->default_value;
    switch (key->type) {
    case BANGER_CONFIG_INT:
        return parse_int(key, text, err);
    case BANGER_CONFIG_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return refuse("true or false", err);
        }
        return json_boolean(strcmp(text, "true") == 0);
    case BANGER_CONFIG_LIST:
    case BANGER_CONFIG_JSON: {
        AUTO_JSON json_t *value = json_parse("it", text, strlen(text), err);
        return value != NULL ? check_given(key, value, err) : NULL;
    }
    default: {
        AUTO_JSON json_t *value = json_string(text);
        return check_given(key, value, err);
    }
    }
}

/* Puts the key's value, if it has one, into `result`. */
static int complete_key(const char *what, const struct banger_config_key *key, const json_t *given,
                        json_t *result, banger_error *err)
{
    const json_t *value = json_at(given, key->name);
    bool from_user = value != NULL && !json_is_null(value);
    if (!from_user && key->default_value == NULL) {
        return 0;
    }
    json_t *checked = from_user ? check_given(key, value, err) : check_default(key, err);
    if (checked == NULL) {
        return error_prefix(err, "%s: %s%s: ", what, from_user ? "" : "default of ", key->name);
    }
    json_put(result, key->name, checked);
    return 0;
}

struct declared {
    const char *what;
    const struct banger_config_key *keys;
    size_t count;
};

static bool is_key(const struct declared *declared, const char *path)
{
    for (size_t i = 0; i < declared->count; i++) {
        if (strcmp(declared->keys[i].name, path) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_group(const struct declared *declared, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < declared->count; i++) {
        if (str_starts(declared->keys[i].name, path) && declared->keys[i].name[length] == '.') {
            return true;
        }
    }
    return false;
}

static int unknown_key(const struct declared *declared, const char *path, banger_error *err)
{
    AUTO_FREE const char **names = xcalloc(declared->count, sizeof(*names));
    for (size_t i = 0; i < declared->count; i++) {
        names[i] = declared->keys[i].name;
    }
    (void)error_set(err, BANGER_EINVALID, "%s: unknown key '%s'", declared->what, path);
    const char *nearest = str_nearest(path, names, declared->count);
    return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest) : -1;
}

/* Every key of `object` must be declared. `group` is where it lies: "" or "vm." */
static int check_known(const struct declared *declared, const char *group, const json_t *object,
                       banger_error *err)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)object, name, value) {
        AUTO_FREE char *path = str_format("%s%s", group, name);
        bool has_dot =
            strchr(name, '.') != NULL; /* ["vm.memory"] = ... would be looked for in vm */
        if (!has_dot && is_key(declared, path)) {
            continue;
        }
        if (has_dot || !is_group(declared, path)) {
            return unknown_key(declared, path, err);
        }
        if (!json_is_object(value)) {
            return error_set(err, BANGER_EINVALID, "%s: %s: it must be a table", declared->what,
                             path);
        }
        AUTO_FREE char *inner = str_format("%s.", path);
        if (check_known(declared, inner, value, err) < 0) {
            return -1;
        }
    }
    return 0;
}

json_t *config_check(const char *what, const struct banger_config_key *keys, size_t count,
                     const json_t *given, banger_error *err)
{
    if (given != NULL && !json_is_object(given)) {
        (void)error_set(err, BANGER_EINVALID, "%s: it must be a table", what);
        return NULL;
    }
    const struct declared declared = {.what = what, .keys = keys, .count = count};
    if (check_known(&declared, "", given, err) < 0) {
        return NULL;
    }
    AUTO_JSON json_t *result = json_object();
    for (size_t i = 0; i < count; i++) {
        if (complete_key(what, &keys[i], given, result, err) < 0) {
            return NULL;
        }
    }
    return STEAL(result);
}
