/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include "cleanup.h"
#include "str.h"

#include <string.h>

#define JSON_LIMIT ((size_t)16 * 1024 * 1024)

json_t *json_parse(const char *what, const char *text, size_t length, banger_error *err)
{
    if (length > JSON_LIMIT) {
        (void)error_set(err, BANGER_EINVALID, "%s is longer than %zu bytes", what, JSON_LIMIT);
        return NULL;
    }
    json_error_t problem;
    json_t *json = json_loadb(text, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &problem);
    if (json == NULL) {
        (void)error_set(err, BANGER_EINVALID, "%s is not valid JSON: %s (byte %d)", what,
                        problem.text, problem.position);
    }
    return json;
}

char *json_text(const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    return text != NULL ? text : xstrdup("null");
}

static json_t *lossy(const char *bytes, size_t length)
{
    json_t *string = json_stringn(bytes, length);
    if (string != NULL) {
        return string;
    }
    AUTO_FREE char *ascii = xmalloc(length);
    for (size_t i = 0; i < length; i++) {
        ascii[i] = (unsigned char)bytes[i] < 0x80 ? bytes[i] : '?';
    }
    return json_stringn(ascii, length);
}

json_t *json_lossy_string(const char *text)
{
    return text != NULL ? lossy(text, strlen(text)) : json_null();
}

json_t *json_lossy_output(const struct buf *output)
{
    return lossy(str_or(output->data, ""), output->length);
}

json_t *json_at(const json_t *json, const char *dotted)
{
    while (json != NULL && *dotted != '\0') {
        size_t length = strcspn(dotted, ".");
        json = json_object_getn(json, dotted, length);
        dotted += length + (dotted[length] == '.');
    }
    return (json_t *)json;
}

void json_put(json_t *json, const char *dotted, json_t *value)
{
    for (;;) {
        size_t length = strcspn(dotted, ".");
        if (dotted[length] == '\0') {
            (void)json_object_setn_new(json, dotted, length, value);
            return;
        }
        json_t *next = json_object_getn(json, dotted, length);
        if (!json_is_object(next)) {
            next = json_object();
            (void)json_object_setn_new(json, dotted, length, next);
        }
        json = next;
        dotted += length + 1;
    }
}

const char *json_get_string(const json_t *json, const char *dotted, const char *fallback)
{
    return str_or(json_string_value(json_at(json, dotted)), fallback);
}

int64_t json_get_int(const json_t *json, const char *dotted, int64_t fallback)
{
    const json_t *value = json_at(json, dotted);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_get_bool(const json_t *json, const char *dotted, bool fallback)
{
    const json_t *value = json_at(json, dotted);
    return json_is_boolean(value) ? json_boolean_value(value) : fallback;
}

static int wrong_type(const char *name, const char *type, banger_error *err)
{
    return error_set(err, BANGER_EINVALID, "parameter '%s' must be %s", name, type);
}

int json_want_string(const json_t *params, const char *name, const char **value, banger_error *err)
{
    const json_t *found = json_object_get(params, name);
    if (found == NULL || json_is_null(found)) {
        return 0;
    }
    if (!json_is_string(found)) {
        return wrong_type(name, "a string", err);
    }
    *value = json_string_value(found);
    return 0;
}

int json_need_string(const json_t *params, const char *name, const char **value, banger_error *err)
{
    *value = NULL;
    if (json_want_string(params, name, value, err) < 0) {
        return -1;
    }
    if (*value == NULL) {
        return error_set(err, BANGER_EINVALID, "parameter '%s' is missing", name);
    }
    return 0;
}

int json_want_int(const json_t *params, const char *name, int64_t *value, banger_error *err)
{
    const json_t *found = json_object_get(params, name);
    if (found == NULL || json_is_null(found)) {
        return 0;
    }
    if (!json_is_integer(found)) {
        return wrong_type(name, "a whole number", err);
    }
    *value = json_integer_value(found);
    return 0;
}

int json_want_bool(const json_t *params, const char *name, bool *value, banger_error *err)
{
    const json_t *found = json_object_get(params, name);
    if (found == NULL || json_is_null(found)) {
        return 0;
    }
    if (!json_is_boolean(found)) {
        return wrong_type(name, "true or false", err);
    }
    *value = json_boolean_value(found);
    return 0;
}

int json_only_keys(const char *what, const json_t *object, const char *const *known,
                   banger_error *err)
{
    if (object != NULL && !json_is_object(object)) {
        return error_set(err, BANGER_EINVALID, "%s must be an object", what);
    }
    size_t count = 0;
    while (known[count] != NULL) {
        count++;
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)object, key, value) {
        bool found = false;
        for (size_t i = 0; i < count && !found; i++) {
            found = strcmp(key, known[i]) == 0;
        }
        if (!found) {
            const char *nearest = str_nearest(key, known, count);
            (void)error_set(err, BANGER_EINVALID, "unknown key '%s' in %s", key, what);
            return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest) : -1;
        }
    }
    return 0;
}
