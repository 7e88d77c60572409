/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_host.h"

#include "fake_process.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define CHILDREN_MAX 8

struct fake_host {
    json_t *input;
    json_t *contributions;
    json_t *stored;
    json_t *spawns;
    json_t *runs;
    json_t *operations;
    json_t *copies;
    json_t *events;
    json_t *progress;
    json_t *log;
    json_t *resources;
    json_t *keep; /* what getters handed out */
    int64_t next_resource;
    int64_t remaining_ms;
    int64_t deadline_ms; /* monotonic; 0: none */
    int cancel_after;    /* questions still answered "no"; -1: always */
    fake_runner runner;
    fake_operator operator;
    int64_t lease; /* 0: the pool's first */
    bool really_spawn;
    bool fails_copies;
    pid_t children[CHILDREN_MAX];
    size_t child_count;
    int code;
    char error[1024];
    char hint[1024];
};

/* struct banger_call stays opaque to plugins; here it is the fake itself. */
static struct fake_host *fake_of(struct banger_call *call)
{
    return (struct fake_host *)(void *)call;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static json_t *parse(const char *what, const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);

    if (value == NULL) {
        (void)fprintf(stderr, "fake_host: %s is not JSON: %s: %s\n", what, error.text, text);
        abort();
    }
    return value;
}

/* -- Outcome -- */

static BANGER_PRINTF(3, 4) int fail(struct banger_call *call, int code, const char *format, ...)
{
    struct fake_host *fake = fake_of(call);
    va_list args;

    if (fake->code == 0) {
        fake->code = code;
        va_start(args, format);
        (void)vsnprintf(fake->error, sizeof(fake->error), format, args);
        va_end(args);
    }
    return -1;
}

static BANGER_PRINTF(2, 3) void hint(struct banger_call *call, const char *format, ...)
{
    struct fake_host *fake = fake_of(call);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(fake->hint, sizeof(fake->hint), format, args);
    va_end(args);
}

static BANGER_PRINTF(3, 4) void write_log(struct banger_call *call, int level, const char *format,
                                          ...)
{
    char text[1024];
    va_list args;

    (void)level;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_array_append_new(fake_of(call)->log, json_string(text));
}

static void progress(struct banger_call *call, const char *text)
{
    json_array_append_new(fake_of(call)->progress, json_string(text));
}

static int64_t remaining_ms(struct banger_call *call)
{
    struct fake_host *fake = fake_of(call);
    int64_t left = fake->deadline_ms - now_ms();

    if (fake->deadline_ms == 0) {
        return fake->remaining_ms;
    }
    return left > 0 ? left : 0;
}

static int cancelled(struct banger_call *call)
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

static const char *get_string(struct banger_call *call, const char *key, const char *fallback)
{
    const char *text = json_string_value(lookup(fake_of(call), key));

    return text != NULL ? text : fallback;
}

static int64_t get_int(struct banger_call *call, const char *key, int64_t fallback)
{
    const json_t *value = lookup(fake_of(call), key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static int get_bool(struct banger_call *call, const char *key, int fallback)
{
    const json_t *value = lookup(fake_of(call), key);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

static const char *get_json(struct banger_call *call, const char *key)
{
    struct fake_host *fake = fake_of(call);
    const json_t *value = lookup(fake, key);
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_t *kept = text == NULL ? NULL : json_string(text);

    free(text);
    json_array_append_new(fake->keep, kept);
    return json_string_value(kept);
}

/* -- Output -- */

static int contribute(struct banger_call *call, const char *section, const char *json)
{
    struct fake_host *fake = fake_of(call);
    json_t *list = json_object_get(fake->contributions, section);

    if (list == NULL) {
        list = json_array();
        json_object_set_new(fake->contributions, section, list);
    }
    json_array_append_new(list, parse(section, json));
    return 0;
}

static int set_json(struct banger_call *call, const char *key, const char *json)
{
    json_object_set_new(fake_of(call)->stored, key, parse(key, json));
    return 0;
}

static int emit(struct banger_call *call, const char *name, const char *json)
{
    json_array_append_new(fake_of(call)->events,
                          json_pack("{s:s, s:o}", "name", name, "data", parse(name, json)));
    return 0;
}

/* -- The journal -- */

static int64_t resource_intend(struct banger_call *call, const char *kind, const char *key,
                               const char *attrs)
{
    struct fake_host *fake = fake_of(call);
    int64_t id = ++fake->next_resource;

    /* Newest first, as a plugin gets them in cleanup. */
    json_array_insert_new(fake->resources, 0,
                          json_pack("{s:I, s:s, s:s, s:o, s:s}", "id", (json_int_t)id, "kind", kind,
                                    "key", key, "attrs", parse(kind, attrs != NULL ? attrs : "{}"),
                                    "state", "intent"));
    return id;
}

static size_t find_resource(struct fake_host *fake, int64_t id)
{
    size_t i;
    json_t *row;

    json_array_foreach (fake->resources, i, row) {
        if (json_integer_value(json_object_get(row, "id")) == id) {
            return i;
        }
    }
    return SIZE_MAX;
}

static int resource_held(struct banger_call *call, int64_t id, const char *attrs)
{
    struct fake_host *fake = fake_of(call);
    json_t *row = json_array_get(fake->resources, find_resource(fake, id));

    if (row == NULL) {
        return fail(call, BANGER_ENOTFOUND, "no resource %lld", (long long)id);
    }
    json_object_set_new(row, "state", json_string("held"));
    if (attrs != NULL) {
        json_object_set_new(row, "attrs", parse("attrs", attrs));
    }
    return 0;
}

static int resource_gone(struct banger_call *call, int64_t id)
{
    struct fake_host *fake = fake_of(call);

    if (json_array_remove(fake->resources, find_resource(fake, id)) < 0) {
        return fail(call, BANGER_ENOTFOUND, "no resource %lld", (long long)id);
    }
    return 0;
}

/* -- Processes -- */

static int spawn(struct banger_call *call, const char *argv_json, const char *options_json)
{
    struct fake_host *fake = fake_of(call);
    json_t *argv = parse("argv", argv_json);
    json_t *options = parse("options", options_json);
    pid_t pid = 0;

    json_array_append_new(fake->spawns, json_pack("{s:o, s:o}", "argv", argv, "options", options));
    if (!fake->really_spawn) {
        return 0;
    }
    if (fake->child_count == CHILDREN_MAX || (pid = fake_process_spawn(argv, options)) < 0) {
        return fail(call, BANGER_EIO, "cannot spawn");
    }
    fake->children[fake->child_count++] = pid;
    return 0;
}

static int run(struct banger_call *call, const char *argv_json, const char **result)
{
    struct fake_host *fake = fake_of(call);
    json_t *argv = parse("argv", argv_json);
    json_t *answer = fake->runner != NULL ? fake->runner(argv) : fake_process_run(argv);
    char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
    json_t *kept = text == NULL ? NULL : json_string(text);

    json_array_append_new(fake->runs, argv);
    json_decref(answer);
    free(text);
    if (kept == NULL) {
        return fail(call, BANGER_EIO, "cannot run %s", json_string_value(json_array_get(argv, 0)));
    }
    json_array_append_new(fake->keep, kept);
    *result = json_string_value(kept);
    return 0;
}

static int guest_exec(struct banger_call *call, const char *request, const char **result)
{
    (void)request;
    (void)result;
    return fail(call, BANGER_EGUEST, "there is no guest behind this host");
}

static int guest_copy(struct banger_call *call, const char *request)
{
    struct fake_host *fake = fake_of(call);

    json_array_append_new(fake->copies, parse("guest_copy", request));
    return fake->fails_copies ? fail(call, BANGER_EGUEST, "the copy failed") : 0;
}

/* -- The host -- */

static int host_op(struct banger_call *call, const char *name, const char *args_json,
                   const char **result)
{
    struct fake_host *fake = fake_of(call);
    json_t *args = parse(name, args_json);
    json_t *answer = fake->operator!= NULL ? fake->operator(name, args) : json_object();
    char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_t *kept = text != NULL ? json_string(text) : NULL;

    json_array_append_new(fake->operations, json_pack("{s:s, s:o}", "name", name, "args", args));
    json_decref(answer);
    free(text);
    if (kept == NULL) {
        return fail(call, BANGER_EBUSY, "%s fails", name);
    }
    json_array_append_new(fake->keep, kept);
    if (result != NULL) {
        *result = json_string_value(kept);
    }
    return 0;
}

static int64_t lease_number(struct banger_call *call, const char *pool, int64_t first, int64_t last)
{
    int64_t number = fake_of(call)->lease != 0 ? fake_of(call)->lease : first;

    return number <= last ? number : fail(call, BANGER_EBUSY, "no %s is free", pool);
}

static const struct banger_host table = {
    .size = sizeof(table),
    .abi_major = BANGER_ABI_MAJOR,
    .abi_minor = BANGER_ABI_MINOR,
    .fail = fail,
    .hint = hint,
    .log = write_log,
    .progress = progress,
    .remaining_ms = remaining_ms,
    .cancelled = cancelled,
    .get_string = get_string,
    .get_int = get_int,
    .get_bool = get_bool,
    .get_json = get_json,
    .contribute = contribute,
    .set_json = set_json,
    .emit = emit,
    .resource_intend = resource_intend,
    .resource_held = resource_held,
    .resource_gone = resource_gone,
    .spawn = spawn,
    .run = run,
    .guest_exec = guest_exec,
    .host_op = host_op,
    .lease_number = lease_number,
    .guest_copy = guest_copy,
};

/* -- For the test -- */

struct fake_host *fake_host_new(const char *input)
{
    struct fake_host *fake = calloc(1, sizeof(*fake));

    if (fake == NULL) {
        abort();
    }
    fake->input = parse("the input", input);
    fake->contributions = json_object();
    fake->stored = json_object();
    fake->spawns = json_array();
    fake->runs = json_array();
    fake->operations = json_array();
    fake->copies = json_array();
    fake->events = json_array();
    fake->progress = json_array();
    fake->log = json_array();
    fake->resources = json_array();
    fake->keep = json_array();
    fake->remaining_ms = 10000;
    fake->cancel_after = -1;
    return fake;
}

void fake_host_free(struct fake_host *fake)
{
    json_t *owned[] = {fake->input, fake->contributions, fake->stored, fake->spawns,
                       fake->runs,  fake->operations,    fake->events, fake->progress,
                       fake->log,   fake->resources,     fake->keep,   fake->copies};

    for (size_t i = 0; i < fake->child_count; i++) {
        (void)kill(fake->children[i], SIGKILL);
        (void)waitpid(fake->children[i], NULL, 0);
    }
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        json_decref(owned[i]);
    }
    free(fake);
}

void fake_host_set(struct fake_host *fake, const char *dotted, json_t *value)
{
    json_t *at = fake->input;
    char copy[256];
    char *rest = copy;
    char *name;

    (void)snprintf(copy, sizeof(copy), "%s", dotted);
    name = strsep(&rest, ".");
    for (; rest != NULL; name = strsep(&rest, ".")) {
        json_t *next = json_object_get(at, name);

        if (next == NULL) {
            next = json_object();
            json_object_set_new(at, name, next);
        }
        at = next;
    }
    json_object_set_new(at, name, value);
}

int fake_host_call(struct fake_host *fake, banger_hook hook)
{
    return hook == NULL ? 0 : hook(&table, fake_host_handle(fake));
}

void fake_host_clear_error(struct fake_host *fake)
{
    fake->code = 0;
    fake->error[0] = '\0';
    fake->hint[0] = '\0';
}

const struct banger_host *fake_host_table(void)
{
    return &table;
}

struct banger_call *fake_host_handle(struct fake_host *fake)
{
    return (struct banger_call *)(void *)fake;
}

void fake_host_set_remaining(struct fake_host *fake, int64_t ms)
{
    fake->remaining_ms = ms;
}

void fake_host_set_deadline(struct fake_host *fake, int64_t ms)
{
    fake->deadline_ms = now_ms() + ms;
}

void fake_host_cancel_after(struct fake_host *fake, int questions)
{
    fake->cancel_after = questions;
}

void fake_host_set_runner(struct fake_host *fake, fake_runner runner)
{
    fake->runner = runner;
}

void fake_host_set_operator(struct fake_host *fake, fake_operator operator)
{
    fake->operator= operator;
}

void fake_host_fail_copies(struct fake_host *fake)
{
    fake->fails_copies = true;
}

void fake_host_set_lease(struct fake_host *fake, int64_t number)
{
    fake->lease = number;
}

void fake_host_really_spawn(struct fake_host *fake)
{
    fake->really_spawn = true;
}

int fake_host_code(struct fake_host *fake)
{
    return fake->code;
}

const char *fake_host_error(struct fake_host *fake)
{
    return fake->error;
}

const char *fake_host_hint(struct fake_host *fake)
{
    return fake->hint;
}

const json_t *fake_host_contributions(struct fake_host *fake)
{
    return fake->contributions;
}

const json_t *fake_host_contribution(struct fake_host *fake, const char *section)
{
    const json_t *list = json_object_get(fake->contributions, section);

    return json_array_get(list, json_array_size(list) - 1);
}

const json_t *fake_host_stored(struct fake_host *fake, const char *key)
{
    return json_object_get(fake->stored, key);
}

const json_t *fake_host_operations(struct fake_host *fake)
{
    return fake->operations;
}

const json_t *fake_host_copies(struct fake_host *fake)
{
    return fake->copies;
}

const json_t *fake_host_spawns(struct fake_host *fake)
{
    return fake->spawns;
}

const json_t *fake_host_runs(struct fake_host *fake)
{
    return fake->runs;
}

const json_t *fake_host_events(struct fake_host *fake)
{
    return fake->events;
}

const json_t *fake_host_progress(struct fake_host *fake)
{
    return fake->progress;
}

const json_t *fake_host_log(struct fake_host *fake)
{
    return fake->log;
}

const json_t *fake_host_resources(struct fake_host *fake)
{
    return fake->resources;
}

pid_t fake_host_pid(struct fake_host *fake)
{
    return fake->child_count == 0 ? 0 : fake->children[fake->child_count - 1];
}
