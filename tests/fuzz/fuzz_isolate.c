/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: bytes of a plugin's process through the framing, in two parts cut where the first byte says;
 * each value is taken for a description, then for a request to a host that looks at what it is given. The
 * second byte says whether the request is one of `start`.
 */
#include "base/cleanup.h"
#include "capability/descriptor.h"
#include "capability/isolate_describe.h"
#include "capability/isolate_serve.h"
#include "capability/isolate_wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* -- A host that touches all of its arguments ------------------------------------------------------ */

static size_t touched;

static void touch(const char *text)
{
    touched += text != NULL ? strlen(text) : 0;
}

static void need(const char *text)
{
    check(text != NULL);
    touch(text);
}

BANGER_PRINTF(3, 4)
static int host_fail(struct banger_call *call, int code, const char *format, ...)
{
    (void)call;
    (void)code;
    need(format);
    return -1;
}

BANGER_PRINTF(2, 3)
static void host_hint(struct banger_call *call, const char *format, ...)
{
    (void)call;
    need(format);
}

BANGER_PRINTF(3, 4)
static void host_log(struct banger_call *call, int level, const char *format, ...)
{
    (void)call;
    (void)level;
    need(format);
}

static void host_progress(struct banger_call *call, const char *text)
{
    (void)call;
    need(text);
}

static int64_t host_remaining_ms(struct banger_call *call)
{
    (void)call;
    return 1;
}

static int host_cancelled(struct banger_call *call)
{
    (void)call;
    return 0;
}

static const char *host_get_string(struct banger_call *call, const char *key, const char *fallback)
{
    (void)call;
    need(key);
    check(fallback == NULL);
    return "\xff no UTF-8";
}

static int64_t host_get_int(struct banger_call *call, const char *key, int64_t fallback)
{
    (void)call;
    need(key);
    return fallback;
}

static int host_get_bool(struct banger_call *call, const char *key, int fallback)
{
    (void)call;
    need(key);
    return fallback;
}

static const char *host_get_json(struct banger_call *call, const char *key)
{
    (void)call;
    need(key);
    return NULL;
}

static int host_two(struct banger_call *call, const char *name, const char *json)
{
    (void)call;
    need(name);
    touch(json);
    return 0;
}

static int host_any_two(struct banger_call *call, const char *one, const char *two)
{
    (void)call;
    touch(one);
    touch(two);
    return 0;
}

static int host_one(struct banger_call *call, const char *json)
{
    (void)call;
    touch(json);
    return 0;
}

static int host_output(struct banger_call *call, const char *json, const char **result)
{
    (void)call;
    touch(json);
    *result = "{}";
    return 0;
}

static int host_op(struct banger_call *call, const char *name, const char *args,
                   const char **result)
{
    need(name);
    return host_output(call, args, result);
}

static int64_t host_intend(struct banger_call *call, const char *kind, const char *key,
                           const char *attrs)
{
    touch(kind);
    return host_any_two(call, key, attrs);
}

static int host_held(struct banger_call *call, int64_t id, const char *attrs)
{
    (void)id;
    return host_one(call, attrs);
}

static int host_gone(struct banger_call *call, int64_t id)
{
    (void)call;
    return id > 0 ? 0 : -1;
}

static int64_t host_lease(struct banger_call *call, const char *pool, int64_t first, int64_t last)
{
    touch(pool);
    (void)call;
    return first < last ? first : -1;
}

static const struct banger_host host = {
    .size = sizeof(host),
    .fail = host_fail,
    .hint = host_hint,
    .log = host_log,
    .progress = host_progress,
    .remaining_ms = host_remaining_ms,
    .cancelled = host_cancelled,
    .get_string = host_get_string,
    .get_int = host_get_int,
    .get_bool = host_get_bool,
    .get_json = host_get_json,
    .contribute = host_two,
    .set_json = host_two,
    .emit = host_two,
    .resource_intend = host_intend,
    .resource_held = host_held,
    .resource_gone = host_gone,
    .spawn = host_any_two,
    .run = host_output,
    .guest_exec = host_output,
    .host_op = host_op,
    .lease_number = host_lease,
    .guest_copy = host_one,
};

/* -- What is looked at ----------------------------------------------------------------------------- */

/* What passes for a descriptor has all that it says: whoever reads it reads nothing else. */
static void describe(json_t *value)
{
    banger_error err = BANGER_ERROR_INIT;
    struct isolate_description *found = isolate_description_new(value, &err);
    check((found == NULL) == (err.code != 0));
    if (found == NULL) {
        return;
    }
    struct descriptor own;
    if (descriptor_adopt(isolate_description_plugin(found), &own, &err) == 0) {
        need(own.plugin.name);
        for (size_t i = 0; i < own.plugin.config_count; i++) {
            touch(own.plugin.config[i].name);
            touch(own.plugin.config[i].default_value);
        }
        for (const char *const *at = own.plugin.after; at != NULL && *at != NULL; at++) {
            need(*at);
        }
        descriptor_clear(&own);
    }
    isolate_description_free(found);
}

/* A request is answered when its function has a result, and every answer can be sent. */
static void serve(const json_t *value, bool about_plugin)
{
    const struct isolate_service service = {&host, NULL, about_plugin};
    banger_error err = BANGER_ERROR_INIT;
    json_t *answer = NULL;
    int result = isolate_serve(&service, value, &answer, &err);
    check((result < 0) == (err.code != 0));
    check(result == 0 || answer == NULL);
    AUTO_BUF struct buf out = BUF_INIT;
    check(answer == NULL || wire_put(&out, answer) == 0);
    json_decref(answer);
}

static void take_frames(struct buf *in, bool about_plugin)
{
    size_t length = 0;
    while (wire_look(in, &length) > 0) {
        AUTO_JSON json_t *value = wire_take(in, length);
        if (value == NULL) {
            return;
        }
        describe(value);
        serve(value, about_plugin);
    }
}

/* The same JSON without a header: the parser's first byte is the fuzzer's. */
static void take_text(const uint8_t *data, size_t size, bool about_plugin)
{
    AUTO_JSON json_t *value = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (value != NULL) {
        describe(value);
        serve(value, about_plugin);
    }
}

static const char *const words[] = {
    "fail",       "hint",          "log",           "progress",     "remaining_ms",
    "cancelled",  "get_string",    "get_int",       "get_bool",     "get_json",
    "contribute", "set_json",      "emit",          "run",          "resource_intend",
    "spawn",      "resource_held", "resource_gone", "guest_exec",   "host_op",
    "guest_copy", "provide",       "lease_number",  "config.start", "self.name",
    "vm.name",    "return",        "nothing"};

/* A value that a byte stands for. */
static json_t *value_of(uint8_t byte)
{
    switch (byte % 6) {
    case 0:
        return json_null();
    case 1:
        return json_integer(byte);
    case 2:
        return json_array();
    case 3:
        return json_real(byte);
    default:
        return json_string(words[byte / 6 % COUNT_OF(words)]);
    }
}

/* One request out of bytes: most are near one that is right. */
static void take_built(const uint8_t *data, size_t size, bool about_plugin)
{
    AUTO_JSON json_t *request = json_array();
    (void)json_array_append_new(request, json_string(words[data[0] % COUNT_OF(words)]));
    for (size_t i = 1; i < size && i < 5; i++) {
        (void)json_array_append_new(request, value_of(data[i]));
    }
    serve(request, about_plugin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    bool about_plugin = (data[1] & 1) != 0;
    size_t cut = data[0] % (size - 1) + 2;
    cut = cut < size ? cut : size;
    AUTO_BUF struct buf in = BUF_INIT;
    buf_append(&in, data + 2, cut - 2);
    take_frames(&in, about_plugin);
    buf_append(&in, data + cut, size - cut);
    take_frames(&in, about_plugin);
    take_text(data + 2, size - 2, about_plugin);
    take_built(data + 1, size - 1, about_plugin);
    return 0;
}
