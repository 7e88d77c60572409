/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Line-ups: what an operation holds while capabilities come and go. */
#include "capability/expand.h"
#include "carrier_fixture.h"

#include <limits.h>

static void operation_keeps_its_lineup(void **state)
{
    SAY("{\"name\":\"old\",\"hooks\":[\"prepare\",\"cleanup\"]}");
    registry_refresh(*state);
    struct scope *scope = scope_about(*state);
    SAY("{\"name\":\"new\",\"hooks\":[\"prepare\",\"cleanup\"]}");
    registry_refresh(*state);
    expect_lineup(*state, "keeper new");
    assert_int_equal(dispatch_hook(scope, HOOK_PREPARE, NULL), 0);
    assert_int_equal(dispatch_now(*state, HOOK_PREPARE, NULL), 0);
    assert_int_equal(dispatch_hook(scope, HOOK_CLEANUP, NULL), 0);
    assert_string_equal(trace, "old:prepare new:prepare old:cleanup ");
    scope_unref(scope);
}

static void nothing_new_makes_no_new_lineup(void **state)
{
    SAY("{\"name\":\"a\"}");
    registry_refresh(*state);
    AUTO_LINEUP struct lineup *first = registry_lineup(*state);
    registry_refresh(*state);
    AUTO_LINEUP struct lineup *second = registry_lineup(*state);
    assert_ptr_equal(first, second);
    assert_int_equal(atomic_load(&keeper_asked), 2);
    SAY("{\"name\":\"a\",\"version\":\"2\"}");
    registry_refresh(*state);
    AUTO_LINEUP struct lineup *third = registry_lineup(*state);
    assert_ptr_not_equal(first, third);
}

static void who_cannot_be_asked_carries_what_it_carried(void **state)
{
    SAY("{\"name\":\"a\"}");
    registry_refresh(*state);
    banger_error failure = BANGER_ERROR_INIT;
    const struct capability *plugin = registry_find(*state, "keeper");
    assert_false(registry_carrier_failure(*state, plugin, &failure));
    keeper_fails = "the folder is gone";
    registry_refresh(*state);
    expect_lineup(*state, "a keeper");
    assert_true(registry_carrier_failure(*state, plugin, &failure));
    assert_string_equal(failure.message, "capability 'keeper': expand: the folder is gone");
    assert_string_equal(failure.hint, "mend it");
    keeper_fails = NULL;
    keeper_says[0] = NULL;
    registry_refresh(*state);
    expect_lineup(*state, "keeper");
    assert_false(registry_carrier_failure(*state, plugin, &failure));
}

/* A start that went on would go on without what the site wants of its VMs. */
static void who_has_never_answered_is_in_the_way(void **state)
{
    banger_error err = BANGER_ERROR_INIT;
    keeper_fails = "no answer";
    registry_refresh(*state);
    expect_lineup(*state, "keeper keeper-unknown!");
    assert_int_equal(dispatch_now(*state, HOOK_CHECK, &err), -1);
    assert_string_equal(err.message, "capability 'keeper-unknown' is broken: capability 'keeper': "
                                     "expand: no answer");
    assert_string_equal(err.hint, "mend it");
    keeper_fails = NULL;
    SAY("{\"name\":\"a\"}");
    registry_refresh(*state);
    expect_lineup(*state, "a keeper");
}

/* -- Carriers that fail, or hang ----------------------------------------------------------------- */

static void who_failed_is_left_alone_for_longer_each_time(void **state)
{
    static const int64_t pauses[] = {2000, 4000, 8000, 16000, 32000, 60000, 60000};
    struct carrier carrier = {.capability = registry_find(*state, "keeper")};
    const banger_error failure = {.code = BANGER_EIO, .message = "no answer"};
    assert_true(carrier_is_due(&carrier));
    for (size_t i = 0; i < COUNT_OF(pauses); i++) {
        (void)carrier_answer(&carrier, NULL, &failure);
        assert_int_equal(carrier.pause_ms, pauses[i]); /* the one after the next failure */
    }
    assert_false(carrier_is_due(&carrier));
    assert_true(carrier_answer(&carrier, json_array(), &failure));
    assert_true(carrier_is_due(&carrier));
    assert_int_equal(carrier.pause_ms, 0);
    json_decref(carrier.said);
}

static void operations_do_not_ask_who_has_failed_of_late(void **state)
{
    SAY("{\"name\":\"a\"}");
    registry_refresh(*state);
    keeper_fails = "no answer";
    for (int i = 0; i < 8; i++) {
        registry_refresh(*state); /* `hook list` asks all the same */
    }
    assert_int_equal(atomic_load(&keeper_asked), 9);
    keeper_fails = NULL;
    SAY("{\"name\":\"b\"}");
    registry_refresh_briefly(*state, 60000);
    registry_refresh_briefly(*state, INT_MAX);
    assert_int_equal(atomic_load(&keeper_asked), 9);
    expect_lineup(*state, "a keeper");
    registry_refresh(*state);
    expect_lineup(*state, "b keeper");
    registry_refresh_briefly(*state, 60000); /* it has answered: asked each time again */
    registry_refresh_briefly(*state, INT_MAX);
    assert_int_equal(atomic_load(&keeper_asked), 12);
}

static void who_hangs_holds_up_nobody_in_a_hurry(void **state)
{
    sem_t go;
    assert_int_equal(sem_init(&go, 0, 0), 0);
    SAY("{\"name\":\"a\"}");
    registry_refresh_briefly(*state, INT_MAX);
    expect_lineup(*state, "a keeper");
    SAY("{\"name\":\"b\"}");
    keeper_waits = &go;
    registry_refresh_briefly(*state, 1); /* the first to ask, and one who comes meanwhile */
    registry_refresh_briefly(*state, 1);
    expect_lineup(*state, "a keeper");
    for (int i = 0; i < 3; i++) { /* one that is under way, one for who came, and ours */
        (void)sem_post(&go);
    }
    registry_refresh(*state);
    expect_lineup(*state, "b keeper");
    (void)sem_post(&go);
    registry_free(*state); /* waits for the thread that still asks */
    *state = registry_new();
    (void)sem_destroy(&go);
}

static const struct capability *find_now(struct registry *registry, const char *name)
{
    AUTO_LINEUP struct lineup *lineup = registry_lineup(registry);
    return lineup_find(lineup, name); /* the registry holds it until its next refresh */
}

static void tally_goes_on_with_the_name(void **state)
{
    SAY("{\"name\":\"a\",\"hooks\":[\"prepare\"]}", "{\"name\":\"b\",\"hooks\":[\"prepare\"]}");
    registry_refresh(*state);
    assert_int_equal(dispatch_now(*state, HOOK_PREPARE, NULL), 0);
    SAY("{\"name\":\"a\",\"hooks\":[\"prepare\"],\"version\":\"2\"}",
        "{\"name\":\"c\",\"hooks\":[\"prepare\"]}");
    registry_refresh(*state);
    assert_int_equal(dispatch_now(*state, HOOK_PREPARE, NULL), 0);
    assert_int_equal(find_now(*state, "a")->tally->hooks[HOOK_PREPARE].calls, 2);
    assert_int_equal(find_now(*state, "c")->tally->hooks[HOOK_PREPARE].calls, 1);
    SAY("{\"name\":\"a\",\"error\":{\"message\":\"line 3\"}}");
    registry_refresh(*state);
    assert_int_equal(find_now(*state, "a")->tally->hooks[HOOK_PREPARE].calls, 2);
}

static void changed_one_has_a_new_standing(void **state)
{
    SAY("{\"name\":\"a\",\"state\":1}", "{\"name\":\"b\"}");
    registry_refresh(*state);
    struct standing *before = find_now(*state, "a")->standing;
    atomic_store(&before->stuck, 1); /* as a hook that has not returned leaves it */
    SAY("{\"name\":\"a\",\"state\":1}", "{\"name\":\"c\"}");
    registry_refresh(*state);
    assert_ptr_equal(find_now(*state, "a")->standing, before);
    SAY("{\"name\":\"a\",\"state\":2}", "{\"name\":\"c\"}");
    registry_refresh(*state);
    assert_int_equal(atomic_load(&find_now(*state, "a")->standing->stuck), 0);
}

/* -- Many at once -------------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS 100

static atomic_int rounds_failed;
static atomic_int versions;

static int expand_anew(const struct banger_host *host, struct banger_call *call)
{
    AUTO_FREE char *text =
        str_format("{\"name\":\"moving\",\"hooks\":[\"prepare\"],\"version\":\"%d\"}",
                   atomic_fetch_add(&versions, 1));
    return host->provide(call, text);
}

static int prepare_quietly(const struct banger_host *host, struct banger_call *call)
{
    return host->set_json(call, "n", "1");
}

static void *operate(void *context)
{
    for (int i = 0; i < ROUNDS; i++) {
        registry_refresh(context);
        if (dispatch_now(context, HOOK_PREPARE, NULL) < 0) {
            atomic_fetch_add(&rounds_failed, 1); /* cmocka's asserts are the main thread's */
        }
    }
    return NULL;
}

static void operate_at_once(struct registry *registry)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, operate, registry), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&rounds_failed), 0);
}

static void refreshes_and_dispatches_go_together(void **state)
{
    static const struct banger_hooks hooks = {.size = sizeof(hooks), .prepare = prepare_quietly};
    static const struct banger_plugin mover = {BANGER_PLUGIN_HEADER, .name = "mover",
                                               .hooks = &hooks, .expand = expand_anew};
    assert_int_equal(registry_add(*state, &mover, "built-in", NULL, NULL), 0);
    operate_at_once(*state);
    assert_int_equal(find_now(*state, "moving")->tally->hooks[HOOK_PREPARE].calls,
                     THREADS * ROUNDS);
    assert_true(atomic_load(&versions) <= THREADS * ROUNDS); /* those who waited shared one */
}

static int expand_in_circles(const struct banger_host *host, struct banger_call *call)
{
    return host->provide(call, atomic_fetch_add(&versions, 1) % 2 == 0
                                   ? "{\"name\":\"motd\",\"after\":[\"vendor\"]}"
                                   : "{\"name\":\"motd\"}");
}

/* What stands in a line-up is read without a lock: no refresh may change it. */
static void circles_change_nothing_that_others_read(void **state)
{
    static const char *const names[] = {"motd?", NULL};
    static const struct banger_hooks hooks = {.size = sizeof(hooks), .prepare = prepare_quietly};
    static const struct banger_hooks none = {.size = sizeof(none)};
    static const struct banger_plugin circler = {BANGER_PLUGIN_HEADER, .name = "circler",
                                                 .hooks = &none, .expand = expand_in_circles};
    static const struct banger_plugin vendor = {BANGER_PLUGIN_HEADER, .name = "vendor",
                                                .hooks = &hooks, .after = names};
    assert_int_equal(registry_add(*state, &circler, "built-in", NULL, NULL), 0);
    registry_set_strangers(*state, true);
    assert_int_equal(registry_add(*state, &vendor, "/p/vendor.so", NULL, NULL), 0);
    assert_int_equal(registry_resolve(*state, NULL), 0);
    operate_at_once(*state);
    assert_int_equal(find_now(*state, "vendor")->tally->hooks[HOOK_PREPARE].calls,
                     THREADS * ROUNDS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_registry, close_registry)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(operation_keeps_its_lineup),
        TEST(nothing_new_makes_no_new_lineup),
        TEST(who_has_never_answered_is_in_the_way),
        TEST(who_cannot_be_asked_carries_what_it_carried),
        TEST(who_failed_is_left_alone_for_longer_each_time),
        TEST(operations_do_not_ask_who_has_failed_of_late),
        TEST(who_hangs_holds_up_nobody_in_a_hurry),
        TEST(tally_goes_on_with_the_name),
        TEST(changed_one_has_a_new_standing),
        TEST(refreshes_and_dispatches_go_together),
        TEST(circles_change_nothing_that_others_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
