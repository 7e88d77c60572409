/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's table in the plugin's process: what a function is given becomes a message, and the parent's
 * own function answers. What getters return is kept until the hook returns.
 */
#include "isolate/child.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>

struct kept {
    struct kept *next;
    char text[];
};

struct banger_call {
    bool open;        /* a hook runs, and its host is there */
    pthread_t thread; /* the only one that may use it */
    struct kept *kept;
};

static struct banger_call the_call;

/* -- Messages ------------------------------------------------------------------------------------- */

static bool is_usable(const struct banger_call *call)
{
    return call == &the_call && call->open && pthread_equal(call->thread, pthread_self()) != 0;
}

/* A defect in how the plugin calls the host. */
static void complain(const char *function, const char *why)
{
    AUTO_FREE char *text = str_format("%s was given %s", function, why);
    (void)link_send(json_pack("[s, i, s]", "fail", BANGER_EINTERNAL, text));
}

/* ["FUNCTION", ...]. `types`: s a text, z a text or NULL, l a text of any bytes, i an int64_t. NULL: it
 * was complained about. */
static json_t *request_of(const char *function, const char *types, va_list args)
{
    AUTO_JSON json_t *request = json_pack("[s]", function);
    for (; *types != '\0'; types++) {
        json_t *value = NULL;
        const char *text = NULL;
        if (*types == 'i') {
            value = json_integer(va_arg(args, int64_t));
        } else {
            text = va_arg(args, const char *);
            value = *types == 'l'                   ? json_lossy_string(str_or(text, ""))
                    : text == NULL && *types == 'z' ? json_null()
                                                    : json_string(text);
        }
        if (json_array_append_new(request, value) < 0) {
            complain(function, text == NULL ? "NULL" : "a text that is not UTF-8");
            return NULL;
        }
    }
    return STEAL(request);
}

static int send_request(const char *function, const char *types, va_list args)
{
    json_t *request = request_of(function, types, args);
    if (request == NULL) {
        return -1;
    }
    int result = link_send(request);
    if (result < 0) {
        complain(function, "more than it can take");
    }
    return result;
}

/* For a function without a result. */
static void say(const struct banger_call *call, const char *function, const char *types, ...)
{
    if (is_usable(call)) {
        va_list args;
        va_start(args, types);
        (void)send_request(function, types, args);
        va_end(args);
    }
}

/* The answer, an array; NULL: there is none. A parent that has closed the socket ends the process. */
static json_t *ask(const struct banger_call *call, const char *function, const char *types, ...)
{
    if (!is_usable(call)) {
        return NULL;
    }
    va_list args;
    va_start(args, types);
    int sent = send_request(function, types, args);
    va_end(args);
    if (sent < 0) {
        return NULL;
    }
    json_t *answer = link_receive(true);
    if (answer == NULL) {
        _exit(0);
    }
    return answer;
}

/* The number in front of an answer. Consumes it. */
static int64_t number_of(json_t *answer, int64_t fallback)
{
    const json_t *value = json_array_get(answer, 0);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : fallback;
    json_decref(answer);
    return number;
}

/* The text at `index` of an answer, kept for the hook; NULL: null. */
static const char *keep(struct banger_call *call, const json_t *answer, size_t index)
{
    const json_t *value = json_array_get(answer, index);
    if (!json_is_string(value)) {
        return NULL;
    }
    size_t length = json_string_length(value);
    struct kept *kept = xmalloc(sizeof(*kept) + length + 1);
    memcpy(kept->text, json_string_value(value), length + 1);
    kept->next = call->kept;
    call->kept = kept;
    return kept->text;
}

/* -- The functions -------------------------------------------------------------------------------- */

BANGER_PRINTF(3, 4)
static int host_fail(struct banger_call *call, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    say(call, "fail", "il", (int64_t)code, text);
    return -1;
}

BANGER_PRINTF(2, 3)
static void host_hint(struct banger_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    say(call, "hint", "l", text);
}

BANGER_PRINTF(3, 4)
static void host_log(struct banger_call *call, int level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    say(call, "log", "il", (int64_t)level, text);
}

static void host_progress(struct banger_call *call, const char *text)
{
    say(call, "progress", "l", text);
}

static int64_t host_remaining_ms(struct banger_call *call)
{
    return number_of(ask(call, "remaining_ms", ""), 0);
}

static int host_cancelled(struct banger_call *call)
{
    return (int)number_of(ask(call, "cancelled", ""), 1);
}

static const char *host_get_string(struct banger_call *call, const char *key, const char *fallback)
{
    AUTO_JSON json_t *answer = ask(call, "get_string", "s", key);
    const char *text = keep(call, answer, 0);
    return text != NULL ? text : fallback;
}

static int64_t host_get_int(struct banger_call *call, const char *key, int64_t fallback)
{
    return number_of(ask(call, "get_int", "si", key, fallback), fallback);
}

static int host_get_bool(struct banger_call *call, const char *key, int fallback)
{
    return (int)number_of(ask(call, "get_bool", "si", key, (int64_t)fallback), fallback);
}

static const char *host_get_json(struct banger_call *call, const char *key)
{
    AUTO_JSON json_t *answer = ask(call, "get_json", "s", key);
    return keep(call, answer, 0);
}

static int host_contribute(struct banger_call *call, const char *section, const char *json)
{
    return (int)number_of(ask(call, "contribute", "sz", section, json), -1);
}

static int host_set_json(struct banger_call *call, const char *key, const char *json)
{
    return (int)number_of(ask(call, "set_json", "sz", key, json), -1);
}

static int host_emit(struct banger_call *call, const char *name, const char *json)
{
    return (int)number_of(ask(call, "emit", "sz", name, json), -1);
}

static int64_t host_resource_intend(struct banger_call *call, const char *kind, const char *key,
                                    const char *attrs_json)
{
    return number_of(ask(call, "resource_intend", "zzz", kind, key, attrs_json), -1);
}

static int host_resource_held(struct banger_call *call, int64_t id, const char *attrs_json)
{
    return (int)number_of(ask(call, "resource_held", "iz", id, attrs_json), -1);
}

static int host_resource_gone(struct banger_call *call, int64_t id)
{
    return (int)number_of(ask(call, "resource_gone", "i", id), -1);
}

static int host_spawn(struct banger_call *call, const char *argv_json, const char *options_json)
{
    return (int)number_of(ask(call, "spawn", "zz", argv_json, options_json), -1);
}

/* [STATUS, OUTPUT]. Consumes the answer. */
static int output_of(struct banger_call *call, json_t *answer, const char **result)
{
    if (result != NULL && number_of(json_incref(answer), -1) == 0) {
        *result = keep(call, answer, 1);
    }
    return (int)number_of(answer, -1);
}

static int host_run_program(struct banger_call *call, const char *argv_json, const char **result)
{
    return output_of(call, ask(call, "run", "z", argv_json), result);
}

static int host_guest_exec(struct banger_call *call, const char *request_json, const char **result)
{
    return output_of(call, ask(call, "guest_exec", "z", request_json), result);
}

static int host_host_op(struct banger_call *call, const char *name, const char *args_json,
                        const char **result)
{
    return output_of(call, ask(call, "host_op", "sz", name, args_json), result);
}

static int64_t host_lease_number(struct banger_call *call, const char *pool, int64_t first,
                                 int64_t last)
{
    return number_of(ask(call, "lease_number", "zii", pool, first, last), -1);
}

static int host_guest_copy(struct banger_call *call, const char *request_json)
{
    return (int)number_of(ask(call, "guest_copy", "z", request_json), -1);
}

static int host_provide(struct banger_call *call, const char *json)
{
    return (int)number_of(ask(call, "provide", "z", json), -1);
}

static const struct banger_host host_table = {
    .size = sizeof(struct banger_host),
    .abi_major = BANGER_ABI_MAJOR,
    .abi_minor = BANGER_ABI_MINOR,
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
    .contribute = host_contribute,
    .set_json = host_set_json,
    .emit = host_emit,
    .resource_intend = host_resource_intend,
    .resource_held = host_resource_held,
    .resource_gone = host_resource_gone,
    .spawn = host_spawn,
    .run = host_run_program,
    .guest_exec = host_guest_exec,
    .host_op = host_host_op,
    .lease_number = host_lease_number,
    .guest_copy = host_guest_copy,
    .provide = host_provide,
};

/* -- Calls ---------------------------------------------------------------------------------------- */

static void forget(struct banger_call *call)
{
    while (call->kept != NULL) {
        struct kept *kept = call->kept;
        call->kept = kept->next;
        free(kept);
    }
}

int host_run(banger_hook function)
{
    the_call.thread = pthread_self();
    the_call.open = true;
    int result = function(&host_table, &the_call);
    the_call.open = false;
    forget(&the_call);
    return result;
}

void host_run_alone(banger_hook function)
{
    (void)function(&host_table, &the_call);
}
