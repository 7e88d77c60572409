/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The gated start.
 *  1. The parent prepares everything that needs memory: vectors, pipes, duplicated descriptors.
 *  2. It forks. The parent has threads, so that from here to exec the child may only use what
 *     signal-safety(7) lists: plain system calls.
 *  3. The child takes its descriptors, signals, session and folder, and reads the gate.
 *  4. process_release sends one byte: the child executes. An end without that byte means that the
 *     parent is gone or has changed its mind: the child exits and nothing has happened.
 *  5. What fails in 3 or 4 is written to the status pipe, which closes itself on a good exec.
 */
#include "process.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum child_step { STEP_DESCRIPTORS, STEP_SESSION, STEP_CALLER, STEP_FOLDER, STEP_EXECUTE };

struct child_failure {
    enum child_step step;
    int errno_value;
};

/* All a child needs, ready before the fork. The descriptors are above 2, so that placing the
 * first three overwrites none of them. */
struct child_plan {
    char *const *argv;
    char *const *envp;
    const char *cwd;
    bool new_session;
    int (*in_child)(void);
    pid_t ends_with; /* 0: it outlives us */
    int stdio[3];
    int gate_fd;
    int status_fd;
};

static char *const minimal_environment[] = {
    (char[]){PROCESS_DEFAULT_PATH},
    (char[]){PROCESS_DEFAULT_LANG},
    NULL,
};

/* -- In the child: system calls only ---------------------------------------------------------- */

static void __attribute__((noreturn))
child_fail(const struct child_plan *plan, enum child_step step)
{
    struct child_failure failure = {.step = step, .errno_value = errno};
    ssize_t written = write(plan->status_fd, &failure, sizeof(failure));
    _exit(written == (ssize_t)sizeof(failure) ? 127 : 126);
}

static int close_all_but(int a, int b)
{
    unsigned int low = (unsigned int)(a < b ? a : b);
    unsigned int high = (unsigned int)(a < b ? b : a);
    if ((low > 3 && close_range(3, low - 1, 0) < 0) ||
        (high > low + 1 && close_range(low + 1, high - 1, 0) < 0)) {
        return -1;
    }
    return close_range(high + 1, ~0U, 0);
}

/* By the system call: libc refuses to touch the two signals that it keeps for itself (32, 33), and a
 * parent may have handed those down ignored. What is written is the kernel's struct sigaction, all
 * zero: SIG_DFL, no flags, no mask; 8 bytes of mask (rt_sigaction(2), "C library/kernel differences"). */
static void reset_signals(void)
{
    static const uint64_t plain[4];
    for (int number = 1; number < NSIG; number++) {
        (void)syscall(SYS_rt_sigaction, number, plain, NULL, sizeof(uint64_t)); /* not KILL, STOP */
    }
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void wait_at_gate(int gate_fd)
{
    char byte = 0;
    ssize_t got = 0;
    do {
        got = read(gate_fd, &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got != 1) {
        _exit(0);
    }
}

static void __attribute__((noreturn)) child_main(const struct child_plan *plan)
{
    for (int target = 0; target < 3; target++) {
        if (dup2(plan->stdio[target], target) < 0) {
            child_fail(plan, STEP_DESCRIPTORS);
        }
    }
    if (close_all_but(plan->gate_fd, plan->status_fd) < 0) {
        child_fail(plan, STEP_DESCRIPTORS);
    }
    if (plan->new_session && setsid() < 0) {
        child_fail(plan, STEP_SESSION);
    }
    if (plan->in_child != NULL && plan->in_child() < 0) {
        child_fail(plan, STEP_CALLER);
    }
    if (plan->ends_with != 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
            child_fail(plan, STEP_SESSION);
        }
        if (getppid() != plan->ends_with) { /* it released us, and was killed before the prctl */
            _exit(0);
        }
    }
    reset_signals();
    wait_at_gate(plan->gate_fd);
    if (chdir(plan->cwd) < 0) {
        child_fail(plan, STEP_FOLDER);
    }
    (void)execve(plan->argv[0], plan->argv, plan->envp);
    child_fail(plan, STEP_EXECUTE);
}

/* -- In the parent ---------------------------------------------------------------------------- */

static int duplicate_above_stdio(int fd, int *copy, banger_error *err)
{
    *copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return *copy < 0 ? error_sys(err, errno, "cannot duplicate descriptor %d", fd) : 0;
}

static int plan_stdio(const struct process_spec *spec, int stdio[3], banger_error *err)
{
    const int wanted[3] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd};
    AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0) {
        return error_sys(err, errno, "cannot open /dev/null");
    }
    for (int i = 0; i < 3; i++) {
        if (duplicate_above_stdio(wanted[i] >= 0 ? wanted[i] : null_fd, &stdio[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Makes the two channels: [0] the child's end, [1] ours. The gate is a socket for MSG_NOSIGNAL:
 * releasing a child that was killed meanwhile must not raise SIGPIPE. */
static int plan_channels(int gate[2], int status[2], banger_error *err)
{
    int made[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, made) < 0) {
        return error_sys(err, errno, "cannot create a socket pair");
    }
    AUTO_CLOSE int gate_child = made[0];
    gate[1] = made[1];
    if (pipe2(made, O_CLOEXEC) < 0) {
        return error_sys(err, errno, "cannot create a pipe");
    }
    status[1] = made[0];
    AUTO_CLOSE int status_child = made[1];
    if (duplicate_above_stdio(gate_child, &gate[0], err) < 0) {
        return -1;
    }
    return duplicate_above_stdio(status_child, &status[0], err);
}

/* All signals are blocked across the fork: no handler of ours may run in the child. */
static pid_t fork_child(const struct child_plan *plan)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        child_main(plan);
    }
    int fork_errno = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = fork_errno;
    return pid;
}

static void close_pair(const int pair[2])
{
    cleanup_close(&pair[0]);
    cleanup_close(&pair[1]);
}

int process_fork_gated(const struct process_spec *spec, struct process_gate *gate,
                       banger_error *err)
{
    *gate = (struct process_gate){.pid = -1, .gate_fd = -1, .status_fd = -1};
    if (spec->argv == NULL || spec->argv[0] == NULL || spec->argv[0][0] != '/') {
        return error_set(err, BANGER_EINVALID, "a program must be named by its absolute path");
    }
    int gate_pair[2] = {-1, -1};
    int status_pair[2] = {-1, -1};
    struct child_plan plan = {.argv = spec->argv,
                              .envp = spec->envp != NULL ? spec->envp : minimal_environment,
                              .cwd = str_or(spec->cwd, "/"),
                              .new_session = spec->new_session,
                              .in_child = spec->in_child,
                              .ends_with = spec->ends_with_us ? getpid() : 0,
                              .stdio = {-1, -1, -1}};
    int result = -1;
    if (plan_stdio(spec, plan.stdio, err) == 0 && plan_channels(gate_pair, status_pair, err) == 0) {
        plan.gate_fd = gate_pair[0];
        plan.status_fd = status_pair[0];
        gate->pid = fork_child(&plan);
        result = gate->pid < 0 ? error_sys(err, errno, "cannot create a process") : 0;
    }
    if (result == 0) {
        gate->gate_fd = STEAL_FD(gate_pair[1]);
        gate->status_fd = STEAL_FD(status_pair[1]);
    }
    close_pair(gate_pair);
    close_pair(status_pair);
    for (int i = 0; i < 3; i++) {
        cleanup_close(&plan.stdio[i]);
    }
    return result;
}

static void reap(struct process_gate *gate)
{
    while (gate->pid > 0 && waitpid(gate->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    gate->pid = -1;
}

static void close_gate(struct process_gate *gate)
{
    cleanup_close(&gate->gate_fd);
    cleanup_close(&gate->status_fd);
    gate->gate_fd = -1;
    gate->status_fd = -1;
}

static int child_failed(const struct child_failure *failure, banger_error *err)
{
    switch (failure->step) {
    case STEP_EXECUTE:
        return error_sys(err, failure->errno_value, "cannot execute the program");
    case STEP_CALLER:
        return error_sys(err, failure->errno_value, "cannot set the program apart");
    case STEP_FOLDER:
        return error_sys(err, failure->errno_value, "cannot enter the program's working folder");
    case STEP_SESSION:
        return error_sys(err, failure->errno_value, "cannot start a session for the program");
    default:
        return error_sys(err, failure->errno_value, "cannot arrange the program's descriptors");
    }
}

int process_release(struct process_gate *gate, banger_error *err)
{
    if (gate->gate_fd < 0) {
        return error_set(err, BANGER_EINTERNAL, "no process waits at this gate");
    }
    ssize_t sent = send(gate->gate_fd, "", 1, MSG_NOSIGNAL);
    struct child_failure failure = {0};
    ssize_t got = 0;
    do {
        got = read(gate->status_fd, &failure, sizeof(failure));
    } while (got < 0 && errno == EINTR);
    close_gate(gate);
    if (got == 0 && sent == 1) {
        return 0;
    }
    reap(gate);
    if (got == (ssize_t)sizeof(failure)) {
        return child_failed(&failure, err);
    }
    return error_set(err, BANGER_EIO, "the process ended before its program could be executed");
}

void process_abandon(struct process_gate *gate)
{
    if (gate->gate_fd < 0) {
        return; /* released, or never forked */
    }
    close_gate(gate);
    (void)kill(gate->pid, SIGKILL); /* our unreaped child: the PID cannot be a stranger's */
    reap(gate);
}
