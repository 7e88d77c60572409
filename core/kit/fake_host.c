/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fake host: made, told how to behave, and asked what it saw. */
#include "fake.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const struct banger_host table = {
    .size = sizeof(table),
    .abi_major = BANGER_ABI_MAJOR,
    .abi_minor = BANGER_ABI_MINOR,
    .fail = fake_fail,
    .hint = fake_hint,
    .log = fake_log,
    .progress = fake_progress,
    .remaining_ms = fake_remaining_ms,
    .cancelled = fake_cancelled,
    .get_string = fake_get_string,
    .get_int = fake_get_int,
    .get_bool = fake_get_bool,
    .get_json = fake_get_json,
    .contribute = fake_contribute,
    .set_json = fake_set_json,
    .emit = fake_emit,
    .resource_intend = fake_resource_intend,
    .resource_held = fake_resource_held,
    .resource_gone = fake_resource_gone,
    .spawn = fake_spawn,
    .run = fake_run,
    .guest_exec = fake_guest_exec,
    .host_op = fake_host_op,
    .lease_number = fake_lease_number,
    .guest_copy = fake_guest_copy,
    .provide = fake_provide,
};

/* -- For the test -- */

/* Rows of the journal that are there from the beginning. */
static void take_resources(struct fake_host *fake)
{
    json_t *rows = json_object_get(fake->input, "resources");
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row) {
        json_int_t id = json_integer_value(json_object_get(row, "id"));

        fake->next_resource = id > fake->next_resource ? id : fake->next_resource;
        json_array_append(fake->resources, row);
    }
}

struct fake_host *fake_host_new(const char *input)
{
    struct fake_host *fake = calloc(1, sizeof(*fake));

    if (fake == NULL || (fake->input = json_loads(input, 0, NULL)) == NULL) {
        (void)fprintf(stderr, "fake_host_new: no object of JSON: %s\n", input);
        abort();
    }
    fake->contributions = json_object();
    fake->stored = json_object();
    fake->spawns = json_array();
    fake->runs = json_array();
    fake->operations = json_array();
    fake->execs = json_array();
    fake->copies = json_array();
    fake->events = json_array();
    fake->progress = json_array();
    fake->log = json_array();
    fake->resources = json_array();
    fake->calls = json_array();
    fake->replay = json_array();
    take_resources(fake);
    fake->provided = json_array();
    fake->keep = json_array();
    fake->remaining_ms = 10000;
    fake->cancel_after = -1;
    return fake;
}

void fake_host_free(struct fake_host *fake)
{
    json_t *owned[] = {fake->input, fake->contributions, fake->stored, fake->spawns,
                       fake->runs,  fake->operations,    fake->events, fake->progress,
                       fake->log,   fake->resources,     fake->keep,   fake->copies,
                       fake->execs, fake->provided,      fake->calls,  fake->replay};

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

void fake_host_enter(struct fake_host *fake, const char *hook)
{
    fake->hook = hook;
}

void fake_host_clear_error(struct fake_host *fake)
{
    fake->failed = false;
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
    fake->deadline_ms = fake_now_ms() + ms;
}

void fake_host_cancel_after(struct fake_host *fake, int questions)
{
    fake->cancel_after = questions;
}

void fake_host_set_runner(struct fake_host *fake, fake_runner runner)
{
    fake->runner = runner;
}

void fake_host_set_guest(struct fake_host *fake, fake_runner guest)
{
    fake->guest = guest;
}

void fake_host_set_operator(struct fake_host *fake, fake_operator answer)
{
    fake->answer = answer;
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

const json_t *fake_host_execs(struct fake_host *fake)
{
    return fake->execs;
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

const json_t *fake_host_provided(struct fake_host *fake)
{
    return fake->provided;
}

pid_t fake_host_pid(struct fake_host *fake)
{
    return fake->child_count == 0 ? 0 : fake->children[fake->child_count - 1];
}
