/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/spec.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "base/str.h"
#include "lifecycle/publish.h"

#include <inttypes.h>
#include <string.h>

typedef int (*item_check)(const char *text, banger_error *err);

struct field {
    const char *name;
    json_type type;
    const char *config;  /* where the default comes from; NULL: nothing, or an empty list */
    int64_t config_unit; /* the configuration counts in bytes, the specification in MiB */
    int64_t minimum, maximum;
    item_check check;                                     /* of a string, or of each element */
    int (*check_all)(const json_t *list, banger_error *); /* of the elements together, or NULL */
};

static int check_choice(const char *text, banger_error *err)
{
    return name_check_artifact("provider", text, err);
}

/* x86's kernel reads 2,047 bytes and drops the rest without a word (COMMAND_LINE_SIZE): half of that
 * is the user's, the other half the VMM's and the capabilities'. */
#define BOOT_ARGS_MAX 1024

static int check_boot_args(const json_t *list, banger_error *err)
{
    size_t total = 0;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (list, i, item) {
        total += json_string_length(item) + 1;
    }
    return total <= BOOT_ARGS_MAX
               ? 0
               : error_set(err, BANGER_EINVALID,
                           "invalid boot_args: they take %zu bytes together, of at most %d", total,
                           BOOT_ARGS_MAX);
}

#define MIB (INT64_C(1) << 20)

/* clang-format off */
static const struct field fields[] = {
    /* name          type           default         unit  minimum maximum           elements */
    {"vcpu",        JSON_INTEGER, "vm.vcpu",       1,    1,      32,               NULL}, /* as Firecracker's limit */
    {"memory_mib",  JSON_INTEGER, "vm.memory",     MIB,  64,     INT64_C(1) << 20, NULL},
    {"disk_mib",    JSON_INTEGER, "vm.disk",       MIB,  64,     INT64_C(1) << 26, NULL},
    {"vmm",         JSON_STRING,  "vm.vmm",        1,    0,      0,                check_choice},
    {"rootfs",      JSON_STRING,  "vm.rootfs",     1,    0,      0,                check_choice},
    {"network",     JSON_STRING,  "vm.network",    1,    0,      0,                check_choice},
    {"nat",         JSON_TRUE,    NULL,            1,    0,      0,                NULL},
    {"publish",     JSON_ARRAY,   NULL,            1,    0,      64,               publish_check, publish_check_clashes},
    {"labels",      JSON_OBJECT,  NULL,            1,    0,      64,               NULL},
    {"boot_args",   JSON_ARRAY,   NULL,            1,    0,      64,               name_check_boot_arg, check_boot_args},
    {"env",         JSON_ARRAY,   NULL,            1,    0,      256,              name_check_env},
};
/* clang-format on */

static const struct field *find_field(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static int wrong_shape(const struct field *field, const char *shape, banger_error *err)
{
    return error_set(err, BANGER_EINVALID, "invalid %s: it must be %s", field->name, shape);
}

static int check_number(const struct field *field, const json_t *value, banger_error *err)
{
    if (!json_is_integer(value)) {
        return wrong_shape(field, "a whole number", err);
    }
    int64_t number = json_integer_value(value);
    if (number < field->minimum || number > field->maximum) {
        return error_set(err, BANGER_EINVALID,
                         "invalid %s %" PRId64 ": use a whole number from %" PRId64 " to %" PRId64,
                         field->name, number, field->minimum, field->maximum);
    }
    return 0;
}

static int check_list(const struct field *field, const json_t *value, banger_error *err)
{
    if (!json_is_array(value) || json_array_size(value) > (size_t)field->maximum) {
        return error_set(err, BANGER_EINVALID, "invalid %s: it must be a list of at most %" PRId64,
                         field->name, field->maximum);
    }
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (value, i, item) {
        if (!json_is_string(item)) {
            return wrong_shape(field, "a list of strings", err);
        }
        if (field->check(json_string_value(item), err) < 0) {
            return -1;
        }
    }
    return field->check_all != NULL ? field->check_all(value, err) : 0;
}

static int check_labels(const struct field *field, const json_t *value, banger_error *err)
{
    if (!json_is_object(value) || json_object_size(value) > (size_t)field->maximum) {
        return error_set(err, BANGER_EINVALID,
                         "invalid %s: it must be an object of at most %" PRId64, field->name,
                         field->maximum);
    }
    const char *key = NULL;
    json_t *text = NULL;
    json_object_foreach ((json_t *)value, key, text) {
        if (!json_is_string(text) && !json_is_null(text)) {
            return wrong_shape(field, "an object of strings", err);
        }
        AUTO_FREE char *pair = str_format("%s=%s", key, str_or(json_string_value(text), ""));
        if (strchr(key, '=') != NULL) { /* the pair would be read with another key */
            return error_set(err, BANGER_EINVALID, "invalid label '%.64s': a key has no '='", key);
        }
        if (name_check_label_pair(pair, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_value(const struct field *field, const json_t *value, banger_error *err)
{
    switch (field->type) {
    case JSON_INTEGER:
        return check_number(field, value, err);
    case JSON_STRING:
        return json_is_string(value) ? field->check(json_string_value(value), err)
                                     : wrong_shape(field, "a string", err);
    case JSON_TRUE:
        return json_is_boolean(value) ? 0 : wrong_shape(field, "true or false", err);
    case JSON_ARRAY:
        return check_list(field, value, err);
    default:
        return check_labels(field, value, err);
    }
}

static json_t *default_value(const struct field *field, const json_t *config)
{
    switch (field->type) {
    case JSON_INTEGER:
        return json_integer(json_get_int(config, field->config, 0) / field->config_unit);
    case JSON_STRING:
        return json_string(json_get_string(config, field->config, "auto"));
    case JSON_TRUE:
        return NULL; /* not said: the network decides */
    case JSON_ARRAY:
        return json_array();
    default:
        return json_object();
    }
}

static int check_keys(const json_t *params, const char *const *also, banger_error *err)
{
    const char *known[COUNT_OF(fields) + 16] = {NULL};
    size_t count = 0;
    for (; count < COUNT_OF(fields); count++) {
        known[count] = fields[count].name;
    }
    for (; also != NULL && *also != NULL && count < COUNT_OF(known) - 1; also++) {
        known[count++] = *also;
    }
    return json_only_keys("the request", params, known, err);
}

/* A null takes the label away. */
static void merge_labels(json_t *labels, const json_t *changes)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)changes, key, value) {
        if (json_is_null(value)) {
            (void)json_object_del(labels, key);
        } else {
            (void)json_object_set(labels, key, value);
        }
    }
}

json_t *spec_new(const json_t *params, const json_t *config, const char *const *also,
                 banger_error *err)
{
    if (check_keys(params, also, err) < 0) {
        return NULL;
    }
    AUTO_JSON json_t *spec = json_object();
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        json_t *given = json_object_get(params, fields[i].name);
        if (given == NULL || json_is_null(given)) {
            (void)json_object_set_new(spec, fields[i].name, default_value(&fields[i], config));
        } else if (check_value(&fields[i], given, err) < 0) {
            return NULL;
        } else if (fields[i].type == JSON_OBJECT) {
            json_t *labels = json_object();
            merge_labels(labels, given);
            (void)json_object_set_new(spec, fields[i].name, labels);
        } else {
            (void)json_object_set_new(spec, fields[i].name, json_deep_copy(given));
        }
    }
    return STEAL(spec);
}

static int check_change(const json_t *old, const struct field *field, const json_t *value,
                        banger_error *err)
{
    if (check_value(field, value, err) < 0) {
        return -1;
    }
    int64_t had = json_get_int(old, "disk_mib", 0);
    if (strcmp(field->name, "disk_mib") == 0 && json_integer_value(value) < had) {
        return error_set(err, BANGER_EINVALID,
                         "invalid disk_mib %" JSON_INTEGER_FORMAT ": a disk is never shrunk, and "
                         "this one has %" PRId64 " MiB",
                         json_integer_value(value), had);
    }
    return 0;
}

json_t *spec_change(const json_t *old, const json_t *changes, banger_error *err)
{
    if (check_keys(changes, NULL, err) < 0) {
        return NULL;
    }
    AUTO_JSON json_t *spec = json_deep_copy(old);
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)changes, key, value) {
        const struct field *field = find_field(key);
        if (check_change(old, field, value, err) < 0) {
            return NULL;
        }
        if (field->type == JSON_OBJECT) {
            json_t *labels = json_object_get(spec, key);
            merge_labels(labels, value);
            if (check_labels(field, labels, err) < 0) { /* too many, together */
                return NULL;
            }
        } else {
            (void)json_object_set_new(spec, key, json_deep_copy(value));
        }
    }
    return STEAL(spec);
}
