/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Failpoints: what the environment asks for, at exactly the pass that it asks for; and the list of them.
 * Built with BANGER_FAULTS, whatever the core is built with. */
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

static const struct {
    int number;
    const char *name;
} table[] = {{1, "sea"}, {2, "land"}};

FAILPOINT_COLUMN(table, name, "begin", FAILPOINT_FAIL);

static int pass_all(banger_error *err)
{
    if (failpoint("tap.open", "before", err) < 0) {
        return 1;
    }
    failpoint_kill("launch", "done");
    if (failpoint_write("tap.open", "after", err) < 0) {
        return 3;
    }
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (failpoint_row(table[i].name, "begin", err) < 0) {
            return 4 + (int)i;
        }
    }
    return failpoint("tap.open", "before", err) < 0 ? 6 : SAID_NOTHING; /* its second pass */
}

/* Passes them all in a process of its own, which is armed by the environment. */
static void __attribute__((noreturn)) child(const char *target, const char *log)
{
    banger_error err = BANGER_ERROR_INIT;
    (void)(target != NULL ? setenv("BANGER_FAULT", target, 1) : unsetenv("BANGER_FAULT"));
    (void)(log != NULL ? setenv("BANGER_FAULT_LOG", log, 1) : unsetenv("BANGER_FAULT_LOG"));
    if (failpoint_arm(&err) < 0) {
        _exit(err.code == BANGER_EINVALID ? REFUSED : REFUSED + 1);
    }
    int failed = pass_all(&err);
    bool full = target != NULL && str_ends(target, "enospc");
    bool told = err.code == (full ? BANGER_EFULL : BANGER_EIO) &&
                str_starts(err.message, "failpoint ") && strncmp(err.message + 10, target, 3) == 0;
    _exit(failed == SAID_NOTHING || told ? failed : REFUSED + 2);
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

static void test_error(void **state)
{
    (void)state;
    assert_int_equal(outcome("tap.open:before:error", NULL), 1);
    assert_int_equal(outcome("tap.open:before@1:error", NULL), 1);
    assert_int_equal(outcome("tap.open:before@2:error", NULL), 6);
    assert_int_equal(outcome("tap.open:before@3:error", NULL), SAID_NOTHING);
    assert_int_equal(outcome("tap.open:after:error", NULL), 3);
    assert_int_equal(outcome("tap.open:after:enospc", NULL), 3);
    assert_int_equal(outcome("sea:begin:error", NULL), 4);
    assert_int_equal(outcome("land:begin:error", NULL), 5);
}

static void test_kill(void **state)
{
    (void)state;
    static const char *const places[] = {"tap.open:before", "launch:done", "tap.open:after",
                                         "land:begin", "tap.open:before@2"};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        AUTO_FREE char *target = str_format("%s:kill", places[i]);
        assert_int_equal(outcome(target, NULL), -SIGKILL);
    }
    assert_int_equal(outcome("land:begin@2:kill", NULL), SAID_NOTHING);
}

static void test_delay(void **state)
{
    (void)state;
    assert_int_equal(outcome("tap.open:before:delay", NULL), SAID_NOTHING);
    assert_int_equal(outcome("launch:done:delay", NULL), SAID_NOTHING);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",                        /* */
        "kill",                    /* no place */
        "tap.open:kill",           /* no moment */
        "tap.open:before",         /* no act */
        "tap.open:before:",        /* */
        "tap.open:before:stop",    /* no such act */
        "tap.open:before:enospc",  /* nothing is written there */
        "launch:done:error",       /* nothing can fail there */
        "tap.open:before@0:error", /* passes are counted from 1 */
        "tap.open:before@x:error", /* */
        "tap.open:befor:error",    /* misspelt */
        "air:begin:error",         /* no row of the table */
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(outcome(wrong[i], NULL), REFUSED);
    }
    assert_int_equal(outcome(NULL, "/proc/no/such/folder"), REFUSED + 1);
}

static void test_misspelt(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    (void)setenv("BANGER_FAULT", "tap.open:befor:error", 1);
    assert_int_equal(failpoint_arm(&err), -1);
    (void)unsetenv("BANGER_FAULT");
    assert_string_equal(err.message, "there is no failpoint 'tap.open:befor'");
    assert_string_equal(err.hint, "did you mean 'tap.open:before'?");
}

/* What was passed when the process is killed is in the log, the last pass too. */
static void test_log(void **state)
{
    (void)state;
    struct temp_dir dir;
    temp_dir_make(&dir);
    AUTO_FREE char *path = str_format("%s/passes", dir.path);
    AUTO_BUF struct buf text = BUF_INIT;
    assert_int_equal(outcome("tap.open:before@2:kill", path), -SIGKILL);
    assert_int_equal(file_read(path, 4096, &text, NULL), 0);
    assert_string_equal(text.data, "tap.open:before@1 kill delay error\n"
                                   "launch:done@1 kill delay\n"
                                   "tap.open:after@1 kill delay error enospc\n"
                                   "sea:begin@1 kill delay error\n"
                                   "land:begin@1 kill delay error\n"
                                   "tap.open:before@2 kill delay error\n");
    temp_dir_remove(&dir);
}

/* Each place once, though one of them is in the code twice; by name, numbered. */
static void test_list(void **state)
{
    (void)state;
    AUTO_FREE char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    failpoint_list(out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "1 land:begin kill delay error\n"
                              "2 launch:done kill delay\n"
                              "3 sea:begin kill delay error\n"
                              "4 tap.open:after kill delay error enospc\n"
                              "5 tap.open:before kill delay error\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),     cmocka_unit_test(test_error),
        cmocka_unit_test(test_kill),    cmocka_unit_test(test_delay),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_misspelt),
        cmocka_unit_test(test_log),     cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
