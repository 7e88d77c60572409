/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define LIMIT_MS 10000
#define OUTPUT_LIMIT 65536

#define ARGV(...) ((char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV((char[]){"/bin/sh"}, (char[]){"-c"}, (char[]){script})

static struct process_spec plain_spec(char *const *argv)
{
    return (struct process_spec){.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
}

static int count_of_children(void)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    return pid < 0 && errno == ECHILD ? 0 : 1;
}

/* -- Identity --------------------------------------------------------------------------------- */

static void we_are_who_we_are(void **state)
{
    (void)state;
    struct process_id id;
    assert_int_equal(process_identify(getpid(), &id, NULL), 0);
    assert_int_equal(id.pid, getpid());
    assert_true(id.start_ticks > 0);
    assert_int_equal(strlen(id.boot_id), BOOT_ID_LENGTH);
    AUTO_CLOSE int pidfd = process_open(&id, NULL);
    assert_true(pidfd >= 0);
    assert_false(process_has_ended(pidfd));
}

/* The name stands before the numbers in /proc/PID/stat and looks like some. */
static void a_hostile_name_does_not_shift_the_fields(void **state)
{
    (void)state;
    struct process_id plain;
    struct process_id hostile;
    char name[16] = {0};
    assert_int_equal(prctl(PR_GET_NAME, name), 0);
    assert_int_equal(process_identify(getpid(), &plain, NULL), 0);
    assert_int_equal(prctl(PR_SET_NAME, ") R 1 (2) 3 ) 4"), 0);
    int result = process_identify(getpid(), &hostile, NULL);
    assert_int_equal(prctl(PR_SET_NAME, name), 0);
    assert_int_equal(result, 0);
    assert_true(hostile.start_ticks == plain.start_ticks);
}

static void strangers_are_refused(void **state)
{
    (void)state;
    struct process_id id;
    assert_int_equal(process_identify(getpid(), &id, NULL), 0);
    banger_error err = BANGER_ERROR_INIT;
    struct process_id other = id;
    other.start_ticks++;
    assert_int_equal(process_open(&other, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    other = id;
    other.boot_id[0] = other.boot_id[0] == 'a' ? 'b' : 'a';
    err = BANGER_ERROR_INIT;
    assert_int_equal(process_open(&other, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

static void impossible_pids_are_invalid(void **state)
{
    (void)state;
    static const pid_t bad[] = {0, -1, -4711};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct process_id id = {.pid = bad[i]};
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(process_identify(bad[i], &id, &err), -1);
        assert_int_equal(err.code, BANGER_EINVALID);
        assert_int_equal(process_open(&id, NULL), -1);
    }
}

static void a_zombie_has_ended(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    siginfo_t info;
    struct process_id id;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(process_identify(pid, &id, NULL), 0);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(process_open(&id, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(process_identify(pid, &id, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

/* -- The gated start -------------------------------------------------------------------------- */

static void the_program_runs_only_after_the_release(void **state)
{
    (void)state;
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct process_spec spec = plain_spec(SH("echo ran"));
    spec.stdout_fd = out[1];
    struct process_gate gate;
    assert_int_equal(process_fork_gated(&spec, &gate, NULL), 0);
    struct process_id id;
    assert_int_equal(process_identify(gate.pid, &id, NULL), 0);
    struct pollfd early = {.fd = out[0], .events = POLLIN};
    assert_int_equal(poll(&early, 1, 20), 0);

    assert_int_equal(process_release(&gate, NULL), 0);
    AUTO_CLOSE int pidfd = process_open(&id, NULL); /* exec changes nothing of the identity */
    close(out[1]);
    char text[16] = "";
    assert_int_equal(fd_read_full(out[0], text, sizeof(text), NULL), 4);
    assert_string_equal(text, "ran\n");
    close(out[0]);
    int status = -1;
    if (pidfd >= 0) {
        assert_int_equal(process_wait(pidfd, deadline_in(LIMIT_MS), &status, NULL), 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    } else { /* it was quicker than we */
        assert_int_equal(waitpid(gate.pid, NULL, 0), gate.pid);
    }
    process_abandon(&gate);
}

static void an_abandoned_child_did_nothing(void **state)
{
    (void)state;
    char folder[] = "/tmp/banger-process-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *mark = str_format("%s/mark", folder);
    struct process_spec spec = plain_spec(ARGV((char[]){"/bin/touch"}, mark));
    struct process_gate gate;
    assert_int_equal(process_fork_gated(&spec, &gate, NULL), 0);
    process_abandon(&gate);
    process_abandon(&gate);
    assert_int_equal(access(mark, F_OK), -1);
    assert_int_equal(count_of_children(), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* What a crash of the daemon looks like to the child: the gate's end without a byte. */
static void a_child_exits_when_the_gate_is_gone(void **state)
{
    (void)state;
    struct process_spec spec = plain_spec(SH("exit 9"));
    struct process_gate gate;
    assert_int_equal(process_fork_gated(&spec, &gate, NULL), 0);
    AUTO_CLOSE int pidfd = pidfd_open(gate.pid, 0);
    close(gate.gate_fd);
    close(gate.status_fd);
    int status = -1;
    assert_int_equal(process_wait(pidfd, deadline_in(LIMIT_MS), &status, NULL), 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void failures_before_the_program_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *program;
        const char *cwd;
        enum banger_code code;
        const char *text;
    } rows[] = {
        {"/nonexistent/program", NULL, BANGER_ENOTFOUND, "cannot execute"},
        {"/etc/passwd", NULL, BANGER_EPERMISSION, "cannot execute"},
        {"/bin/true", "/nonexistent", BANGER_ENOTFOUND, "working folder"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *program = xstrdup(rows[i].program);
        struct process_spec spec = plain_spec(ARGV(program));
        spec.cwd = rows[i].cwd;
        struct process_gate gate;
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(process_fork_gated(&spec, &gate, NULL), 0);
        assert_int_equal(process_release(&gate, &err), -1);
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.message, rows[i].text));
        process_abandon(&gate);
        assert_int_equal(count_of_children(), 0);
    }
}

static void a_child_killed_at_the_gate_is_no_success(void **state)
{
    (void)state;
    struct process_spec spec = plain_spec(SH("exit 0"));
    struct process_gate gate;
    assert_int_equal(process_fork_gated(&spec, &gate, NULL), 0);
    assert_int_equal(kill(gate.pid, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)gate.pid, &info, WEXITED | WNOWAIT), 0);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(process_release(&gate, &err), -1); /* and no SIGPIPE has ended us */
    assert_int_equal(err.code, BANGER_EIO);
    assert_int_equal(process_release(&gate, &err), -1);
    assert_int_equal(err.code, BANGER_EINTERNAL);
}

static void programs_are_named_absolutely(void **state)
{
    (void)state;
    char *const *const bad[] = {ARGV((char[]){"true"}), ARGV((char[]){""}),
                                ARGV((char[]){"./true"}), (char *const[]){NULL}, NULL};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct process_spec spec = plain_spec(bad[i]);
        struct process_gate gate;
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(process_fork_gated(&spec, &gate, &err), -1);
        assert_int_equal(err.code, BANGER_EINVALID);
        process_abandon(&gate);
    }
}

static void assert_output(char *const *argv, const char *expected)
{
    struct process_result result;
    assert_int_equal(process_run(argv, OUTPUT_LIMIT, deadline_in(LIMIT_MS), &result, NULL), 0);
    assert_string_equal(str_or(result.err.data, ""), "");
    assert_string_equal(str_or(result.out.data, ""), expected);
    process_result_free(&result);
}

/* Looked at by the programs themselves: a shell changes its own descriptors and mask as it goes. */
static void the_child_inherits_nothing(void **state)
{
    (void)state;
    int stray = open("/dev/null", O_RDONLY); /* not close-on-exec, on purpose */
    int high = fcntl(stray, F_DUPFD, 200);
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
    assert_output(ARGV((char[]){"/bin/grep"}, (char[]){"-E"}, (char[]){"SigBlk|SigIgn"},
                       (char[]){"/proc/self/status"}),
                  "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    /* 3 is the folder that ls reads. */
    assert_output(ARGV((char[]){"/bin/ls"}, (char[]){"/proc/self/fd"}), "0\n1\n2\n3\n");
    signal(SIGPIPE, pipe_before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(stray);
    close(high);
}

static void the_child_has_a_plain_place(void **state)
{
    (void)state;
    assert_output(ARGV((char[]){"/bin/readlink"}, (char[]){"/proc/self/cwd"}), "/\n");
    assert_output(ARGV((char[]){"/usr/bin/env"}),
                  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                  "LANG=C.UTF-8\n");
    struct process_result result;
    assert_int_equal(process_run(ARGV((char[]){"/bin/cat"}, (char[]){"/proc/self/stat"}),
                                 OUTPUT_LIMIT, deadline_in(LIMIT_MS), &result, NULL),
                     0);
    int pid = 0;
    int session = -1;
    assert_int_equal(sscanf(result.out.data, "%d (cat) %*c %*d %*d %d", &pid, &session), 2);
    assert_int_equal(session, pid);
    process_result_free(&result);
}

/* -- The end ---------------------------------------------------------------------------------- */

static void waiting_has_a_deadline_and_a_status(void **state)
{
    (void)state;
    struct process_spec spec = plain_spec(SH("exec sleep 1000"));
    struct process_gate gate;
    assert_int_equal(process_fork_gated(&spec, &gate, NULL), 0);
    AUTO_CLOSE int pidfd = pidfd_open(gate.pid, 0);
    assert_int_equal(process_release(&gate, NULL), 0);
    banger_error err = BANGER_ERROR_INIT;
    int status = 0;
    assert_int_equal(process_wait(pidfd, deadline_in(5), &status, &err), -1);
    assert_int_equal(err.code, BANGER_ETIMEDOUT);
    assert_false(process_has_ended(pidfd));
    assert_int_equal(kill(gate.pid, SIGTERM), 0);
    assert_int_equal(process_wait(pidfd, deadline_in(LIMIT_MS), &status, &err), 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_true(process_has_ended(pidfd));
    assert_int_equal(process_wait(pidfd, DEADLINE_NONE, &status, &err), 0);
    assert_int_equal(status, -1); /* reaped before */
}

static void a_run_keeps_streams_and_status_apart(void **state)
{
    (void)state;
    struct process_result result;
    assert_int_equal(process_run(SH("echo out; echo err >&2; cat; exit 7"), OUTPUT_LIMIT,
                                 deadline_in(LIMIT_MS), &result, NULL),
                     0);
    assert_int_equal(result.status, 7);
    assert_string_equal(result.out.data, "out\n");
    assert_string_equal(result.err.data, "err\n");
    process_result_free(&result);
    assert_int_equal(
        process_run(SH("kill -9 $$"), OUTPUT_LIMIT, deadline_in(LIMIT_MS), &result, NULL), 0);
    assert_int_equal(result.status, 128 + SIGKILL);
    process_result_free(&result);
}

static void a_run_of_nothing_is_an_error(void **state)
{
    (void)state;
    struct process_result result;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(process_run(ARGV((char[]){"/nonexistent/x"}), OUTPUT_LIMIT,
                                 deadline_in(LIMIT_MS), &result, &err),
                     -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_non_null(strstr(err.message, "/nonexistent/x"));
    process_result_free(&result);
}

static void output_up_to_the_limit_is_kept(void **state)
{
    (void)state;
    struct process_result result;
    assert_int_equal(
        process_run(SH("head -c 100000 /dev/zero"), 100000, deadline_in(LIMIT_MS), &result, NULL),
        0);
    assert_int_equal(result.out.length, 100000);
    process_result_free(&result);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(
        process_run(SH("cat /dev/zero >&2"), 1000, deadline_in(LIMIT_MS), &result, &err), -1);
    assert_int_equal(err.code, BANGER_EFULL);
    assert_int_equal(result.err.length, 1000);
    assert_int_equal(result.status, 128 + SIGKILL);
    process_result_free(&result);
}

static void a_run_past_its_deadline_is_killed_with_its_children(void **state)
{
    (void)state;
    int alive[2]; /* its end: every process of the group is gone */
    assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
    AUTO_FREE char *script =
        str_format("exec 3>/proc/%d/fd/%d; sleep 1000 & sleep 1000", (int)getpid(), alive[1]);
    struct process_result result;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(process_run(ARGV((char[]){"/bin/sh"}, (char[]){"-c"}, script), OUTPUT_LIMIT,
                                 deadline_in(200), &result, &err),
                     -1);
    assert_int_equal(err.code, BANGER_ETIMEDOUT);
    process_result_free(&result);
    close(alive[1]);
    struct pollfd polled = {.fd = alive[0], .events = POLLIN};
    assert_int_equal(poll(&polled, 1, LIMIT_MS), 1);
    assert_true((polled.revents & POLLHUP) != 0);
    close(alive[0]);
}

/* A daemonised grandchild keeps the pipe open; the run ends with the program all the same. */
static void a_grandchild_that_holds_the_pipe_is_not_waited_for(void **state)
{
    (void)state;
    struct process_result result;
    int64_t started = clock_mono_ms();
    assert_int_equal(
        process_run(SH("sleep 1000 & echo $!"), OUTPUT_LIMIT, deadline_in(LIMIT_MS), &result, NULL),
        0);
    assert_true(clock_mono_ms() - started < LIMIT_MS);
    pid_t left = (pid_t)strtol(result.out.data, NULL, 10);
    assert_true(left > 1);
    assert_int_equal(kill(left, SIGKILL), 0);
    process_result_free(&result);
}

#define FORKERS 4
#define FORKS 25

static void *fork_many(void *context)
{
    int *good = context;
    for (int i = 0; i < FORKS; i++) {
        struct process_result result;
        if (process_run(SH("echo $((6 * 7))"), OUTPUT_LIMIT, deadline_in(6 * LIMIT_MS), &result,
                        NULL) == 0 &&
            result.status == 0 && str_equal(result.out.data, "42\n")) {
            (*good)++;
        }
        process_result_free(&result);
    }
    return NULL;
}

/* We are killed while it runs: then it is, too. */
static void a_run_does_not_outlive_us(void **state)
{
    (void)state;
    char path[] = "/tmp/banger-run-XXXXXX"; /* a named pipe on which the program tells its PID */
    assert_non_null(mkdtemp(path));
    char fifo[64];
    char script[128];
    (void)snprintf(fifo, sizeof(fifo), "%s/pid", path);
    (void)snprintf(script, sizeof(script), "echo $$ >%s; exec sleep 1000", fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    pid_t starter = fork();
    if (starter == 0) {
        struct process_result result;
        (void)process_run(ARGV((char[]){"/bin/sh"}, (char[]){"-c"}, script), OUTPUT_LIMIT,
                          deadline_in(LIMIT_MS), &result, NULL);
        _exit(0);
    }
    FILE *told = fopen(fifo, "re");
    int pid = 0;
    assert_int_equal(fscanf(told, "%d", &pid), 1);
    (void)fclose(told);
    AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
    assert_true(pidfd >= 0);
    assert_false(process_has_ended(pidfd));
    assert_int_equal(kill(starter, SIGKILL), 0);
    assert_int_equal(waitpid(starter, NULL, 0), starter);
    assert_int_equal(process_wait(pidfd, deadline_in(LIMIT_MS), NULL, NULL), 0);
    assert_int_equal(unlink(fifo), 0);
    assert_int_equal(rmdir(path), 0);
}

/* A gate inherited by another thread's child would hang the release; memory locked at the fork
 * would hang the child. */
static void threads_fork_beside_each_other(void **state)
{
    (void)state;
    pthread_t threads[FORKERS];
    int good[FORKERS] = {0};
    for (size_t i = 0; i < FORKERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, fork_many, &good[i]), 0);
    }
    for (size_t i = 0; i < FORKERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(good[i], FORKS);
    }
    assert_int_equal(count_of_children(), 0);
}

static void programs_are_found_in_path(void **state)
{
    (void)state;
    AUTO_FREE char *shell = process_find_program("sh");
    assert_non_null(shell);
    assert_int_equal(shell[0], '/');
    AUTO_FREE char *same = process_find_program("/bin/sh");
    assert_string_equal(same, "/bin/sh");
    static const char *const absent[] = {"", "no-such-program", "/etc/passwd", "/bin", "bin/sh"};
    for (size_t i = 0; i < COUNT_OF(absent); i++) {
        assert_null(process_find_program(absent[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(we_are_who_we_are),
        cmocka_unit_test(a_hostile_name_does_not_shift_the_fields),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(impossible_pids_are_invalid),
        cmocka_unit_test(a_zombie_has_ended),
        cmocka_unit_test(the_program_runs_only_after_the_release),
        cmocka_unit_test(an_abandoned_child_did_nothing),
        cmocka_unit_test(a_child_exits_when_the_gate_is_gone),
        cmocka_unit_test(failures_before_the_program_are_named),
        cmocka_unit_test(a_child_killed_at_the_gate_is_no_success),
        cmocka_unit_test(programs_are_named_absolutely),
        cmocka_unit_test(the_child_inherits_nothing),
        cmocka_unit_test(the_child_has_a_plain_place),
        cmocka_unit_test(waiting_has_a_deadline_and_a_status),
        cmocka_unit_test(a_run_keeps_streams_and_status_apart),
        cmocka_unit_test(a_run_of_nothing_is_an_error),
        cmocka_unit_test(output_up_to_the_limit_is_kept),
        cmocka_unit_test(a_run_past_its_deadline_is_killed_with_its_children),
        cmocka_unit_test(a_grandchild_that_holds_the_pipe_is_not_waited_for),
        cmocka_unit_test(a_run_does_not_outlive_us),
        cmocka_unit_test(threads_fork_beside_each_other),
        cmocka_unit_test(programs_are_found_in_path),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
