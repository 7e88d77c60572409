/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a plugin may have the daemon keep comes to an end (CALL_..._MAX in capability/call.h). */
#include "call_fixture.h"

#define HOARD 5000000 /* bytes: a dozen of these fit into what a call may be given */

/* The call's own error says it; the hook goes on with its fallback. */
static int hoard(const struct banger_host *host, struct banger_call *call)
{
    int given = 0;
    while (given < 1000 && strcmp(host->get_string(call, "vm.large", "none"), "none") != 0) {
        given++;
    }
    note_int("given", given);
    note("error", host->get_string(call, "call.error", "-"));
    note("short", host->get_string(call, "vm.name", "-")); /* what is in the arena itself */
    return 0;
}

static void nobody_is_given_without_end(void **state)
{
    struct operation *operation = *state;
    AUTO_FREE char *large = xcalloc(HOARD + 1, 1);
    memset(large, 'x', HOARD);
    scope_set_input(scope_of(operation), "vm.large", json_string(large));
    run_as(operation, HOOK_PREPARE, hoard);
    expect("given=13\nerror=prepare was given 64 MiB already, and may have no more\nshort=web\n");
}

/* A JSON text of so many bytes. */
static char *text_of(size_t size)
{
    char *text = xcalloc(size + 1, 1);
    memset(text, 'x', size);
    text[0] = text[size - 1] = '"';
    return text;
}

static int store_much(const struct banger_host *host, struct banger_call *call)
{
    AUTO_FREE char *half = text_of(600 * 1024);
    note_int("half", host->set_json(call, "half", half));
    note_int("other half", host->set_json(call, "other", half));
    note("error", host->get_string(call, "call.error", "-"));
    note_int("small", host->set_json(call, "small", "1"));
    note_int("half again", host->set_json(call, "half", half)); /* in the place of the first */
    return 0;
}

static void runtime_has_an_end(void **state)
{
    struct operation *operation = *state;
    run_as(operation, HOOK_PREPARE, store_much);
    expect("half=0\nother half=-1\nerror=set_json: 'other' is more than the 1024 KiB it may store\n"
           "small=0\nhalf again=0\n");
}

static int take_many(const struct banger_host *host, struct banger_call *call)
{
    int taken = 0;
    while (taken < 2000 && host->resource_intend(call, "thing", "many", NULL) > 0) {
        taken++;
    }
    note_int("taken", taken);
    note("error", host->get_string(call, "call.error", "-"));
    return 0;
}

static void rows_have_an_end(void **state)
{
    struct operation *operation = *state;
    char folder[] = "/tmp/banger-call-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct store *store = open_store(folder);
    static const struct banger_hooks hooks = {.size = sizeof(hooks), .prepare = take_many};
    struct capability *greedy = add(operation->registry, "greedy", &hooks);
    struct scope *start = scope_for(operation->registry, store, VM_ID, NULL);
    assert_int_equal(dispatch_hook_of(start, greedy, HOOK_PREPARE, NULL), 0);
    scope_unref(start);
    expect("taken=1000\nerror=it has 1000 resources already, and may have no more\n");
    store_close(store);
    assert_int_equal(dir_remove(folder, NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_given_without_end),
        TEST(runtime_has_an_end),
        TEST(rows_have_an_end),
    };
#undef TEST
    return cmocka_run_group_tests_name("call: bounds", tests, NULL, NULL);
}
