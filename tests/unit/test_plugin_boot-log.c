/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "temp_dir.h"
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct temp_dir dir;
static struct fake_host *fake;

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    fake = fake_host_new("{}");
    fake_host_set(fake, "vm.dir", json_string(dir.path));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_free(fake);
    temp_dir_remove(&dir);
    return 0;
}

static const struct banger_hooks *hooks(void)
{
    return banger_plugin_v1()->hooks;
}

static void keeps_the_log_before(void **state)
{
    (void)state;
    temp_dir_write(&dir, "console.log", "second");
    temp_dir_write(&dir, "console.log.1", "first");
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    assert_false(temp_dir_has(&dir, "console.log"));
    assert_string_equal(temp_dir_read(&dir, "console.log.1"), "second");
}

static void first_start_has_no_log(void **state)
{
    (void)state;
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    assert_false(temp_dir_has(&dir, "console.log.1"));
}

static void an_obstacle_is_named(void **state)
{
    (void)state;
    temp_dir_write(&dir, "console.log", "text");
    assert_int_equal(mkdir(temp_dir_at(&dir, "console.log.1"), 0700), 0);
    assert_int_equal(fake_host_call(fake, hooks()->prepare), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EIO);
    assert_non_null(strstr(fake_host_error(fake), "console.log"));
}

static void contributes_without_touching(void **state)
{
    (void)state;
    temp_dir_write(&dir, "console.log", "text");
    assert_int_equal(fake_host_call(fake, hooks()->contributeMachineConfig), 0);
    assert_string_equal(
        json_string_value(json_object_get(fake_host_contribution(fake, "console"), "path")),
        temp_dir_at(&dir, "console.log"));
    assert_null(fake_host_contribution(fake, "boot_args"));
    assert_string_equal(temp_dir_read(&dir, "console.log"), "text");
}

static void can_be_loud(void **state)
{
    (void)state;
    fake_host_set(fake, "config.quiet", json_false());
    assert_int_equal(fake_host_call(fake, hooks()->contributeMachineConfig), 0);
    assert_string_equal(
        json_string_value(json_array_get(fake_host_contribution(fake, "boot_args"), 0)),
        "loglevel=7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_the_log_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(first_start_has_no_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_obstacle_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contributes_without_touching, set_up, tear_down),
        cmocka_unit_test_setup_teardown(can_be_loud, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("boot-log", tests, NULL, NULL);
}
