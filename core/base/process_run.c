/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running a program to its end, bounded in time and output. */
#include "process.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define READ_SIZE 16384

struct run_stream {
    int fd; /* our end; -1 after its end */
    struct buf *into;
};

/* Takes what is there. Returns 0, or -1 when the stream holds more than `limit` bytes. */
static int stream_read(struct run_stream *stream, size_t limit)
{
    char chunk[READ_SIZE];
    for (;;) {
        ssize_t got = read(stream->fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return 0;
        }
        if (got <= 0) {
            (void)close(stream->fd);
            stream->fd = -1;
            return 0;
        }
        size_t room = limit - stream->into->length;
        buf_append(stream->into, chunk, (size_t)got < room ? (size_t)got : room);
        if ((size_t)got > room) {
            return -1;
        }
    }
}

static int too_much(const char *program, size_t limit, banger_error *err)
{
    return error_set(err, BANGER_EFULL, "%s wrote more than %zu bytes and was killed", program,
                     limit);
}

/* Reads both streams until the program has ended. What it left in the pipes is read too, but a
 * grandchild that still holds them is not waited for. */
static int run_collect(const char *program, int pidfd, struct run_stream streams[2], size_t limit,
                       deadline until, banger_error *err)
{
    for (;;) {
        struct pollfd polled[3] = {{.fd = streams[0].fd, .events = POLLIN},
                                   {.fd = streams[1].fd, .events = POLLIN},
                                   {.fd = pidfd, .events = POLLIN}};
        int ready = poll(polled, COUNT_OF(polled), deadline_poll_ms(until));
        if (ready < 0 && errno != EINTR) {
            return error_sys(err, errno, "cannot wait for %s", program);
        }
        if (deadline_left_ms(until) == 0 && (ready <= 0 || polled[2].revents == 0)) {
            return error_set(err, BANGER_ETIMEDOUT, "%s did not end in time and was killed",
                             program);
        }
        for (int i = 0; ready > 0 && i < 2; i++) {
            if (streams[i].fd >= 0 && polled[i].revents != 0 &&
                stream_read(&streams[i], limit) < 0) {
                return too_much(program, limit, err);
            }
        }
        if (ready > 0 && polled[2].revents != 0) {
            bool over = (streams[0].fd >= 0 && stream_read(&streams[0], limit) < 0) ||
                        (streams[1].fd >= 0 && stream_read(&streams[1], limit) < 0);
            return over ? too_much(program, limit, err) : 0;
        }
    }
}

static int exit_status_of(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* Follows the running program to its end, or kills it and its children. Reaps it. */
static int run_follow(const char *program, pid_t pid, struct run_stream streams[2], size_t limit,
                      deadline until, int *status, banger_error *err)
{
    AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
    int outcome = pidfd < 0 ? error_sys(err, errno, "cannot watch %s", program)
                            : run_collect(program, pidfd, streams, limit, until, err);
    if (outcome < 0) {
        (void)kill(-pid, SIGKILL); /* not reaped yet: the group is still its own */
    }
    int wait_status = 0;
    while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
    }
    *status = exit_status_of(wait_status);
    return outcome;
}

/* Starts it in a session of its own, so that it can be killed together with its children. Gives
 * our ends of its two streams, also when it fails later on. */
static pid_t run_start(char *const *argv, struct run_stream streams[2], banger_error *err)
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0) {
        return error_sys(err, errno, "cannot create a pipe");
    }
    AUTO_CLOSE int out_end = out[1];
    streams[0].fd = out[0];
    int errors[2];
    if (pipe2(errors, O_CLOEXEC) < 0) {
        return error_sys(err, errno, "cannot create a pipe");
    }
    AUTO_CLOSE int errors_end = errors[1];
    streams[1].fd = errors[0];
    (void)fcntl(out[0], F_SETFL, O_NONBLOCK);
    (void)fcntl(errors[0], F_SETFL, O_NONBLOCK);
    struct process_spec spec = {.argv = argv,
                                .stdin_fd = -1,
                                .stdout_fd = out_end,
                                .stderr_fd = errors_end,
                                .new_session = true,
                                .ends_with_us = true};
    struct process_gate gate;
    if (process_fork_gated(&spec, &gate, err) < 0 || process_release(&gate, err) < 0) {
        return error_prefix(err, "%s: ", argv != NULL ? str_or(argv[0], "") : "");
    }
    return gate.pid;
}

/* `result` holds what was collected also after a failure. */
int process_run(char *const *argv, size_t limit, deadline until, struct process_result *result,
                banger_error *err)
{
    *result = (struct process_result){.status = -1, .out = BUF_INIT, .err = BUF_INIT};
    struct run_stream streams[2] = {{.fd = -1, .into = &result->out},
                                    {.fd = -1, .into = &result->err}};
    pid_t pid = run_start(argv, streams, err);
    int outcome =
        pid < 0 ? -1 : run_follow(argv[0], pid, streams, limit, until, &result->status, err);
    cleanup_close(&streams[0].fd);
    cleanup_close(&streams[1].fd);
    return outcome;
}

void process_result_free(struct process_result *result)
{
    buf_free(&result->out);
    buf_free(&result->err);
}

static bool is_program(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

/* Relative entries of PATH are passed over: what they name depends on where we were started. */
char *process_find_program(const char *name)
{
    if (name[0] == '\0' || strchr(name, '/') != NULL) {
        return name[0] == '/' && is_program(name) ? xstrdup(name) : NULL;
    }
    AUTO_FREE char *folders =
        str_format("%s:/usr/sbin:/sbin", str_or(getenv("PATH"), "/usr/local/bin:/usr/bin:/bin"));
    char *rest = folders;
    for (char *folder = strsep(&rest, ":"); folder != NULL; folder = strsep(&rest, ":")) {
        AUTO_FREE char *path = str_format("%s/%s", folder, name);
        if (folder[0] == '/' && is_program(path)) {
            return STEAL(path);
        }
    }
    return NULL;
}
