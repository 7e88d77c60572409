/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Failpoints: what the environment asks for, at exactly the pass that it asks for. */
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/str.h"
#include "temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define SAID_NOTHING 0 /* the child's status: what failed, as a number */
#define REFUSED 100

/* Passes three places in a process of their own, which is armed by the environment. */
static void __attribute__((noreturn)) child(const char *target, const char *log)
{
    banger_error err = BANGER_ERROR_INIT;
    int failed = SAID_NOTHING;
    (void)(target != NULL ? setenv("BANGER_FAILPOINT", target, 1) : unsetenv("BANGER_FAILPOINT"));
    (void)(log != NULL ? setenv("BANGER_FAILPOINT_LOG", log, 1) : unsetenv("BANGER_FAILPOINT_LOG"));
    if (failpoint_arm(&err) < 0) {
        _exit(err.code == BANGER_EINVALID ? REFUSED : REFUSED + 1);
    }
    if (failpoint("tap.acquire", "before", &err) < 0) {
        failed = 1;
    }
    failpoint_kill("launch", "end");
    if (failpoint("tap.acquire", "after", &err) < 0) {
        failed = err.code == BANGER_EIO && strcmp(err.message, "failpoint tap.acquire:after") == 0
                     ? 3
                     : REFUSED + 2;
    }
    _exit(failed);
}

static int outcome(const char *target, const char *log)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        child(target, log);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_off(void **state)
{
    (void)state;
    assert_int_equal(outcome(NULL, NULL), SAID_NOTHING);
}

static void test_fail(void **state)
{
    (void)state;
    assert_int_equal(outcome("1:fail", NULL), 1);
    assert_int_equal(outcome("2:fail", NULL), SAID_NOTHING); /* a place that cannot */
    assert_int_equal(outcome("3:fail", NULL), 3);
    assert_int_equal(outcome("4:fail", NULL), SAID_NOTHING);
}

static void test_kill(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++) {
        AUTO_FREE char *target = str_format("%d:kill", i);
        assert_int_equal(outcome(target, NULL), -SIGKILL);
    }
    assert_int_equal(outcome("4:kill", NULL), SAID_NOTHING);
}

static void test_refused(void **state)
{
    (void)state;
    const char *const wrong[] = {"", "1", "kill", ":kill", "0:kill", "-1:fail", "1:stop", "x:fail"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(outcome(wrong[i], NULL), REFUSED);
    }
    assert_int_equal(outcome(NULL, "/proc/no/such/folder"), REFUSED + 1);
}

/* What was passed when the process is killed is in the log, the last pass too. */
static void test_log(void **state)
{
    (void)state;
    struct temp_dir dir;
    temp_dir_make(&dir);
    AUTO_FREE char *path = str_format("%s/passes", dir.path);
    AUTO_BUF struct buf text = BUF_INIT;
    assert_int_equal(outcome("2:kill", path), -SIGKILL);
    assert_int_equal(file_read(path, 4096, &text, NULL), 0);
    assert_string_equal(text.data, "1 tap.acquire:before\n2 launch:end kill-only\n");
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),     cmocka_unit_test(test_fail), cmocka_unit_test(test_kill),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
