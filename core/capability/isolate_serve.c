/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One row a function. The types of a request's arguments are checked before its function is called: s a
 * text, z a text or null, i a whole number. What the texts say is checked by the host's function itself,
 * as it is for a plugin in its own process.
 */
#include "isolate_serve.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

#include <string.h>

#define ARGUMENTS_MAX 3

struct argument {
    const char *text; /* NULL: null */
    int64_t number;
};

typedef json_t *(*serve_fn)(const struct banger_host *host, struct banger_call *call,
                            const struct argument *args);

#define SERVE(name)                                                                                \
    static json_t *serve_##name(const struct banger_host *host, struct banger_call *call,          \
                                const struct argument *args)

/* -- Results -------------------------------------------------------------------------------------- */

static json_t *number_result(int64_t number)
{
    return json_pack("[I]", (json_int_t)number);
}

/* Whatever the host gives: an answer that is left out would be waited for. */
static json_t *text_result(const char *text)
{
    return json_pack("[o]", json_lossy_string(text));
}

static json_t *output_result(int status, const char *output)
{
    return json_pack("[i, o]", status, json_lossy_string(output));
}

/* -- Without a result ----------------------------------------------------------------------------- */

SERVE(fail)
{
    (void)host->fail(call, (int)args[0].number, "%s", args[1].text);
    return NULL;
}

SERVE(hint)
{
    host->hint(call, "%s", args[0].text);
    return NULL;
}

SERVE(log)
{
    host->log(call, (int)args[0].number, "%s", args[1].text);
    return NULL;
}

SERVE(progress)
{
    host->progress(call, args[0].text);
    return NULL;
}

/* -- With one ------------------------------------------------------------------------------------- */

SERVE(remaining_ms)
{
    (void)args;
    return number_result(host->remaining_ms(call));
}

SERVE(cancelled)
{
    (void)args;
    return number_result(host->cancelled(call));
}

SERVE(get_string)
{
    return text_result(host->get_string(call, args[0].text, NULL));
}

SERVE(get_int)
{
    return number_result(host->get_int(call, args[0].text, args[1].number));
}

SERVE(get_bool)
{
    return number_result(host->get_bool(call, args[0].text, (int)args[1].number));
}

SERVE(get_json)
{
    return text_result(host->get_json(call, args[0].text));
}

SERVE(contribute)
{
    return number_result(host->contribute(call, args[0].text, args[1].text));
}

SERVE(set_json)
{
    return number_result(host->set_json(call, args[0].text, args[1].text));
}

SERVE(emit)
{
    return number_result(host->emit(call, args[0].text, args[1].text));
}

SERVE(resource_intend)
{
    return number_result(host->resource_intend(call, args[0].text, args[1].text, args[2].text));
}

SERVE(resource_held)
{
    return number_result(host->resource_held(call, args[0].number, args[1].text));
}

SERVE(resource_gone)
{
    return number_result(host->resource_gone(call, args[0].number));
}

SERVE(spawn)
{
    return number_result(host->spawn(call, args[0].text, args[1].text));
}

SERVE(run)
{
    const char *output = NULL;
    int status = host->run(call, args[0].text, &output);
    return output_result(status, output);
}

SERVE(guest_exec)
{
    const char *output = NULL;
    int status = host->guest_exec(call, args[0].text, &output);
    return output_result(status, output);
}

SERVE(host_op)
{
    const char *output = NULL;
    int status = host->host_op(call, args[0].text, args[1].text, &output);
    return output_result(status, output);
}

SERVE(lease_number)
{
    return number_result(host->lease_number(call, args[0].text, args[1].number, args[2].number));
}

SERVE(guest_copy)
{
    return number_result(host->guest_copy(call, args[0].text));
}

SERVE(provide)
{
    return number_result(host->provide(call, args[0].text));
}

/* -- The table ------------------------------------------------------------------------------------ */

enum about_plugin {
    REFUSED, /* belongs to a VM */
    SERVED,  /* goes without one */
    BY_KEY,  /* what the key says */
};

enum result {
    NOTHING, /* nobody waits for an answer */
    NUMBER,
    TEXT,
    OUTPUT,   /* a number and a text */
    FALLBACK, /* a number, and the second argument where there is none */
};

/* clang-format off */
#define ROW(name, arguments, result, about_plugin)                                                 \
    {#name, arguments, serve_##name, offsetof(struct banger_host, name), result, about_plugin}

static const struct service {
    const char *name;
    const char *arguments;
    serve_fn serve;
    size_t offset; /* in struct banger_host */
    enum result result;
    enum about_plugin about_plugin;
} services[] = {
    ROW(fail,            "is",  NOTHING,  SERVED),
    ROW(hint,            "s",   NOTHING,  SERVED),
    ROW(log,             "is",  NOTHING,  SERVED),
    ROW(progress,        "s",   NOTHING,  SERVED),
    ROW(remaining_ms,    "",    NUMBER,   SERVED),
    ROW(cancelled,       "",    NUMBER,   SERVED),
    ROW(get_string,      "s",   TEXT,     BY_KEY),
    ROW(get_int,         "si",  FALLBACK, BY_KEY),
    ROW(get_bool,        "si",  FALLBACK, BY_KEY),
    ROW(get_json,        "s",   TEXT,     BY_KEY),
    ROW(contribute,      "sz",  NUMBER,   REFUSED),
    ROW(set_json,        "sz",  NUMBER,   REFUSED),
    ROW(emit,            "sz",  NUMBER,   REFUSED),
    ROW(resource_intend, "zzz", NUMBER,   REFUSED),
    ROW(resource_held,   "iz",  NUMBER,   REFUSED),
    ROW(resource_gone,   "i",   NUMBER,   REFUSED),
    ROW(spawn,           "zz",  NUMBER,   REFUSED),
    ROW(run,             "z",   OUTPUT,   SERVED),
    ROW(guest_exec,      "z",   OUTPUT,   REFUSED),
    ROW(host_op,         "sz",  OUTPUT,   REFUSED),
    ROW(lease_number,    "zii", NUMBER,   REFUSED),
    ROW(guest_copy,      "z",   NUMBER,   REFUSED),
    ROW(provide,         "z",   NUMBER,   REFUSED),
};
/* clang-format on */

static const struct service *find_service(const json_t *request)
{
    const char *name = json_string_value(json_array_get(request, 0));
    for (size_t i = 0; name != NULL && i < COUNT_OF(services); i++) {
        if (strcmp(services[i].name, name) == 0) {
            return &services[i];
        }
    }
    return NULL;
}

static int read_arguments(const struct service *service, const json_t *request,
                          struct argument args[ARGUMENTS_MAX])
{
    size_t count = strlen(service->arguments);
    if (json_array_size(request) != count + 1) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(request, i + 1);
        char type = service->arguments[i];
        bool good = type == 'i' ? json_is_integer(value)
                                : json_is_string(value) || (type == 'z' && json_is_null(value));
        if (!good) {
            return -1;
        }
        args[i] = (struct argument){json_string_value(value), json_integer_value(value)};
    }
    return 0;
}

/* An older host's table may end before the function, and one may leave it out. */
static bool host_has(const struct banger_host *host, const struct service *service)
{
    void (*function)(void) = NULL;
    if (host->size < service->offset + sizeof(function)) {
        return false;
    }
    memcpy(&function, (const char *)host + service->offset, sizeof(function));
    return function != NULL;
}

/* What a function gives that is not called. */
static json_t *refused_result(const struct service *service, const struct argument *args)
{
    switch (service->result) {
    case NOTHING:
        return NULL;
    case TEXT:
        return text_result(NULL);
    case OUTPUT:
        return output_result(-1, NULL);
    case FALLBACK:
        return number_result(args[1].number);
    default:
        return number_result(-1);
    }
}

/* Whether the plugin may see it where there is no VM of its own. */
static bool is_plugins(const char *key)
{
    return strcmp(key, "config") == 0 || str_starts(key, "config.") || str_starts(key, "self.");
}

int isolate_serve(const struct isolate_service *service, const json_t *request, json_t **answer,
                  banger_error *err)
{
    *answer = NULL;
    struct argument args[ARGUMENTS_MAX] = {{0}};
    const struct service *row = find_service(request);
    if (row == NULL || read_arguments(row, request, args) < 0) {
        const char *name = json_string_value(json_array_get(request, 0));
        return error_set(err, BANGER_EINTERNAL, "its process sent what is no request ('%.32s')",
                         str_or(name, "?"));
    }
    bool fits = !service->about_plugin || row->about_plugin == SERVED ||
                (row->about_plugin == BY_KEY && is_plugins(args[0].text));
    if (!fits && row->about_plugin == REFUSED) {
        (void)service->host->fail(service->call, BANGER_EINTERNAL,
                                  "%s is not offered in start and stop", row->name);
    }
    if (fits && !host_has(service->host, row)) {
        fits = false;
        (void)service->host->fail(service->call, BANGER_EUNSUPPORTED, "this host does not offer %s",
                                  row->name);
    }
    *answer = fits ? row->serve(service->host, service->call, args) : refused_result(row, args);
    return 0;
}
