/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net.ipv4.ip_forward is left as it was found, whoever dies in between. */
#include "base/cleanup.h"
#include "host/forwarding.h"
#include "host/sysctl.h"
#include "net_space.h"
#include "temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SWITCH "net/ipv4/ip_forward"
#define NOTE "ip_forward.found"

static struct temp_dir dir;
static bool permitted;

static int setup(void **state)
{
    (void)state;
    permitted = space_enter_new() == 0;
    temp_dir_make(&dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

static void need_permission(void)
{
    if (!permitted) {
        print_message("no network namespace can be made here\n");
        skip();
    }
}

/* What a daemon that has just started knows: the run folder. */
static struct host daemon_new(void)
{
    return (struct host){.instance = "0123456789ab", .run_dir = dir.path};
}

static void expect_switch(int expected)
{
    int value = -1;
    assert_int_equal(sysctl_read(SWITCH, &value, NULL), 0);
    assert_int_equal(value, expected);
}

static void found_as(int value)
{
    struct host first = daemon_new();
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(sysctl_write(SWITCH, value, &err), 0);
    assert_int_equal(forwarding_on(&first, &err), 0);
    expect_switch(1);
    assert_int_equal(forwarding_on(&first, &err), 0); /* finds 1, which is not how it was */
    struct host second = daemon_new();                /* the first one was killed */
    assert_int_equal(forwarding_on(&second, &err), 0);
    assert_int_equal(forwarding_restore(&second, &err), 0);
    expect_switch(value);
    assert_false(temp_dir_has(&dir, NOTE));
    assert_int_equal(sysctl_write(SWITCH, 1 - value, &err), 0);
    assert_int_equal(forwarding_restore(&second, &err), 0); /* again: it is not ours any more */
    expect_switch(1 - value);
}

static void test_found_off(void **state)
{
    (void)state;
    need_permission();
    found_as(0);
}

static void test_found_on(void **state)
{
    (void)state;
    need_permission();
    found_as(1);
}

static void test_note_of_another_boot(void **state)
{
    (void)state;
    need_permission();
    struct host host = daemon_new();
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(sysctl_write(SWITCH, 1, &err), 0);
    temp_dir_write(&dir, NOTE, "00000000-0000-0000-0000-000000000000 0\n");
    assert_int_equal(forwarding_restore(&host, &err), 0);
    expect_switch(1);
    assert_false(temp_dir_has(&dir, NOTE));

    temp_dir_write(&dir, NOTE, "00000000-0000-0000-0000-000000000000 0\n");
    assert_int_equal(forwarding_on(&host, &err), 0); /* found on, in this boot */
    assert_int_equal(forwarding_restore(&host, &err), 0);
    expect_switch(1);
}

/* Without a note nothing is changed: one that cannot be written leaves the switch alone. */
static void test_note_comes_first(void **state)
{
    (void)state;
    need_permission();
    struct host host = {.run_dir = (char *)(uintptr_t)temp_dir_at(&dir, "missing")};
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(sysctl_write(SWITCH, 0, &err), 0);
    assert_int_equal(forwarding_on(&host, &err), -1);
    expect_switch(0);
}

static void test_sysctl_keys(void **state)
{
    (void)state;
    static const char *const bad[] = {"kernel/hostname", "net/../kernel/panic",  "net/",
                                      "/net/x",          "net//ipv4/ip_forward", ""};
    int value = 0;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(sysctl_read(bad[i], &value, &err), -1);
        assert_int_equal(err.code, BANGER_EINTERNAL);
        assert_int_equal(sysctl_write(bad[i], 0, NULL), -1);
    }
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(sysctl_read("net/ipv4/conf/no-such-link/forwarding", &value, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_off),
        cmocka_unit_test(test_found_on),
        cmocka_unit_test(test_note_of_another_boot),
        cmocka_unit_test(test_note_comes_first),
        cmocka_unit_test(test_sysctl_keys),
    };
    return cmocka_run_group_tests_name("host_forwarding", tests, setup, teardown);
}
