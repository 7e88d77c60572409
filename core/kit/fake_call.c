/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a call ends, and what its getters answer. */
#include "fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t fake_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

json_t *fake_parse(struct banger_call *call, const char *what, const char *text)
{
    json_error_t error = {.text = "it is missing"};
    json_t *value = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, &error);

    if (value == NULL) {
        (void)fake_refuse(call, BANGER_EINTERNAL, "%s is not JSON: %s", what, error.text);
    }
    return value;
}

static bool is_pure(const char *hook)
{
    return strcmp(hook, "check") == 0 || strcmp(hook, "contributeMachineConfig") == 0 ||
           strcmp(hook, "contribute") == 0;
}

int fake_need_effects(struct banger_call *call, const char *function)
{
    const char *hook = fake_of(call)->hook;

    return hook == NULL || !is_pure(hook)
               ? 0
               : fake_refuse(call, BANGER_EINTERNAL,
                             "%s is not allowed in %s, which must change nothing", function, hook);
}

const char *fake_keep(struct fake_host *fake, json_t *value)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_t *kept = text == NULL ? NULL : json_string(text);

    json_decref(value);
    free(text);
    json_array_append_new(fake->keep, kept);
    return json_string_value(kept);
}

/* -- Outcome -- */

static BANGER_PRINTF(3, 0) void record(struct fake_host *fake, int code, const char *format,
                                       va_list args)
{
    fake->code = code;
    (void)vsnprintf(fake->error, sizeof(fake->error), format, args);
}

int fake_fail(struct banger_call *call, int code, const char *format, ...)
{
    struct fake_host *fake = fake_of(call);
    va_list args;

    if (!fake->failed) {
        va_start(args, format);
        record(fake, code, format, args);
        va_end(args);
        fake->failed = true;
    }
    return -1;
}

int fake_refuse(struct banger_call *call, int code, const char *format, ...)
{
    struct fake_host *fake = fake_of(call);
    va_list args;

    if (!fake->failed) {
        va_start(args, format);
        record(fake, code, format, args);
        va_end(args);
        fake_host_set(fake, "call.error", json_string(fake->error));
        fake_host_set(fake, "call.code", json_integer(code));
    }
    return -1;
}

void fake_hint(struct banger_call *call, const char *format, ...)
{
    struct fake_host *fake = fake_of(call);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(fake->hint, sizeof(fake->hint), format, args);
    va_end(args);
}

void fake_log(struct banger_call *call, int level, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fake_note(fake_of(call), "log", json_pack("[i, s]", level, text), NULL);
    json_array_append_new(fake_of(call)->log, json_string(text));
}

void fake_progress(struct banger_call *call, const char *text)
{
    fake_note(fake_of(call), "progress", json_pack("[s]", text), NULL);
    json_array_append_new(fake_of(call)->progress, json_string(text));
}

int64_t fake_remaining_ms(struct banger_call *call)
{
    struct fake_host *fake = fake_of(call);
    int64_t left = fake->deadline_ms - fake_now_ms();

    if (fake->deadline_ms == 0) {
        return fake->remaining_ms;
    }
    return left > 0 ? left : 0;
}

int fake_cancelled(struct banger_call *call)
{
    struct fake_host *fake = fake_of(call);

    if (fake->cancel_after > 0) {
        fake->cancel_after--;
        return 0;
    }
    return fake->cancel_after == 0;
}

/* -- Input -- */

/* The value at a dotted path; what is contributed and journaled can be read back as on a real host.
 */
static const json_t *lookup(struct fake_host *fake, const char *key)
{
    const json_t *at = fake->input;
    char copy[256];
    char *rest = copy;

    if (strcmp(key, "resources") == 0) {
        return fake->resources;
    }
    (void)snprintf(copy, sizeof(copy), "%s", key);
    while (at != NULL && rest != NULL) {
        at = json_object_get(at, strsep(&rest, "."));
    }
    return at;
}

const char *fake_get_string(struct banger_call *call, const char *key, const char *fallback)
{
    const char *text = json_string_value(lookup(fake_of(call), key));

    return text != NULL ? text : fallback;
}

int64_t fake_get_int(struct banger_call *call, const char *key, int64_t fallback)
{
    const json_t *value = lookup(fake_of(call), key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

int fake_get_bool(struct banger_call *call, const char *key, int fallback)
{
    const json_t *value = lookup(fake_of(call), key);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

const char *fake_get_json(struct banger_call *call, const char *key)
{
    struct fake_host *fake = fake_of(call);

    return fake_keep(fake, json_incref((json_t *)lookup(fake, key)));
}
