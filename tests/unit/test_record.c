/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a recording has of a hook: its input, its calls and their answers, and how it ended. */
#include "base/cleanup.h"
#include "base/json.h"
#include "capability/dispatch.h"
#include "capability/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

static json_t *entries; /* as the service got them */
static int gate[2];     /* a late hook reads a byte from it */
static sem_t returned;  /* it has */

static int act(const struct banger_host *host, struct banger_call *call)
{
    const char *mode = host->get_string(call, "config.mode", "");
    const char *result = NULL;
    char byte = 0;
    if (strcmp(mode, "run") == 0) {
        return host->run(call, "[\"/bin/echo\", \"hello\"]", &result);
    }
    if (strcmp(mode, "long") == 0) {
        for (int i = 0;
             i < 3 && host->run(call, "[\"/usr/bin/head\", \"-c\", \"700000\", \"/dev/zero\"]",
                                &result) == 0;
             i++) {
        }
    }
    if (strcmp(mode, "late") == 0 && read(gate[0], &byte, 1) == 1) {
        (void)host->get_string(call, "vm.name", "");
        (void)sem_post(&returned);
    }
    if (strcmp(mode, "refused") == 0) { /* and survived */
        (void)host->contribute(call, "vcpu", "1");
    }
    if (strcmp(mode, "fail") == 0) {
        host->hint(call, "try again");
        return (host->fail)(call, BANGER_EGUEST, "no %s", "luck");
    }
    return 0;
}

static const struct banger_hooks hooks = {.size = sizeof(hooks), .prepare = act};
static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]), .type = BANGER_CONFIG_STRING, .name = "mode", .default_value = ""},
};

static void on_record(void *context, const json_t *entry)
{
    (void)context;
    (void)json_array_append_new(entries, json_deep_copy(entry));
}

static const struct scope_services services = {.record = on_record};

/* Runs `prepare` of the plugin in this mode; its result. */
static int run(const char *mode, bool records, struct registry **registry)
{
    const struct banger_plugin plugin = {BANGER_PLUGIN_HEADER, .name = "act", .config = keys,
                                         .config_count = 1, .hooks = &hooks};
    AUTO_JSON json_t *policy = json_pack("{s:s, s:i}", "mode", mode, "timeout", 60);
    AUTO_JSON json_t *input = json_pack("{s:{s:s}}", "vm", "name", "web");
    banger_error err = BANGER_ERROR_INIT;
    if (strcmp(mode, "late") == 0) {
        (void)json_object_set_new(policy, "timeout", json_string("50ms"));
    }
    *registry = registry_new();
    assert_int_equal(registry_add(*registry, &plugin, "built-in", policy, &err), 0);
    assert_int_equal(registry_resolve(*registry, &err), 0);
    const struct scope_init init = {
        .registry = *registry, .input = input, .services = &services, .records = records};
    struct scope *scope = scope_new(&init);
    int result = dispatch_hook(scope, HOOK_PREPARE, &err);
    scope_unref(scope);
    return result;
}

static int setup(void **state)
{
    (void)state;
    entries = json_array();
    (void)sem_init(&returned, 0, 0);
    return pipe(gate);
}

static int teardown(void **state)
{
    (void)state;
    json_decref(entries);
    (void)close(gate[0]);
    (void)close(gate[1]);
    return 0;
}

/* The only entry, and of its calls the one of that function. */
static const json_t *call_of(const char *function)
{
    assert_int_equal(json_array_size(entries), 1);
    size_t i = 0;
    json_t *called = NULL;
    json_array_foreach (json_object_get(json_array_get(entries, 0), "calls"), i, called) {
        if (strcmp(json_get_string(called, "call", ""), function) == 0) {
            return called;
        }
    }
    fail_msg("%s was not recorded", function);
    return NULL;
}

static void test_what_a_hook_saw_asked_and_was_told(void **state)
{
    struct registry *registry = NULL;
    (void)state;
    assert_int_equal(run("run", true, &registry), 0);
    const json_t *entry = json_array_get(entries, 0);
    assert_string_equal(json_get_string(entry, "capability", ""), "act");
    assert_string_equal(json_get_string(entry, "hook", ""), "prepare");
    assert_int_equal(json_get_int(entry, "result", -1), 0);
    assert_null(json_object_get(entry, "error"));
    assert_string_equal(json_string_value(json_at((json_t *)entry, "input.vm.name")), "web");
    assert_string_equal(json_string_value(json_at((json_t *)entry, "input.config.mode")), "run");
    assert_string_equal(json_string_value(json_at((json_t *)entry, "input.self.name")), "act");
    assert_string_equal(json_string_value(json_object_get(call_of("get_string"), "result")), "run");
    const json_t *called = call_of("run");
    assert_string_equal(json_string_value(json_at((json_t *)called, "result.stdout")), "hello\n");
    assert_int_equal(json_array_size(json_array_get(json_object_get(called, "args"), 0)), 2);
    registry_free(registry);
}

static void test_a_failure_and_what_was_survived(void **state)
{
    struct registry *registry = NULL;
    (void)state;
    assert_int_equal(run("fail", true, &registry), -1);
    const json_t *entry = json_array_get(entries, 0);
    assert_string_equal(json_string_value(json_at((json_t *)entry, "error.message")),
                        "capability 'act': prepare: no luck");
    assert_string_equal(json_string_value(json_at((json_t *)entry, "error.hint")), "try again");
    registry_free(registry);
    (void)json_array_clear(entries);
    assert_int_equal(run("refused", true, &registry), 0);
    assert_non_null(
        strstr(json_get_string(call_of("contribute"), "error", ""), "not allowed in prepare"));
    registry_free(registry);
}

static void test_long_answers_are_left_out(void **state)
{
    struct registry *registry = NULL;
    (void)state;
    assert_int_equal(run("long", true, &registry), 0);
    const json_t *entry = json_array_get(entries, 0);
    assert_true(json_is_true(json_object_get(entry, "cut")));
    assert_true(json_dumpb(entry, NULL, 0, JSON_COMPACT) < 2 * RECORD_MAX);
    const json_t *calls = json_object_get(entry, "calls"); /* get_string, and what it has run */
    for (size_t i = 1; i < 4; i++) {                       /* of zeroes, as JSON: none has room */
        const json_t *called = json_array_get(calls, i);
        assert_string_equal(json_get_string(called, "call", ""), "run");
        assert_int_equal(json_array_size(json_array_get(json_object_get(called, "args"), 0)), 4);
        assert_null(json_object_get(called, "result"));
    }
    registry_free(registry);
}

static void test_nothing_is_recorded_of_a_late_hook_or_unasked(void **state)
{
    struct registry *registry = NULL;
    (void)state;
    assert_int_equal(run("run", false, &registry), 0);
    registry_free(registry);
    assert_int_equal(run("late", true, &registry), -1);
    assert_int_equal(write(gate[1], "x", 1), 1); /* now it returns, and frees what it noted */
    assert_int_equal(sem_wait(&returned), 0);    /* before the gate goes */
    registry_free(registry);
    assert_int_equal(json_array_size(entries), 0);
}

/* A function that the host has and this table has not would end the daemon when it is recorded. */
static void test_every_function_of_the_host_is_there(void **state)
{
    (void)state;
    for (size_t at = offsetof(struct banger_host, fail); at < sizeof(struct banger_host);
         at += sizeof(void (*)(void))) {
        void *function = NULL;
        memcpy(&function, (const char *)&record_host + at, sizeof(function));
        assert_non_null(function);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_function_of_the_host_is_there),
        cmocka_unit_test_setup_teardown(test_what_a_hook_saw_asked_and_was_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_failure_and_what_was_survived, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_answers_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_recorded_of_a_late_hook_or_unasked, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
