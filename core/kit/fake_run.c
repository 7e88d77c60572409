/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs on the host and in the guest, and what the host does by name. */
#include "fake.h"

#include "fake_process.h"

#include <stdio.h>

/* An argument vector as the host takes it: strings, an absolute program first. */
static json_t *parse_argv(struct banger_call *call, const char *text)
{
    json_t *argv = fake_parse(call, "the argument vector", text);
    const char *program = json_string_value(json_array_get(argv, 0));
    bool good = program != NULL && program[0] == '/';
    size_t i;
    json_t *word;

    json_array_foreach (argv, i, word) {
        good = good && json_is_string(word);
    }
    if (argv != NULL && !good) {
        (void)fake_refuse(
            call, BANGER_EINTERNAL,
            "the argument vector must be a list of strings, an absolute program first");
        json_decref(argv);
        return NULL;
    }
    return argv;
}

int fake_spawn(struct banger_call *call, const char *argv_json, const char *options_json)
{
    struct fake_host *fake = fake_of(call);
    json_t *argv = fake_need_effects(call, "spawn") < 0 ? NULL : parse_argv(call, argv_json);
    json_t *options = fake_parse(call, "options", options_json != NULL ? options_json : "{}");
    pid_t pid = 0;

    if (argv == NULL || options == NULL) {
        json_decref(argv);
        json_decref(options);
        return -1;
    }
    fake_note(fake, "spawn", json_pack("[O, O]", argv, options), NULL);
    json_array_append_new(fake->spawns, json_pack("{s:o, s:o}", "argv", argv, "options", options));
    if (!fake->really_spawn) {
        return 0;
    }
    if (fake->child_count == CHILDREN_MAX || (pid = fake_process_spawn(argv, options)) < 0) {
        return fake_refuse(call, BANGER_EIO, "cannot spawn");
    }
    fake->children[fake->child_count++] = pid;
    return 0;
}

int fake_run(struct banger_call *call, const char *argv_json, const char **result)
{
    struct fake_host *fake = fake_of(call);
    json_t *argv = parse_argv(call, argv_json);
    json_t *args = json_pack("[o*]", argv);
    struct fake_response response = {
        .function = "run", .args = args, .code = BANGER_EIO, .why = "the program cannot be run"};

    if (argv == NULL) {
        json_decref(args);
        return -1;
    }
    json_array_append(fake->runs, argv);
    response.recorded = fake_replayed(fake, "run", args);
    if (response.recorded == NULL) { /* what was recorded is not done again */
        response.answer = fake->runner != NULL ? fake->runner(argv) : fake_process_run(argv);
    }
    return fake_respond(call, &response, result);
}

int fake_guest_exec(struct banger_call *call, const char *request, const char **result)
{
    struct fake_host *fake = fake_of(call);
    json_t *value = fake_need_effects(call, "guest_exec") < 0
                        ? NULL
                        : fake_parse(call, "guest_exec's request", request);
    struct fake_response response = {.function = "guest_exec",
                                     .args = json_pack("[o*]", value),
                                     .code = BANGER_EGUEST,
                                     .why = "there is no guest behind this host"};

    if (value == NULL) {
        json_decref(response.args);
        return -1;
    }
    json_array_append(fake->execs, value);
    response.recorded = fake_replayed(fake, "guest_exec", response.args);
    if (response.recorded == NULL && fake->guest != NULL) {
        response.answer = fake->guest(value);
    }
    return fake_respond(call, &response, result);
}

int fake_guest_copy(struct banger_call *call, const char *request)
{
    struct fake_host *fake = fake_of(call);
    json_t *value = fake_need_effects(call, "guest_copy") < 0
                        ? NULL
                        : fake_parse(call, "guest_copy's request", request);

    if (value == NULL) {
        return -1;
    }
    fake_note(fake, "guest_copy", json_pack("[O]", value), NULL);
    json_array_append_new(fake->copies, value);
    return fake->fails_copies ? fake_refuse(call, BANGER_EGUEST, "the copy failed") : 0;
}

/* -- The host -- */

int fake_host_op(struct banger_call *call, const char *name, const char *args_json,
                 const char **result)
{
    struct fake_host *fake = fake_of(call);
    json_t *args = fake_parse(call, name, args_json != NULL ? args_json : "{}");
    struct fake_response response = {.function = "host_op", .code = BANGER_EBUSY};
    char why[128];

    if (args == NULL) {
        return -1;
    }
    (void)snprintf(why, sizeof(why), "%s fails", name);
    response.args = json_pack("[s, O]", name, args);
    response.recorded = fake_replayed(fake, "host_op", response.args);
    if (response.recorded == NULL) {
        response.answer = fake->answer != NULL ? fake->answer(name, args) : json_object();
    }
    response.why = why;
    json_array_append_new(fake->operations, json_pack("{s:s, s:o}", "name", name, "args", args));
    return fake_respond(call, &response, result);
}

int64_t fake_lease_number(struct banger_call *call, const char *pool, int64_t first, int64_t last)
{
    int64_t number = fake_of(call)->lease != 0 ? fake_of(call)->lease : first;

    fake_note(fake_of(call), "lease_number",
              json_pack("[s, I, I]", pool, (json_int_t)first, (json_int_t)last),
              json_integer(number));
    return number <= last ? number : fake_refuse(call, BANGER_EBUSY, "no %s is free", pool);
}
