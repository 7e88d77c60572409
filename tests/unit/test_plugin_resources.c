/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB INT64_C(1048576)

static struct fake_host *fake;

static int set_up(void **state)
{
    (void)state;
    fake = fake_host_new("{\"vm\": {\"id\": \"00\", \"vcpu\": 2, \"memory_mib\": 64},"
                         " \"config\": {\"cpu_overcommit\": 4}}");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_free(fake);
    return 0;
}

static const struct banger_hooks *hooks(void)
{
    return banger_plugin_v1()->hooks;
}

static void assert_refused(int code, const char *part)
{
    assert_int_equal(fake_host_call(fake, hooks()->check), -1);
    assert_int_equal(fake_host_code(fake), code);
    assert_non_null(strstr(fake_host_error(fake), part));
    assert_string_not_equal(fake_host_hint(fake), "");
}

static void accepts_what_fits(void **state)
{
    (void)state;
    assert_int_equal(fake_host_call(fake, hooks()->check), 0);
}

static void accepts_the_host_alone(void **state)
{
    struct fake_host *doctor = fake_host_new("{}");

    (void)state;
    assert_int_equal(fake_host_call(doctor, hooks()->check), 0);
    fake_host_free(doctor);
}

static void vcpus_against_the_host(void **state)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    (void)state;
    fake_host_set(fake, "vm.vcpu", json_integer(4 * cpus));
    assert_int_equal(fake_host_call(fake, hooks()->check), 0);
    fake_host_set(fake, "vm.vcpu", json_integer(4 * cpus + 1));
    assert_refused(BANGER_EINVALID, "vCPUs are more than 4 times this host's");
}

static void vcpus_against_the_site(void **state)
{
    (void)state;
    fake_host_set(fake, "config.max_vcpu", json_integer(1));
    assert_refused(BANGER_EINVALID, "2 vCPUs are more than the 1 that this site allows");
}

static void memory_against_the_host(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.memory_mib", json_integer(INT64_C(1) << 40));
    assert_refused(BANGER_EFULL, "MiB that this host has available");
    fake_host_clear_error(fake);
    fake_host_set(fake, "config.memory_overcommit", json_true());
    assert_int_equal(fake_host_call(fake, hooks()->check), 0);
}

static void memory_against_the_site(void **state)
{
    (void)state;
    fake_host_set(fake, "config.max_memory", json_integer(32 * MIB));
    assert_refused(BANGER_EINVALID, "64 MiB of memory are more than the 32 MiB");
}

static void contributes_size_and_limits(void **state)
{
    const json_t *limits;

    (void)state;
    fake_host_set(fake, "config.memory_overhead", json_integer(100 * MIB));
    fake_host_set(fake, "config.max_processes", json_integer(64));
    fake_host_set(fake, "config.cpu_limit", json_true());
    assert_int_equal(fake_host_call(fake, hooks()->contributeMachineConfig), 0);
    assert_int_equal(json_integer_value(fake_host_contribution(fake, "vcpu")), 2);
    assert_int_equal(json_integer_value(fake_host_contribution(fake, "memory_mib")), 64);
    limits = fake_host_contribution(fake, "limits");
    assert_int_equal(json_integer_value(json_object_get(limits, "memory.max")), 164 * MIB);
    assert_int_equal(json_integer_value(json_object_get(limits, "pids.max")), 66);
    assert_string_equal(json_string_value(json_object_get(limits, "cpu.max")), "200000 100000");
}

static void zero_means_no_limit(void **state)
{
    (void)state;
    assert_int_equal(fake_host_call(fake, hooks()->contributeMachineConfig), 0);
    assert_int_equal(json_object_size(fake_host_contribution(fake, "limits")), 0);
}

static void refuses_an_empty_machine(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.vcpu", json_integer(0));
    assert_int_equal(fake_host_call(fake, hooks()->contributeMachineConfig), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
    assert_int_equal(json_object_size(fake_host_contributions(fake)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepts_what_fits, set_up, tear_down),
        cmocka_unit_test(accepts_the_host_alone),
        cmocka_unit_test_setup_teardown(vcpus_against_the_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(vcpus_against_the_site, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_against_the_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_against_the_site, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contributes_size_and_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zero_means_no_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_an_empty_machine, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("resources", tests, NULL, NULL);
}
