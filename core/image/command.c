/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define CANCEL_LOOK_MS 100   /* the caller's wish to stop is a function to ask, not an event */
#define END_GRACE_MS 10000   /* from TERM to KILL: mmdebstrap unmounts meanwhile */
#define TAIL_MAX 400         /* bytes of stderr that fit an error message */
#define LINE_MAX_LENGTH 4096 /* a longer line is passed on in pieces */

enum { WATCH_OUT, WATCH_ERR, WATCH_END, WATCH_COUNT };

struct running {
    const struct command *command;
    struct pollfd watch[WATCH_COUNT];
    struct buf line; /* of stderr, not yet whole */
    struct buf tail; /* the end of stderr */
};

static int pipe_make(int *read_end, int *write_end, banger_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return error_sys(err, errno, "cannot make a pipe");
    }
    *read_end = ends[0];
    *write_end = ends[1];
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static void line_done(struct running *run)
{
    const struct command *command = run->command;
    if (run->line.length > 0 && command->verbose) {
        AUTO_FREE char *text = str_printable(run->line.data, run->line.length);
        context_progress(command->staging->context, "%s", text);
    }
    run->line.length = 0;
}

static void take_messages(struct running *run, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] == '\n' || data[i] == '\r' || run->line.length >= LINE_MAX_LENGTH) {
            line_done(run);
        }
        if (data[i] != '\n' && data[i] != '\r') {
            buf_append(&run->line, &data[i], 1);
        }
    }
    buf_append(&run->tail, data, length);
    if (run->tail.length > TAIL_MAX) {
        buf_consume(&run->tail, run->tail.length - TAIL_MAX);
    }
}

/* Reads what is there. At the end of the stream it is no longer watched. */
static int take_ready(struct running *run, int which, banger_error *err)
{
    char block[4096];
    for (;;) {
        ssize_t got = read(run->watch[which].fd, block, sizeof(block));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            if (got == 0 || errno != EAGAIN) {
                run->watch[which].fd = -1;
            }
            return 0;
        }
        if (which == WATCH_ERR) {
            take_messages(run, block, (size_t)got);
        } else if (run->command->out != NULL) {
            if (run->command->out->length + (size_t)got > COMMAND_OUT_MAX) {
                return error_set(err, BANGER_EINVALID, "%s printed more than %zu bytes",
                                 run->command->argv[0], COMMAND_OUT_MAX);
            }
            buf_append(run->command->out, block, (size_t)got);
        }
    }
}

static int running_watch(struct running *run, deadline until, banger_error *err)
{
    const struct image_context *context = run->command->staging->context;
    for (;;) {
        if (context_check(context, err) < 0) {
            return -1;
        }
        int64_t left = deadline_left_ms(until);
        if (left == 0) {
            return error_set(err, BANGER_ETIMEDOUT, "%s did not end within %lld s",
                             run->command->argv[0], (long long)(run->command->timeout_ms / 1000));
        }
        int wait_ms = left < CANCEL_LOOK_MS ? (int)left : CANCEL_LOOK_MS;
        if (poll(run->watch, WATCH_COUNT, wait_ms) < 0 && errno != EINTR) {
            return error_sys(err, errno, "cannot poll");
        }
        bool ended = run->watch[WATCH_END].revents != 0; /* seen before its last words are read */
        for (int which = WATCH_OUT; which <= WATCH_ERR; which++) {
            if (run->watch[which].fd >= 0 && take_ready(run, which, err) < 0) {
                return -1;
            }
        }
        if (ended) {
            line_done(run);
            return 0;
        }
    }
}

static int status_check(struct running *run, int status, banger_error *err)
{
    const char *program = run->command->argv[0];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return 0;
    }
    AUTO_FREE char *said = str_printable(str_or(run->tail.data, ""), run->tail.length);
    str_make_line(said);
    for (size_t end = strlen(said); end > 0 && said[end - 1] == ' '; end--) {
        said[end - 1] = '\0';
    }
    if (WIFSIGNALED(status)) {
        return error_set(err, BANGER_EIO, "%s was ended by signal %d: %s", program,
                         WTERMSIG(status), said);
    }
    bool full = strstr(said, strerror(ENOSPC)) != NULL;
    return error_set(err, full ? BANGER_EFULL : BANGER_EIO, "%s failed with status %d: %s", program,
                     WEXITSTATUS(status), said);
}

/* We are its parent and have not reaped it: neither the PID nor its group can be a stranger's. */
static void running_stop(pid_t pid, int pidfd)
{
    (void)kill(pid, SIGTERM);
    if (process_wait(pidfd, deadline_in(END_GRACE_MS), NULL, NULL) < 0) {
        (void)kill(-pid, SIGKILL);
        (void)process_wait(pidfd, deadline_in(END_GRACE_MS), NULL, NULL);
    }
}

static int running_release(struct running *run, struct process_gate *gate, banger_error *err)
{
    struct process_id id;
    if (process_identify(gate->pid, &id, err) < 0 ||
        staging_worker(run->command->staging, &id, err) < 0) {
        return -1;
    }
    AUTO_CLOSE int pidfd = process_open(&id, err);
    if (pidfd < 0 || process_release(gate, err) < 0) {
        return -1;
    }
    run->watch[WATCH_END] = (struct pollfd){.fd = pidfd, .events = POLLIN};
    if (running_watch(run, deadline_in(run->command->timeout_ms), err) < 0) {
        running_stop(gate->pid, pidfd);
        return -1;
    }
    int status = 0;
    if (process_wait(pidfd, deadline_in(END_GRACE_MS), &status, err) < 0) {
        return -1;
    }
    return status_check(run, status, err);
}

static int running_start(struct running *run, char *const *argv, char *const *envp,
                         banger_error *err)
{
    AUTO_CLOSE int out_read = -1;
    AUTO_CLOSE int out_write = -1;
    AUTO_CLOSE int err_read = -1;
    AUTO_CLOSE int err_write = -1;
    if (pipe_make(&out_read, &out_write, err) < 0 || pipe_make(&err_read, &err_write, err) < 0) {
        return -1;
    }
    struct process_spec spec = {
        .argv = argv,
        .envp = envp,
        .cwd = run->command->cwd,
        .stdin_fd = -1,
        .stdout_fd = out_write,
        .stderr_fd = err_write,
        .new_session = true,
        .in_child = run->command->in_child,
    };
    struct process_gate gate;
    if (process_fork_gated(&spec, &gate, err) < 0) {
        return -1;
    }
    (void)close(STEAL_FD(out_write));
    (void)close(STEAL_FD(err_write));
    run->watch[WATCH_OUT] = (struct pollfd){.fd = out_read, .events = POLLIN};
    run->watch[WATCH_ERR] = (struct pollfd){.fd = err_read, .events = POLLIN};
    int result = running_release(run, &gate, err);
    process_abandon(&gate);
    return result;
}

/* Beside a fixed search path: what tells programs where to write and how to reach the network. */
static const char *const passed_on[] = {"HOME",     "TMPDIR",    "http_proxy", "https_proxy",
                                        "no_proxy", "ftp_proxy", "ALL_PROXY",  "SOURCE_DATE_EPOCH"};
static const char *const fixed[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"};

static char **environment_make(const char *scratch)
{
    char **envp = xcalloc(COUNT_OF(passed_on) + COUNT_OF(fixed) + 1, sizeof(*envp));
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        envp[count++] = xstrdup(fixed[i]);
    }
    for (size_t i = 0; i < COUNT_OF(passed_on); i++) {
        bool is_ours = scratch != NULL && str_equal(passed_on[i], "TMPDIR");
        const char *value = is_ours ? scratch : getenv(passed_on[i]);
        if (value != NULL) {
            envp[count++] = str_format("%s=%s", passed_on[i], value);
        }
    }
    return envp;
}

static void environment_free(char **envp)
{
    for (size_t i = 0; envp[i] != NULL; i++) {
        free(envp[i]);
    }
    free(envp);
}

/* The vector with the program's path in the place of its name. */
static char **vector_make(char *const *argv, char *program)
{
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    char **copy = xcalloc(count + 1, sizeof(*copy));
    memcpy(copy, argv, count * sizeof(*copy));
    copy[0] = program;
    return copy;
}

int command_run(const struct command *command, banger_error *err)
{
    AUTO_FREE char *program = process_find_program(command->argv[0]);
    if (program == NULL) {
        (void)error_set(err, BANGER_EUNSUPPORTED, "the program %s is not installed",
                        command->argv[0]);
        return error_hint(err, "install it: apt install %s", command->package);
    }
    AUTO_FREE char **argv = vector_make(command->argv, program);
    char **envp = environment_make(command->scratch);
    struct running run = {.command = command};
    int result = running_start(&run, argv, envp, err);
    environment_free(envp);
    buf_free(&run.line);
    buf_free(&run.tail);
    return result;
}
