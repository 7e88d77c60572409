/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting bangerd: steps 3 and 4 of connect.h. */
#include "connect.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A start opens and checks the store and re-adopts what runs: milliseconds, on a bad day seconds.
 */
#define READY_MS 30000
#define ANSWER_MAX 4096

struct launch {
    const char *program;
    char ready_number[12]; /* the descriptor in decimal */
    int null_fd;
    int log_fd;
    int ready_fd; /* > 2 */
};

/* In the second child; does not return. */
static void become_daemon(const struct launch *launch)
{
    char *argv[] = {(char *)launch->program, (char *)"--ready-fd", (char *)launch->ready_number,
                    NULL};
    unsigned ready = (unsigned)launch->ready_fd;
    (void)signal(SIGPIPE, SIG_DFL); /* exec would keep our ignoring it */
    if (dup2(launch->null_fd, STDIN_FILENO) < 0 || dup2(launch->log_fd, STDOUT_FILENO) < 0 ||
        dup2(launch->log_fd, STDERR_FILENO) < 0 || fcntl(launch->ready_fd, F_SETFD, 0) < 0) {
        _exit(EXIT_FAILURE);
    }
    /* Whatever our caller left open to us (the pipe of a test's output, say) is not the daemon's to
     * hold. */
    if ((ready > 3 && close_range(3, ready - 1, 0) < 0) || close_range(ready + 1, ~0U, 0) < 0 ||
        chdir("/") < 0) {
        _exit(EXIT_FAILURE);
    }
    (void)execv(launch->program, argv);
    (void)dprintf(launch->ready_fd, "cannot execute %s: %s\n", launch->program, strerror(errno));
    _exit(EXIT_FAILURE);
}

/* Forks twice: the first child ends at once, so that init is the daemon's parent. */
static int fork_daemon(const struct launch *launch, banger_error *err)
{
    pid_t first = fork();
    if (first < 0) {
        return error_sys(err, errno, "cannot fork");
    }
    if (first == 0) {
        (void)setsid();
        pid_t second = fork();
        if (second == 0) {
            become_daemon(launch);
        }
        _exit(second < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    int status = 0;
    while (waitpid(first, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0 ? 0 : error_set(err, BANGER_EIO, "cannot fork the daemon");
}

/* Reads until the daemon has closed the pipe or has written "ready". */
static int read_answer(int fd, struct buf *answer, banger_error *err)
{
    deadline until = deadline_in(READY_MS);
    while (answer->length < ANSWER_MAX) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int count = poll(&ready, 1, deadline_poll_ms(until));
        if (signals_caught() != 0) {
            return error_set(err, BANGER_ECANCELLED, "interrupted while the daemon was starting");
        }
        if (count == 0) {
            return error_set(err, BANGER_ETIMEDOUT, "the daemon did not become ready within %d s",
                             READY_MS / 1000);
        }
        char block[512];
        ssize_t got = count > 0 ? read(fd, block, sizeof(block)) : -1;
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_sys(err, errno, "cannot hear from the daemon");
        }
        if (got == 0) {
            return 0;
        }
        buf_append(answer, block, (size_t)got);
        if (str_starts(answer->data, "ready\n")) {
            return 0;
        }
    }
    return 0;
}

static int judge_answer(struct buf *answer, const char *log_path, banger_error *err)
{
    const char *text = str_or(answer->data, "");
    if (str_starts(text, "ready\n")) {
        return 0;
    }
    int length = (int)strcspn(text, "\n");
    if (length == 0) {
        (void)error_set(err, BANGER_EIO, "the daemon ended before it was ready");
        return error_hint(err, "its log is %s", log_path);
    }
    (void)error_set(err, BANGER_EIO, "the daemon does not start: %.*s", length, text);
    const char *hint = text + length + (text[length] == '\n');
    hint += str_starts(hint, "hint: ") ? strlen("hint: ") : 0;
    if (hint[0] != '\0') {
        return error_hint(err, "%.*s", (int)strcspn(hint, "\n"), hint);
    }
    return error_hint(err, "its log is %s", log_path);
}

int launch_daemon(const struct layout *layout, banger_error *err)
{
    AUTO_FREE char *program = str_format("%s/bangerd", layout->libexec_dir);
    AUTO_FREE char *log_path = layout_daemon_log(layout);
    if (access(program, X_OK) < 0) {
        return error_sys(err, errno, "cannot start the daemon %s", program);
    }
    AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    AUTO_CLOSE int log_fd =
        open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (null_fd < 0 || log_fd < 0) {
        return error_sys(err, errno, "cannot open the daemon's log file %s", log_path);
    }
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        return error_sys(err, errno, "cannot create a pipe");
    }
    AUTO_CLOSE int read_fd = pipe_fds[0];
    AUTO_CLOSE int write_fd = pipe_fds[1];
    struct launch launch = {
        .program = program, .null_fd = null_fd, .log_fd = log_fd, .ready_fd = write_fd};
    (void)snprintf(launch.ready_number, sizeof(launch.ready_number), "%d", write_fd);
    if (fork_daemon(&launch, err) < 0) {
        return -1;
    }
    (void)close(STEAL_FD(write_fd));
    AUTO_BUF struct buf answer = BUF_INIT;
    if (read_answer(read_fd, &answer, err) < 0) {
        return error_hint(err, "its log is %s", log_path);
    }
    return judge_answer(&answer, log_path, err);
}
