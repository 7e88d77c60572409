/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* -- The entry ------------------------------------------------------------------------------------- */

/* What getters of this hook answer from. */
static json_t *describe_input(struct banger_call *call)
{
    struct scope *scope = call->scope;
    const char *resources = call_host.get_json(call, "resources");
    json_t *input = NULL;
    if (!call_lock(call)) {
        return NULL;
    }
    input = json_deep_copy(scope->input);
    json_t *self = json_copy(call->capability->self);
    (void)json_object_del(self, "state"); /* a script's text: whoever plays this has its own */
    (void)json_object_set_new(input, "self", self);
    (void)json_object_set_new(input, "config", json_deep_copy(call->capability->config));
    (void)json_object_set_new(input, "runtime", json_deep_copy(scope->runtime));
    if (scope->machine != NULL) {
        (void)json_object_set_new(input, "machine",
                                  json_deep_copy(machine_document(scope->machine)));
    }
    call_unlock(call);
    if (resources != NULL) {
        (void)json_object_set_new(input, "resources", json_loads(resources, 0, NULL));
    }
    return input;
}

void record_begin(struct banger_call *call)
{
    json_t *input = describe_input(call);
    call->record = json_pack("{s:s, s:s, s:o*, s:[]}", "capability", call->capability->plugin->name,
                             "hook", call->what, "input", input, "calls");
    call->record_size = 0;
}

void record_drop(struct banger_call *call)
{
    json_decref(call->record);
    call->record = NULL;
}

void record_end(struct banger_call *call, int result)
{
    if (call->record == NULL) {
        return;
    }
    (void)json_object_set_new(call->record, "result", json_integer(result));
    if (result != 0) {
        banger_error problem = BANGER_ERROR_INIT;
        (void)call_outcome(call, result, &problem);
        (void)json_object_set_new(call->record, "error",
                                  json_pack("{s:i, s:s, s:s}", "code", (int)problem.code, "message",
                                            problem.message, "hint", problem.hint));
    }
    call->scope->services.record(call->scope->context, call->record);
    record_drop(call);
}

/* -- Writing calls down ------------------------------------------------------------------------------ */

/* A text as the JSON that it may be, else as a string. NULL stays NULL. */
static json_t *value_of(const char *text)
{
    json_t *value = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return value != NULL || text == NULL ? value : json_string(text);
}

/* Steals args and result; NULL result: the function has none, or has failed. */
static void note(struct banger_call *call, const char *function, json_t *args, json_t *result,
                 bool failed)
{
    if (call->record == NULL) {
        json_decref(args);
        json_decref(result);
        return;
    }
    AUTO_JSON json_t *entry =
        json_pack("{s:s, s:o, s:o*}", "call", function, "args", args, "result", result);
    if (failed && entry != NULL) {
        (void)json_object_set_new(entry, "error", json_string(call->error.message));
    }
    size_t size = json_dumpb(entry, NULL, 0, JSON_COMPACT);
    if (call->record_size + size > RECORD_MAX) {
        (void)json_object_set_new(call->record, "cut", json_true());
        (void)json_object_del(entry,
                              "result"); /* that it was called, and with what, may have room */
        size = json_dumpb(entry, NULL, 0, JSON_COMPACT);
    }
    if (call->record_size + size <= RECORD_MAX) {
        call->record_size += size;
        (void)json_array_append(json_object_get(call->record, "calls"), entry);
    }
}

/* -- The table ----------------------------------------------------------------------------------------- */

BANGER_PRINTF(3, 4)
static int record_fail(struct banger_call *call, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    note(call, "fail", json_pack("[i, s]", code, text), NULL, false);
    return (call_host.fail)(call, code, "%s", text);
}

BANGER_PRINTF(2, 3)
static void record_hint(struct banger_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    note(call, "hint", json_pack("[s]", text), NULL, false);
    call_host.hint(call, "%s", text);
}

BANGER_PRINTF(3, 4)
static void record_log(struct banger_call *call, int level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    note(call, "log", json_pack("[i, s]", level, text), NULL, false);
    call_host.log(call, level, "%s", text);
}

static void record_progress(struct banger_call *call, const char *text)
{
    note(call, "progress", json_pack("[s?]", text), NULL, false);
    call_host.progress(call, text);
}

static int64_t record_remaining_ms(struct banger_call *call)
{
    return call_host.remaining_ms(call); /* of no use another time */
}

static int record_cancelled(struct banger_call *call)
{
    return call_host.cancelled(call);
}

static const char *record_get_string(struct banger_call *call, const char *key,
                                     const char *fallback)
{
    const char *found = call_host.get_string(call, key, fallback);
    note(call, "get_string", json_pack("[s, s?]", key, fallback),
         found != NULL ? json_string(found) : NULL, false);
    return found;
}

static int64_t record_get_int(struct banger_call *call, const char *key, int64_t fallback)
{
    int64_t found = call_host.get_int(call, key, fallback);
    note(call, "get_int", json_pack("[s, I]", key, (json_int_t)fallback), json_integer(found),
         false);
    return found;
}

static int record_get_bool(struct banger_call *call, const char *key, int fallback)
{
    int found = call_host.get_bool(call, key, fallback);
    note(call, "get_bool", json_pack("[s, i]", key, fallback), json_integer(found), false);
    return found;
}

static const char *record_get_json(struct banger_call *call, const char *key)
{
    const char *found = call_host.get_json(call, key);
    note(call, "get_json", json_pack("[s]", key), value_of(found), false);
    return found;
}

static int record_contribute(struct banger_call *call, const char *section, const char *json)
{
    int result = call_host.contribute(call, section, json);
    note(call, "contribute", json_pack("[s?, o?]", section, value_of(json)), NULL, result < 0);
    return result;
}

static int record_set_json(struct banger_call *call, const char *key, const char *json)
{
    int result = call_host.set_json(call, key, json);
    note(call, "set_json", json_pack("[s?, o?]", key, value_of(json)), NULL, result < 0);
    return result;
}

static int record_emit(struct banger_call *call, const char *name, const char *json)
{
    int result = call_host.emit(call, name, json);
    note(call, "emit", json_pack("[s?, o?]", name, value_of(json)), NULL, result < 0);
    return result;
}

static int64_t record_resource_intend(struct banger_call *call, const char *kind, const char *key,
                                      const char *attrs)
{
    int64_t id = call_host.resource_intend(call, kind, key, attrs);
    note(call, "resource_intend", json_pack("[s?, s?, o?]", kind, key, value_of(attrs)),
         id > 0 ? json_integer(id) : NULL, id < 0);
    return id;
}

static int record_resource_held(struct banger_call *call, int64_t id, const char *attrs)
{
    int result = call_host.resource_held(call, id, attrs);
    note(call, "resource_held", json_pack("[I, o?]", (json_int_t)id, value_of(attrs)), NULL,
         result < 0);
    return result;
}

static int record_resource_gone(struct banger_call *call, int64_t id)
{
    int result = call_host.resource_gone(call, id);
    note(call, "resource_gone", json_pack("[I]", (json_int_t)id), NULL, result < 0);
    return result;
}

static int record_spawn(struct banger_call *call, const char *argv, const char *options)
{
    int result = call_host.spawn(call, argv, options);
    note(call, "spawn", json_pack("[o?, o?]", value_of(argv), value_of(options)), NULL, result < 0);
    return result;
}

static int record_run(struct banger_call *call, const char *argv, const char **answer)
{
    int result = call_host.run(call, argv, answer);
    note(call, "run", json_pack("[o?]", value_of(argv)), result == 0 ? value_of(*answer) : NULL,
         result < 0);
    return result;
}

static int record_guest_exec(struct banger_call *call, const char *request, const char **answer)
{
    int result = call_host.guest_exec(call, request, answer);
    note(call, "guest_exec", json_pack("[o?]", value_of(request)),
         result == 0 ? value_of(*answer) : NULL, result < 0);
    return result;
}

static int record_guest_copy(struct banger_call *call, const char *request)
{
    int result = call_host.guest_copy(call, request);
    note(call, "guest_copy", json_pack("[o?]", value_of(request)), NULL, result < 0);
    return result;
}

static int record_host_op(struct banger_call *call, const char *name, const char *args,
                          const char **answer)
{
    const char *text = NULL;
    int result = call_host.host_op(call, name, args, &text);
    note(call, "host_op", json_pack("[s?, o?]", name, value_of(args)),
         result == 0 ? value_of(text) : NULL, result < 0);
    if (result == 0 && answer != NULL) {
        *answer = text;
    }
    return result;
}

static int64_t record_lease_number(struct banger_call *call, const char *pool, int64_t first,
                                   int64_t last)
{
    int64_t number = call_host.lease_number(call, pool, first, last);
    note(call, "lease_number", json_pack("[s?, I, I]", pool, (json_int_t)first, (json_int_t)last),
         number >= 0 ? json_integer(number) : NULL, number < 0);
    return number;
}

static int record_provide(struct banger_call *call, const char *json)
{
    return call_host.provide(call, json); /* of no operation's */
}

const struct banger_host record_host = {
    .size = sizeof(struct banger_host),
    .abi_major = BANGER_ABI_MAJOR,
    .abi_minor = BANGER_ABI_MINOR,
    .fail = record_fail,
    .hint = record_hint,
    .log = record_log,
    .progress = record_progress,
    .remaining_ms = record_remaining_ms,
    .cancelled = record_cancelled,
    .get_string = record_get_string,
    .get_int = record_get_int,
    .get_bool = record_get_bool,
    .get_json = record_get_json,
    .contribute = record_contribute,
    .set_json = record_set_json,
    .emit = record_emit,
    .resource_intend = record_resource_intend,
    .resource_held = record_resource_held,
    .resource_gone = record_resource_gone,
    .spawn = record_spawn,
    .run = record_run,
    .guest_exec = record_guest_exec,
    .host_op = record_host_op,
    .lease_number = record_lease_number,
    .guest_copy = record_guest_copy,
    .provide = record_provide,
};
