/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What failures in a row lead to. */
#include "carrier_fixture.h"

#define VM_ID "0123456789abcdef0123456789abcdef"

static char emitted[256];

static void note_event(void *context, const char *type, const json_t *data)
{
    (void)context;
    AUTO_FREE char *text = json_dumps(data, JSON_COMPACT);
    (void)snprintf(emitted, sizeof(emitted), "%s %s", type, text);
}

/* A dispatch for a VM, or (NULL) about the host. */
static int dispatch_for(struct registry *registry, const char *vm_id, enum hook hook)
{
    static const struct scope_services services = {.warn = note_warning, .emit = note_event};
    const struct scope_init init = {.registry = registry, .vm_id = vm_id, .services = &services};
    struct scope *scope = scope_new(&init);
    int result = dispatch_hook(scope, hook, NULL);
    scope_unref(scope);
    return result;
}

static struct standing *standing_of(struct registry *registry, const char *name)
{
    AUTO_LINEUP struct lineup *lineup = registry_lineup(registry);
    return lineup_find(lineup, name)->standing; /* the registry holds it until its next refresh */
}

static void site(struct registry *registry, const char *said, int limit)
{
    AUTO_JSON json_t *policies = json_pack("{s:{s:i}}", "site", "disable_after", limit);
    emitted[0] = '\0';
    registry_set_world(registry, NULL, policies);
    SAY(said);
    registry_refresh(registry);
}

#define FAILS "{\"name\":\"site\",\"hooks\":[\"prepare\",\"cleanup\"],\"state\":{\"fails\":true}}"

static void failures_in_a_row_disable(void **state)
{
    site(*state, FAILS, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(emitted, "");
        assert_int_equal(dispatch_for(*state, VM_ID, HOOK_PREPARE), -1);
    }
    assert_string_equal(emitted, "capability.disabled "
                                 "{\"capability\":\"site\",\"hook\":\"prepare\",\"failures\":3}");
    emitted[0] = '\0';
    assert_int_equal(dispatch_for(*state, VM_ID, HOOK_PREPARE), 0);  /* it is passed over */
    assert_int_equal(dispatch_for(*state, VM_ID, HOOK_CLEANUP), -1); /* nothing may leak */
    assert_string_equal(emitted, "");                                /* it is told once */
    assert_true(standing_enable(standing_of(*state, "site")));
    assert_false(standing_enable(standing_of(*state, "site")));
    assert_int_equal(dispatch_for(*state, VM_ID, HOOK_PREPARE), -1);
}

static void without_a_limit_none_do(void **state)
{
    site(*state, FAILS, 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(dispatch_for(*state, VM_ID, HOOK_PREPARE), -1);
    }
    assert_string_equal(emitted, "");
}

static void about_the_host_a_failure_is_an_answer(void **state)
{
    site(*state, FAILS, 1);
    assert_int_equal(dispatch_for(*state, NULL, HOOK_PREPARE), -1);
    assert_string_equal(emitted, "");
}

static void success_begins_the_row_anew_for_that_hook_alone(void **state)
{
    (void)state;
    struct standing *standing = standing_new();
    assert_false(standing_note(standing, HOOK_PREPARE, true, 2));
    assert_false(standing_note(standing, HOOK_PREPARE, false, 2));
    assert_false(standing_note(standing, HOOK_PREPARE, true, 2));
    assert_false(standing_note(standing, HOOK_CHECK, false, 2));
    assert_false(standing_note(standing, HOOK_CLEANUP, true, 2));
    assert_true(standing_note(standing, HOOK_PREPARE, true, 2));
    standing_unref(standing);
}

static void change_of_the_description_enables(void **state)
{
    site(*state, FAILS, 1);
    assert_int_equal(dispatch_for(*state, VM_ID, HOOK_PREPARE), -1);
    SAY(FAILS, "{\"name\":\"other\"}");
    registry_refresh(*state);
    assert_true(atomic_load(&standing_of(*state, "site")->disabled));
    SAY("{\"name\":\"site\",\"hooks\":[\"prepare\"]}");
    registry_refresh(*state);
    assert_false(atomic_load(&standing_of(*state, "site")->disabled));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_registry, close_registry)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failures_in_a_row_disable),
        TEST(without_a_limit_none_do),
        TEST(about_the_host_a_failure_is_an_answer),
        cmocka_unit_test(success_begins_the_row_anew_for_that_hook_alone),
        TEST(change_of_the_description_enables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
