/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroups: nothing outside our own folder is ever touched, whatever the journal says. */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"
#include "host/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define ID "0123456789abcdef0123456789abcdef"

static void test_path(void **state)
{
    (void)state;
    AUTO_FREE char *path = cgroup_path(ID);
    assert_string_equal(path, "/sys/fs/cgroup/banger/" ID);
    /* Of a VM that never had one. */
    assert_int_equal(cgroup_remove(path, NULL), 0);
}

static void test_other_paths_are_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "",
        "/",
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/banger",
        "/sys/fs/cgroup/banger/",
        "/sys/fs/cgroup/banger/..",
        "/sys/fs/cgroup/banger/0123456789abcdef",
        "/sys/fs/cgroup/banger/" ID "0",
        "/sys/fs/cgroup/banger/" ID "/",
        "/sys/fs/cgroup/banger/../system.slice/abcdef0123456789",
        "/sys/fs/cgroup/bangers/" ID,
        "/sys/fs/cgroup/system.slice/" ID,
        "sys/fs/cgroup/banger/" ID,
        "/tmp/" ID,
    };
    AUTO_JSON json_t *limits = json_object();
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(cgroup_create(paths[i], limits, &err), -1);
        assert_int_equal(err.code, BANGER_EINTERNAL);
        assert_int_equal(cgroup_enter(paths[i], getpid(), &err), -1);
        assert_int_equal(cgroup_remove(paths[i], &err), -1);
    }
}

/* The one cgroup that this test makes, where the host lets it. */
static void test_limits(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "cgroup.procs", "memory",  "memory.",       ".max",         "memory..max",
        "Memory.max",   "a/b.max", "../memory.max", "memory.max\n", "",
    };
    if (!cgroup_available()) {
        print_message("no cgroup v2 with cpu, memory and pids can be written here\n");
        skip();
    }
    char id[ID_LENGTH + 1];
    id_new(id);
    AUTO_FREE char *path = cgroup_path(id);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_JSON json_t *limits = json_object();
        (void)json_object_set_new(limits, bad[i], json_integer(1));
        assert_int_equal(cgroup_create(path, limits, NULL), -1);
    }
    AUTO_JSON json_t *limits =
        json_pack("{s:i, s:i, s:s}", "memory.max", 1 << 26, "pids.max", 64, "cpu.max", "max");
    banger_error err = BANGER_ERROR_INIT;
    if (cgroup_create(path, limits, &err) < 0) {
        (void)cgroup_remove(path, NULL);
        fail_msg("%s", err.message);
    }
    assert_int_equal(cgroup_remove(path, &err), 0);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_other_paths_are_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
