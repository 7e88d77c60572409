/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake host that third parties test their plugins with. */
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct banger_host *host;
static struct fake_host *fake;
static struct banger_call *call;

static int setup(void **state)
{
    (void)state;
    host = fake_host_table();
    fake = fake_host_new("{\"vm\": {\"name\": \"web\", \"vcpu\": 2, \"nat\": true}}");
    call = fake_host_handle(fake);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_host_free(fake);
    return 0;
}

static void test_getters_answer_from_the_document(void **state)
{
    (void)state;
    assert_string_equal(host->get_string(call, "vm.name", "none"), "web");
    assert_int_equal(host->get_int(call, "vm.vcpu", 1), 2);
    assert_true(host->get_bool(call, "vm.nat", 0));
    assert_string_equal(host->get_string(call, "vm.vcpu.deeper", "none"), "none");
    fake_host_set(fake, "config.text", json_string("be nice"));
    assert_string_equal(host->get_json(call, "config"), "{\"text\":\"be nice\"}");
    assert_null(host->get_json(call, "change.vcpu"));
}

static void test_every_function_of_the_host_is_there(void **state)
{
    (void)state;
    for (size_t at = offsetof(struct banger_host, fail); at < sizeof(struct banger_host);
         at += sizeof(void (*)(void))) {
        void *function = NULL;

        memcpy(&function, (const char *)host + at, sizeof(function));
        assert_non_null(function);
    }
}

static void test_bad_json_fails_the_call_and_records_nothing(void **state)
{
    (void)state;
    assert_int_equal(host->contribute(call, "boot_args", "{"), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINTERNAL);
    assert_non_null(strstr(fake_host_error(fake), "boot_args is not JSON"));
    assert_null(fake_host_contribution(fake, "boot_args"));
    assert_int_equal(host->set_json(call, "key", NULL), -1);
    assert_null(fake_host_stored(fake, "key"));
    assert_int_equal(host->resource_intend(call, "lock", "a", "nonsense"), -1);
    assert_int_equal(json_array_size(fake_host_resources(fake)), 0);
}

static void test_programs_are_an_absolute_path_and_strings(void **state)
{
    static const char *const bad[] = {"[]", "{}", "[\"true\"]", "[\"/bin/true\", 1]", "7"};
    const char *result = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fake_host_clear_error(fake);
        assert_int_equal(host->run(call, bad[i], &result), -1);
        assert_int_equal(fake_host_code(fake), BANGER_EINTERNAL);
        assert_int_equal(host->spawn(call, bad[i], NULL), -1);
    }
    assert_int_equal(json_array_size(fake_host_runs(fake)), 0);
    assert_int_equal(host->run(call, "[\"/bin/echo\", \"hello\"]", &result), 0);
    assert_string_equal(result, "{\"status\":0,\"stdout\":\"hello\\n\",\"stderr\":\"\"}");
}

static json_t *answer_as_guest(const json_t *request)
{
    return json_pack("{s:i, s:O, s:s}", "status", 0, "stdout",
                     json_array_get(json_object_get(request, "argv"), 0), "stderr", "");
}

static void test_there_is_a_guest_where_the_test_is_one(void **state)
{
    const char *result = NULL;

    (void)state;
    assert_int_equal(host->guest_exec(call, "{\"argv\": [\"id\"]}", &result), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EGUEST);
    fake_host_clear_error(fake);
    fake_host_set_guest(fake, answer_as_guest);
    assert_int_equal(host->guest_exec(call, "{\"argv\": [\"id\"]}", &result), 0);
    assert_string_equal(result, "{\"status\":0,\"stdout\":\"id\",\"stderr\":\"\"}");
    assert_int_equal(json_array_size(fake_host_execs(fake)), 2);
}

static void test_a_row_of_the_journal_lives_until_it_is_gone(void **state)
{
    int64_t row = host->resource_intend(call, "lock", "/run/lock/web", NULL);

    (void)state;
    assert_true(row > 0);
    assert_int_equal(host->resource_held(call, row, "{\"by\": 7}"), 0);
    assert_string_equal(host->get_json(call, "resources"),
                        "[{\"id\":1,\"kind\":\"lock\",\"key\":\"/run/lock/web\","
                        "\"attrs\":{\"by\":7},\"state\":\"held\"}]");
    assert_int_equal(host->resource_gone(call, row), 0);
    assert_int_equal(json_array_size(fake_host_resources(fake)), 0);
    assert_int_equal(host->resource_gone(call, row), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ENOTFOUND);
}

static void test_a_hook_may_do_what_it_may_on_the_real_host(void **state)
{
    const char *result = NULL;

    (void)state;
    fake_host_enter(fake, "contributeMachineConfig");
    assert_int_equal(host->contribute(call, "boot_args", "\"quiet\""), 0);
    assert_int_equal(host->set_json(call, "key", "1"), -1);
    assert_int_equal(host->emit(call, "made", "{}"), -1);
    assert_int_equal(host->resource_intend(call, "lock", "a", NULL), -1);
    assert_int_equal(host->spawn(call, "[\"/bin/true\"]", NULL), -1);
    assert_int_equal(host->guest_exec(call, "{\"argv\": [\"id\"]}", &result), -1);
    assert_int_equal(host->guest_copy(call, "{}"), -1);
    assert_int_equal(host->run(call, "[\"/bin/true\"]", &result), 0);
    assert_string_equal(
        fake_host_error(fake),
        "guest_copy is not allowed in contributeMachineConfig, which must change nothing");
    fake_host_enter(fake, "prepare");
    assert_int_equal(host->contribute(call, "boot_args", "\"quiet\""), -1);
    assert_int_equal(json_array_size(json_object_get(fake_host_contributions(fake), "boot_args")),
                     1);
}

static void test_what_is_stored_is_read_back_by_name(void **state)
{
    (void)state;
    assert_int_equal(host->set_json(call, "begun", "7"), 0);
    assert_int_equal(host->get_int(call, "runtime.mine.begun", 0), 0);
    fake_host_set(fake, "self.name", json_string("mine"));
    assert_int_equal(host->set_json(call, "begun", "8"), 0);
    assert_int_equal(host->get_int(call, "runtime.mine.begun", 0), 8);
    assert_int_equal(json_integer_value(fake_host_stored(fake, "begun")), 8);
}

/* What the host said last can be read; what the plugin says in the end replaces it, once. */
static void test_the_last_failure_can_be_read(void **state)
{
    (void)state;
    assert_null(host->get_json(call, "call.error"));
    assert_int_equal(host->contribute(call, "boot_args", "{"), -1);
    assert_int_equal(host->resource_gone(call, 7), -1);
    assert_string_equal(host->get_string(call, "call.error", ""), "no resource 7");
    assert_int_equal(host->get_int(call, "call.code", 0), BANGER_ENOTFOUND);
    assert_int_equal((host->fail)(call, BANGER_EIO, "in line 7: no resource 7"), -1);
    assert_int_equal((host->fail)(call, BANGER_EIO, "and more"), -1);
    assert_int_equal(host->resource_gone(call, 8), -1);
    assert_string_equal(fake_host_error(fake), "in line 7: no resource 7");
    assert_int_equal(fake_host_code(fake), BANGER_EIO);
}

static void test_what_is_provided_has_a_name(void **state)
{
    (void)state;
    assert_int_equal(host->provide(call, "{\"name\": \"site\", \"hooks\": [\"check\"]}"), 0);
    assert_int_equal(host->provide(call, "{\"hooks\": []}"), -1);
    assert_int_equal(host->provide(call, "site"), -1);
    assert_int_equal(json_array_size(fake_host_provided(fake)), 1);
}

static void test_another_runs_answers_are_given_once(void **state)
{
    json_t *calls = json_loads(
        "[{\"call\": \"guest_exec\", \"args\": [{\"argv\": [\"id\"]}], \"result\": {\"status\": "
        "7}},"
        " {\"call\": \"run\", \"args\": [[\"/bin/x\"]], \"error\": \"it was not there\"},"
        " {\"call\": \"host_op\", \"args\": [\"nat.check\", {}], \"result\": {\"drops\": []}}]",
        0, NULL);
    const char *result = NULL;

    (void)state;
    fake_host_replay(fake, calls);
    assert_int_equal(host->guest_exec(call, "{\"argv\": [\"id\"]}", &result), 0);
    assert_string_equal(result, "{\"status\":7}");
    assert_int_equal(host->guest_exec(call, "{\"argv\": [\"id\"]}", &result), -1);
    fake_host_clear_error(fake);
    assert_int_equal(host->run(call, "[\"/bin/x\"]", &result), -1);
    assert_string_equal(fake_host_error(fake), "it was not there");
    assert_int_equal(host->host_op(call, "nat.check", "{}", &result), 0);
    assert_string_equal(result, "{\"drops\":[]}");
    assert_int_equal(json_array_size(calls), 3);
    assert_int_equal(json_array_size(fake_host_calls(fake)), 4);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(fake_host_calls(fake), 2), "call")),
        "run");
    json_decref(calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_getters_answer_from_the_document, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_function_of_the_host_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_json_fails_the_call_and_records_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_programs_are_an_absolute_path_and_strings, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_hook_may_do_what_it_may_on_the_real_host, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_last_failure_can_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_provided_has_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_runs_answers_are_given_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_stored_is_read_back_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_there_is_a_guest_where_the_test_is_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_row_of_the_journal_lives_until_it_is_gone, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
