/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals: to exactly the process that is meant, never to us or PID 1; their names. */
#include "base/cleanup.h"
#include "host/signal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void make_process(struct process_id *process)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent) {
            (void)pause();
        }
        _exit(0);
    }
    assert_int_equal(process_identify(pid, process, NULL), 0);
}

static void test_send(void **state)
{
    (void)state;
    struct process_id process;
    banger_error err = BANGER_ERROR_INIT;
    int status = 0;
    make_process(&process);
    assert_int_equal(signal_send(&process, SIGTERM, &err), 0);
    assert_int_equal(waitpid(process.pid, &status, 0), process.pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_int_equal(signal_send(&process, SIGTERM, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

static void assert_refused(const struct process_id *process, enum banger_code code)
{
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(signal_send(process, SIGKILL, &err), -1);
    assert_int_equal(err.code, code);
}

static void test_refused(void **state)
{
    (void)state;
    struct process_id process;
    struct process_id us;
    make_process(&process);
    struct process_id later = process;
    later.start_ticks++;
    assert_refused(&later, BANGER_ENOTFOUND);
    struct process_id other_boot = process;
    other_boot.boot_id[0] = other_boot.boot_id[0] == '0' ? '1' : '0';
    assert_refused(&other_boot, BANGER_ENOTFOUND);
    assert_int_equal(process_identify(getpid(), &us, NULL), 0);
    assert_refused(&us, BANGER_EINTERNAL);
    assert_refused(&(struct process_id){.pid = 1}, BANGER_EINTERNAL);
    assert_refused(&(struct process_id){.pid = 0}, BANGER_EINTERNAL);
    assert_refused(&(struct process_id){.pid = -1}, BANGER_EINTERNAL);
    assert_int_equal(waitpid(process.pid, NULL, WNOHANG), 0); /* it lives */
    assert_int_equal(signal_send(&process, SIGKILL, NULL), 0);
    assert_int_equal(waitpid(process.pid, NULL, 0), process.pid);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int number; /* 0: refused */
    } rows[] = {
        {"TERM", SIGTERM}, {"SIGTERM", SIGTERM},
        {"term", SIGTERM}, {"sigKill", SIGKILL},
        {"9", 9},          {"1", 1},
        {"USR1", SIGUSR1}, {"0", 0},
        {"-9", 0},         {"9 ", 0},
        {"", 0},           {"SIG", 0},
        {"SIGSIGTERM", 0}, {"KILLL", 0},
        {"65536", 0},      {"99999999999999999999", 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int number = 0;
        banger_error err = BANGER_ERROR_INIT;
        int result = signal_parse(rows[i].text, &number, &err);
        if (result != (rows[i].number != 0 ? 0 : -1) || number != rows[i].number) {
            fail_msg("'%s' gives %d, %d", rows[i].text, result, number);
        }
        assert_true(result == 0 || err.code == BANGER_EINVALID);
    }
    assert_string_equal(signal_name(SIGTERM), "TERM");
    assert_string_equal(signal_name(SIGSYS + 3), "34");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("signal", tests, NULL, NULL);
}
