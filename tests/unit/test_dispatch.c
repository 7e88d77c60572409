/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Order, policy, deadlines and abandonment. Every capability here is the same plugin under another
 * name; its configuration tells it how to behave. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "capability/dispatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

static char trace[256]; /* the hooks that ran, in order */
static int gate[2];     /* a blocked hook reads a byte from it */

/* What a hook saw when it was let go after its deadline. */
static struct {
    int set_json, emit, spawn, guest_exec, contribute;
    int64_t intend;
    int64_t remaining;
    int cancelled;
    const char *string;
    int64_t integer;
    const char *json;
} late;

static void block(const struct banger_host *host, struct banger_call *call)
{
    char byte = 0;
    ssize_t got = read(gate[0], &byte, 1);
    if (got != 1 || host->remaining_ms(call) > 0) {
        return;
    }
    const char *result = NULL;
    late.set_json = host->set_json(call, "k", "1");
    late.emit = host->emit(call, "late", "{}");
    late.spawn = host->spawn(call, "[\"/bin/true\"]", NULL);
    late.guest_exec = host->guest_exec(call, "{\"argv\":[\"true\"]}", &result);
    late.contribute = host->contribute(call, "vcpu", "1");
    late.intend = host->resource_intend(call, "k", "k", NULL);
    late.remaining = host->remaining_ms(call);
    late.cancelled = host->cancelled(call);
    late.string = host->get_string(call, "vm.name", "fallback");
    late.integer = host->get_int(call, "vm.vcpu", -7);
    late.json = host->get_json(call, "vm");
}

static int act(const struct banger_host *host, struct banger_call *call)
{
    const char *mode = host->get_string(call, "config.mode", "");
    (void)strcat(trace, host->get_string(call, "config.tag", "?"));
    if (strcmp(mode, "fail") == 0) {
        host->hint(call, "try %s", "again");
        return (host->fail)(call, BANGER_EGUEST, "no luck"); /* cmocka has a macro fail() */
    }
    if (strcmp(mode, "block") == 0) {
        block(host, call);
    }
    if (strcmp(mode, "linger") == 0) {
        (void)poll(NULL, 0, 120);
    }
    if (strcmp(mode, "punctual") == 0) { /* as one whose program has the hook's deadline */
        (void)poll(NULL, 0, (int)host->remaining_ms(call) + 1);
        return (host->fail)(call, BANGER_ETIMEDOUT, "the program took too long");
    }
    if (strcmp(mode, "progress") == 0) {
        host->progress(call, "working");
    }
    return strcmp(mode, "silent") == 0 ? -1 : strcmp(mode, "positive") == 0 ? 3 : 0;
}

static const struct banger_hooks hooks = {.size = sizeof(hooks),
                                          .check = act,
                                          .prepare = act,
                                          .cleanup = act,
                                          .deleted = act,
                                          .reconciled = act};

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]), .type = BANGER_CONFIG_STRING, .name = "tag"},
    {.size = sizeof(keys[0]), .type = BANGER_CONFIG_STRING, .name = "mode", .default_value = ""},
};

static struct capability *add(struct registry *registry, const char *name, const char *policy)
{
    const struct banger_plugin plugin = {BANGER_PLUGIN_HEADER, .name = name, .config = keys,
                                         .config_count = 2, .hooks = &hooks};
    AUTO_JSON json_t *table = json_loads(policy, 0, NULL);
    assert_non_null(table);
    (void)json_object_set_new(table, "tag", json_string(name));
    banger_error err = BANGER_ERROR_INIT;
    if (registry_add(registry, &plugin, "built-in", table, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return registry_find(registry, name);
}

/* -- The operation -------------------------------------------------------------------------------
 */

static char warnings[512];
static atomic_int services_left;

static void on_warn(void *context, const char *text)
{
    (void)context;
    (void)snprintf(warnings + strlen(warnings), sizeof(warnings) - strlen(warnings), "%s|", text);
}

/* Outlasts the deadline of whoever calls it: 50 ms in the test that uses it. */
static void on_progress(void *context, const char *capability, const char *text)
{
    (void)context;
    (void)capability;
    (void)text;
    (void)poll(NULL, 0, 120);
    atomic_fetch_add(&services_left, 1);
}

static int on_spawn(void *context, const char *capability, const json_t *argv,
                    const json_t *options, banger_error *err)
{
    (void)context;
    (void)capability;
    (void)argv;
    (void)options;
    (void)err;
    return 0;
}

static const struct scope_services services = {
    .warn = on_warn, .progress = on_progress, .spawn = on_spawn};

struct operation {
    struct registry *registry;
    struct scope *scope;
};

static int begin(void **state)
{
    trace[0] = '\0';
    warnings[0] = '\0';
    if (pipe(gate) < 0) {
        return -1;
    }
    struct operation *operation = xcalloc(1, sizeof(*operation));
    operation->registry = registry_new();
    *state = operation;
    return 0;
}

/* Made when it is first asked for, with what has been added by then. */
static struct scope *scope_of(struct operation *operation)
{
    if (operation->scope == NULL) {
        AUTO_JSON json_t *input = json_pack("{s:{s:s, s:i}}", "vm", "name", "web", "vcpu", 2);
        const struct scope_init init = {
            .registry = operation->registry, .input = input, .services = &services};
        operation->scope = scope_new(&init);
    }
    return operation->scope;
}

static int end(void **state)
{
    struct operation *operation = *state;
    scope_unref(operation->scope);
    registry_free(operation->registry);
    free(operation);
    (void)close(gate[0]);
    (void)close(gate[1]);
    return 0;
}

static void let_go(struct capability *capability)
{
    assert_int_equal(write(gate[1], "x", 1), 1);
    while (atomic_load(&capability->standing->stuck) != 0) {
        (void)sched_yield();
    }
}

static void expect_failure(struct scope *scope, enum hook hook, enum banger_code code,
                           const char *message)
{
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_hook(scope, hook, &err), -1);
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, code);
}

/* -- Order and policy ----------------------------------------------------------------------------
 */

static void hooks_run_in_order_and_cleanup_in_reverse(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "c", "{\"order\":1}");
    add(operation->registry, "b", "{}");
    add(operation->registry, "a", "{}");
    assert_int_equal(registry_resolve(operation->registry, NULL), 0);
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_PREPARE, NULL), 0);
    assert_string_equal(trace, "cab");
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_CLEANUP, NULL), 0);
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_DELETED, NULL), 0);
    assert_string_equal(trace, "cabbacbac");
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_POST_START, NULL),
                     0); /* nobody has it */
    assert_string_equal(trace, "cabbacbac");
}

static void failure_ends_the_dispatch(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "a", "{}");
    struct capability *b = add(operation->registry, "b", "{\"mode\":\"fail\"}");
    add(operation->registry, "c", "{}");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_PREPARE, &err), -1);
    assert_string_equal(err.message, "capability 'b': prepare: no luck");
    assert_string_equal(err.hint, "try again");
    assert_int_equal(err.code, BANGER_EGUEST);
    assert_string_equal(trace, "ab");
    assert_int_equal(b->tally->hooks[HOOK_PREPARE].calls, 1);
    assert_int_equal(b->tally->hooks[HOOK_PREPARE].failures, 1);
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_PREPARE, NULL), -1);
}

static void warning_does_not(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "a", "{\"mode\":\"fail\",\"on_error\":\"warn\"}");
    add(operation->registry, "b", "{}");
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_PREPARE, NULL), 0);
    assert_string_equal(trace, "ab");
    assert_string_equal(warnings, "capability 'a': prepare: no luck|");
}

static void cleanup_runs_all_and_joins_errors(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "a", "{\"mode\":\"fail\"}");
    add(operation->registry, "b", "{\"mode\":\"fail\",\"on_error\":\"warn\"}");
    add(operation->registry, "c", "{\"mode\":\"fail\"}");
    expect_failure(scope_of(operation), HOOK_CLEANUP, BANGER_EGUEST,
                   "capability 'c': cleanup: no luck; also: capability 'a': cleanup: no luck");
    assert_string_equal(trace, "cba");
    assert_string_equal(warnings, "capability 'b': cleanup: no luck|");
}

static void reconciled_runs_all_in_order(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "a", "{\"mode\":\"fail\"}");
    add(operation->registry, "b", "{}");
    expect_failure(scope_of(operation), HOOK_RECONCILED, BANGER_EGUEST,
                   "capability 'a': reconciled: no luck");
    assert_string_equal(trace, "ab");
}

static void odd_results_are_explained(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "a", "{\"mode\":\"silent\"}");
    expect_failure(scope_of(operation), HOOK_PREPARE, BANGER_EINTERNAL,
                   "a's prepare failed without saying why");
    struct registry *registry = registry_new();
    add(registry, "b", "{\"mode\":\"positive\"}");
    const struct scope_init init = {.registry = registry};
    struct scope *scope = scope_new(&init);
    expect_failure(scope, HOOK_PREPARE, BANGER_EINTERNAL,
                   "b's prepare returned 3; a hook returns 0, or less when it failed");
    scope_unref(scope);
    registry_free(registry);
}

static void one_capability_can_be_asked(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "a", "{}");
    struct capability *b = add(operation->registry, "b", "{}");
    assert_int_equal(dispatch_hook_of(scope_of(operation), b, HOOK_CHECK, NULL), 0);
    assert_int_equal(dispatch_hook_of(scope_of(operation), b, HOOK_POST_START, NULL), 0);
    assert_string_equal(trace, "b");
}

static void provider_failure_is_always_an_error(void **state)
{
    struct operation *operation = *state;
    struct capability *a =
        add(operation->registry, "a", "{\"mode\":\"fail\",\"on_error\":\"warn\"}");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_provider(scope_of(operation), a, "launch", act, 0, &err), -1);
    assert_string_equal(err.message, "capability 'a': launch: no luck");
    assert_int_equal(dispatch_provider(scope_of(operation), a, "pause", NULL, 0, NULL), 0);
}

/* -- Deadlines -----------------------------------------------------------------------------------
 */

static void late_hook_is_left_behind(void **state)
{
    struct operation *operation = *state;
    struct capability *a =
        add(operation->registry, "a", "{\"mode\":\"block\",\"timeout\":\"50ms\"}");
    struct capability *b = add(operation->registry, "b", "{}");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_PREPARE, &err), -1);
    assert_string_equal(err.message, "capability 'a' did not finish prepare within 50ms");
    assert_int_equal(err.code, BANGER_ETIMEDOUT);
    assert_non_null(strstr(err.hint, "plugins.a.timeout"));
    assert_int_equal(atomic_load(&a->standing->stuck), 1);
    assert_int_equal(a->tally->hooks[HOOK_PREPARE].failures, 1);

    /* Nothing more goes to it; everyone else is served. */
    assert_int_equal(dispatch_hook_of(scope_of(operation), a, HOOK_CHECK, &err), -1);
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_non_null(strstr(err.message, "capability 'a': check: it is stuck"));
    assert_int_equal(dispatch_hook_of(scope_of(operation), b, HOOK_CHECK, NULL), 0);
    assert_string_equal(trace, "ab");

    let_go(a);
    assert_int_equal(write(gate[1], "x", 1), 1); /* for the next, which will not block */
    assert_int_equal(dispatch_hook_of(scope_of(operation), a, HOOK_CHECK, NULL), 0);
}

/* It has given up by itself: it says why, and nobody else finds its capability stuck. */
static void punctual_hook_is_waited_for(void **state)
{
    struct operation *operation = *state;
    const struct capability *a =
        add(operation->registry, "a", "{\"mode\":\"punctual\",\"timeout\":\"400ms\"}");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_CHECK, &err), -1);
    assert_int_equal(err.code, BANGER_ETIMEDOUT);
    assert_non_null(strstr(err.message, "the program took too long"));
    assert_int_equal(atomic_load(&a->standing->stuck), 0);
}

static void late_hook_can_do_nothing(void **state)
{
    struct operation *operation = *state;
    struct capability *a =
        add(operation->registry, "a", "{\"mode\":\"block\",\"timeout\":\"20ms\"}");
    memset(&late, 0, sizeof(late));
    (void)scope_compose(scope_of(operation));
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_PREPARE, NULL), -1);
    let_go(a);
    assert_int_equal(late.set_json, -1);
    assert_int_equal(late.emit, -1);
    assert_int_equal(late.spawn, -1);
    assert_int_equal(late.guest_exec, -1);
    assert_int_equal(late.contribute, -1);
    assert_int_equal(late.intend, -1);
    assert_int_equal(late.remaining, 0);
    assert_int_equal(late.cancelled, 1);
    assert_string_equal(late.string, "fallback");
    assert_int_equal(late.integer, -7);
    assert_null(late.json);
    AUTO_JSON json_t *runtime = scope_runtime(scope_of(operation));
    assert_int_equal(json_object_size(runtime), 0);
}

static void late_hook_may_outlive_its_operation(void **state)
{
    struct operation *operation = *state;
    struct capability *a =
        add(operation->registry, "a", "{\"mode\":\"block\",\"timeout\":\"20ms\"}");
    const struct scope_init init = {.registry = operation->registry};
    struct scope *scope = scope_new(&init);
    assert_int_equal(dispatch_hook(scope, HOOK_PREPARE, NULL), -1);
    scope_unref(scope);
    let_go(a);
}

static void the_rest_runs_without_the_late_one(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "a", "{}");
    struct capability *b = add(operation->registry, "b",
                               "{\"mode\":\"block\",\"timeout\":\"20ms\",\"on_error\":\"warn\"}");
    add(operation->registry, "c", "{}");
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_PREPARE, NULL), 0);
    assert_string_equal(trace, "abc");
    assert_string_equal(warnings, "capability 'b' did not finish prepare within 20ms|");
    let_go(b);
}

static void cleanup_goes_on_past_the_late_one(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "a", "{\"mode\":\"fail\"}");
    struct capability *b =
        add(operation->registry, "b", "{\"mode\":\"block\",\"timeout\":\"20ms\"}");
    add(operation->registry, "c", "{\"mode\":\"fail\"}");
    expect_failure(scope_of(operation), HOOK_CLEANUP, BANGER_EGUEST,
                   "capability 'c': cleanup: no luck; also: capability 'b' did not finish cleanup "
                   "within 20ms; also: capability 'a': cleanup: no luck");
    assert_string_equal(trace, "cba");
    let_go(b);
}

/* The watcher first sleeps until a could be late, then until b could be, and must be woken for c.
 */
static void shorter_deadline_is_not_missed(void **state)
{
    struct operation *operation = *state;
    add(operation->registry, "a", "{\"timeout\":\"40ms\"}");
    add(operation->registry, "b", "{\"mode\":\"linger\",\"timeout\":\"1h\"}");
    struct capability *c =
        add(operation->registry, "c", "{\"mode\":\"block\",\"timeout\":\"40ms\"}");
    expect_failure(scope_of(operation), HOOK_PREPARE, BANGER_ETIMEDOUT,
                   "capability 'c' did not finish prepare within 40ms");
    assert_string_equal(trace, "abc");
    let_go(c);
}

static void no_service_is_in_use_afterwards(void **state)
{
    struct operation *operation = *state;
    struct capability *a =
        add(operation->registry, "a", "{\"mode\":\"progress\",\"timeout\":\"50ms\"}");
    atomic_store(&services_left, 0);
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_PREPARE, NULL), -1);
    assert_int_equal(atomic_load(&services_left), 1);
    while (atomic_load(&a->standing->stuck) != 0) {
        (void)sched_yield();
    }
}

static void provider_has_a_limit_of_its_own(void **state)
{
    struct operation *operation = *state;
    struct capability *a = add(operation->registry, "a", "{\"mode\":\"block\",\"timeout\":\"1h\"}");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_provider(scope_of(operation), a, "launch", act, 20, &err), -1);
    assert_string_equal(err.message, "capability 'a' did not finish launch within 20ms");
    assert_string_equal(err.hint, "");
    let_go(a);
}

static void registry_leaves_the_stuck_one(void **state)
{
    (void)state;
    struct registry *registry = registry_new();
    struct capability *a = add(registry, "a", "{\"mode\":\"block\",\"timeout\":\"20ms\"}");
    const struct scope_init init = {.registry = registry};
    struct scope *scope = scope_new(&init);
    assert_int_equal(dispatch_hook(scope, HOOK_PREPARE, NULL), -1);
    scope_unref(scope);
    (void)capability_ref(a);
    registry_free(registry);
    let_go(a); /* touches what is left of it */
    capability_unref(a);
}

/* -- Many at once --------------------------------------------------------------------------------
 */

#define THREADS 4
#define ROUNDS 200

static int count_up(const struct banger_host *host, struct banger_call *call)
{
    return host->get_int(call, "vm.vcpu", 0) == 2 ? host->set_json(call, "n", "1") : -1;
}

static atomic_int operations_failed;

static void *operate(void *context)
{
    AUTO_JSON json_t *input = json_pack("{s:{s:i}}", "vm", "vcpu", 2);
    for (int i = 0; i < ROUNDS; i++) {
        const struct scope_init init = {.registry = context, .input = input};
        struct scope *scope = scope_new(&init);
        if (dispatch_hook(scope, HOOK_PREPARE, NULL) < 0) {
            atomic_fetch_add(&operations_failed, 1); /* cmocka's asserts are the main thread's */
        }
        scope_unref(scope);
    }
    return NULL;
}

static void operations_do_not_disturb_each_other(void **state)
{
    struct operation *operation = *state;
    static const struct banger_hooks counting = {.size = sizeof(counting), .prepare = count_up};
    const struct banger_plugin plugin = {BANGER_PLUGIN_HEADER, .name = "n", .hooks = &counting};
    assert_int_equal(registry_add(operation->registry, &plugin, "built-in", NULL, NULL), 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, operate, operation->registry), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&operations_failed), 0);
    const struct hook_stats *stats =
        &registry_find(operation->registry, "n")->tally->hooks[HOOK_PREPARE];
    assert_int_equal(stats->calls, THREADS * ROUNDS);
    assert_int_equal(stats->failures, 0);
    assert_true(stats->max_ns <= stats->total_ns);
}

/* -- What a hook costs ---------------------------------------------------------------------------
 */

static int nothing(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    return 0;
}

/* Reported, not asserted: the machine that runs the tests may be busy. */
static void report_cost(void **state)
{
    (void)state;
    static const struct banger_hooks empty = {.size = sizeof(empty), .prepare = nothing};
    static const int counts[] = {1, 10, 100};
    static char names[100][16];
    for (size_t c = 0; c < COUNT_OF(counts); c++) {
        struct registry *registry = registry_new();
        for (int i = 0; i < counts[c]; i++) {
            (void)snprintf(names[i], sizeof(names[i]), "n%d", i);
            const struct banger_plugin plugin = {BANGER_PLUGIN_HEADER, .name = names[i],
                                                 .hooks = &empty};
            assert_int_equal(registry_add(registry, &plugin, "built-in", NULL, NULL), 0);
        }
        const struct scope_init init = {.registry = registry};
        struct scope *scope = scope_new(&init);
        int rounds = 2000;
        int64_t began = clock_mono_ns();
        for (int i = 0; i < rounds; i++) {
            assert_int_equal(dispatch_hook(scope, HOOK_PREPARE, NULL), 0);
        }
        int64_t took = clock_mono_ns() - began;
        print_message("%3d capabilities: %6lld ns a dispatch, %5lld ns a hook\n", counts[c],
                      (long long)(took / rounds), (long long)(took / rounds / counts[c]));
        scope_unref(scope);
        registry_free(registry);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hooks_run_in_order_and_cleanup_in_reverse),
        TEST(failure_ends_the_dispatch),
        TEST(warning_does_not),
        TEST(cleanup_runs_all_and_joins_errors),
        TEST(reconciled_runs_all_in_order),
        TEST(odd_results_are_explained),
        TEST(one_capability_can_be_asked),
        TEST(provider_failure_is_always_an_error),
        TEST(late_hook_is_left_behind),
        TEST(punctual_hook_is_waited_for),
        TEST(late_hook_can_do_nothing),
        TEST(late_hook_may_outlive_its_operation),
        TEST(the_rest_runs_without_the_late_one),
        TEST(cleanup_goes_on_past_the_late_one),
        TEST(shorter_deadline_is_not_missed),
        TEST(no_service_is_in_use_afterwards),
        TEST(provider_has_a_limit_of_its_own),
        TEST(registry_leaves_the_stuck_one),
        TEST(operations_do_not_disturb_each_other),
        cmocka_unit_test(report_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
