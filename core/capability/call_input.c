/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The getters: dotted keys into what the scope knows. */
#include "call.h"

#include "base/json.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where a key's first part leads, if not into the operation's input. With the scope's lock held. */
static const json_t *root_of(const struct banger_call *call, const char *name, size_t length)
{
    const struct scope *scope = call->scope;
    if (length == 6 && memcmp(name, "config", length) == 0) {
        return call->capability->config;
    }
    if (length == 4 && memcmp(name, "self", length) == 0) {
        return call->capability->self;
    }
    if (length == 7 && memcmp(name, "runtime", length) == 0) {
        return scope->runtime;
    }
    if (length == 7 && memcmp(name, "machine", length) == 0) {
        return scope->machine != NULL ? machine_document(scope->machine) : NULL;
    }
    return NULL;
}

/* What the last host function that failed in this call said: a script passes it on to its user with the line
 * that called it. */
static const char *failure_of(const struct banger_call *call, const char *key)
{
    if (call->error.code == 0 || strncmp(key, "call.", 5) != 0) {
        return NULL;
    }
    if (str_equal(key, "call.error")) {
        return call->error.message;
    }
    const char *hint = call->hint[0] != '\0' ? call->hint : call->error.hint;
    return str_equal(key, "call.hint") && hint[0] != '\0' ? hint : NULL;
}

static const json_t *look_up(const struct banger_call *call, const char *key)
{
    size_t length = strcspn(key, ".");
    const json_t *root = root_of(call, key, length);
    if (root == NULL) {
        return json_at(call->scope->input, key);
    }
    return json_at(root, key + length + (key[length] == '.'));
}

const char *call_get_string(struct banger_call *call, const char *key, const char *fallback)
{
    if (!call_lock(call)) {
        return fallback;
    }
    const char *found = NULL;
    const json_t *value = look_up(call, key);
    const char *failure = failure_of(call, key);
    if (failure != NULL) {
        found = call_keep(call, failure);
    } else if (json_is_string(value)) {
        found = call_keep(call, json_string_value(value));
    } else if (json_is_integer(value)) {
        char text[24];
        (void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)json_integer_value(value));
        found = call_keep(call, text);
    }
    call_unlock(call);
    return found != NULL ? found : fallback;
}

int64_t call_get_int(struct banger_call *call, const char *key, int64_t fallback)
{
    if (!call_lock(call)) {
        return fallback;
    }
    const json_t *value = look_up(call, key);
    int64_t found = json_is_integer(value) ? json_integer_value(value) : fallback;
    if (str_equal(key, "call.code") && call->error.code != 0) {
        found = call->error.code;
    }
    call_unlock(call);
    return found;
}

int call_get_bool(struct banger_call *call, const char *key, int fallback)
{
    if (!call_lock(call)) {
        return fallback;
    }
    const json_t *value = look_up(call, key);
    int found = json_is_boolean(value) ? json_is_true(value) : fallback;
    call_unlock(call);
    return found;
}

const char *call_get_json(struct banger_call *call, const char *key)
{
    if (strcmp(key, "resources") == 0) {
        return call_resources(call);
    }
    if (!call_lock(call)) {
        return NULL;
    }
    const json_t *value = look_up(call, key);
    const char *text = value != NULL ? call_keep_json(call, value) : NULL;
    call_unlock(call);
    return text;
}
