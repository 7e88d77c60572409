/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "isolate_process.h"

#include "base/cleanup.h"
#include "base/process.h"
#include "capability/isolate_keeper.h"
#include "capability/isolate_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#define READ_SIZE 65536
#define OUTPUT_MAX 65536 /* bytes that are logged of one call */
#define LINE_MAX_BYTES 1024
#define KILL_WAIT_MS 80 /* below the grace that dispatch gives a late hook */

/* -- Starting it ---------------------------------------------------------------------------------- */

static int start(struct isolate_process *process, char *const *argv, banger_error *err)
{
    int pair[2];
    int pipe_ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return error_sys(err, errno, "cannot create a socket pair");
    }
    process->socket = pair[0];
    AUTO_CLOSE int theirs = pair[1];
    if (pipe2(pipe_ends, O_CLOEXEC) < 0) {
        return error_sys(err, errno, "cannot create a pipe");
    }
    process->output = pipe_ends[0];
    AUTO_CLOSE int printing = pipe_ends[1];
    (void)fcntl(process->output, F_SETFL, O_NONBLOCK);
    /* The program moves the socket away and takes /dev/null for its input. */
    const struct process_spec spec = {.argv = argv,
                                      .stdin_fd = theirs,
                                      .stdout_fd = printing,
                                      .stderr_fd = printing,
                                      .new_session = true,
                                      .ends_with_us = true};
    struct process_gate gate;
    if (process_fork_gated(&spec, &gate, err) < 0) {
        return -1;
    }
    process->pidfd = pidfd_open(gate.pid, 0);
    if (process->pidfd < 0) {
        (void)error_sys(err, errno, "cannot watch process %d", (int)gate.pid);
        process_abandon(&gate);
        return -1;
    }
    return process_release(&gate, err);
}

struct isolate_process *isolate_process_new(const char *path, const struct isolate_limits *limits,
                                            banger_error *err)
{
    struct isolate_process *process = xcalloc(1, sizeof(*process));
    process->pidfd = process->socket = process->output = -1;
    AUTO_FREE char *memory = str_format("%" PRId64, limits->memory);
    char *const argv[] = {(char *)limits->program, memory, (char *)path, NULL};
    if (start(process, argv, err) < 0) {
        (void)error_prefix(err, "%s: ", limits->program);
        isolate_process_free(process);
        return NULL;
    }
    isolate_process_begin(process);
    return process;
}

void isolate_process_begin(struct isolate_process *process)
{
    process->budget = OUTPUT_MAX;
    process->said[0] = '\0';
}

/* -- What it prints ------------------------------------------------------------------------------- */

static void print_line(struct isolate_process *process, const struct isolate_sink *sink)
{
    struct buf *line = &process->line;
    str_make_line(line->data);
    if (line->length > 0) {
        (void)snprintf(process->said, sizeof(process->said), "%s", line->data);
    }
    size_t cost = line->length + 1;
    if (process->budget > 0 && sink->call != NULL) {
        bool fits = cost <= process->budget;
        sink->host->log(sink->call, BANGER_LOG_INFO, "%s",
                        fits ? line->data : "it prints more than is logged");
        process->budget = fits ? process->budget - cost : 0;
    }
    line->length = 0;
}

static void take_output(struct isolate_process *process, const struct isolate_sink *sink,
                        const char *data, size_t length)
{
    struct buf *line = &process->line;
    for (size_t i = 0; i < length; i++) {
        if (data[i] != '\n' && data[i] != '\0') {
            buf_append(line, &data[i], 1);
        }
        if (data[i] == '\n' || line->length >= LINE_MAX_BYTES) {
            buf_append(line, "", 0);
            print_line(process, sink);
        }
    }
}

/* One piece of it, so that a process which prints without end is still looked at otherwise. */
static void read_output(struct isolate_process *process, const struct isolate_sink *sink)
{
    char chunk[4096];
    ssize_t got = read(process->output, chunk, sizeof(chunk));
    if (got > 0) {
        take_output(process, sink, chunk, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        (void)close(STEAL_FD(process->output));
    }
}

/* -- The socket ----------------------------------------------------------------------------------- */

/* What read or send said. */
static enum isolate_event socket_failed(void)
{
    return errno == EAGAIN || errno == EINTR ? ISOLATE_MESSAGE : ISOLATE_ENDED;
}

static enum isolate_event read_socket(struct isolate_process *process)
{
    buf_reserve(&process->in, READ_SIZE);
    ssize_t got =
        recv(process->socket, process->in.data + process->in.length, READ_SIZE - 1, MSG_DONTWAIT);
    if (got < 0) {
        return socket_failed();
    }
    process->in.length += (size_t)got;
    process->in.data[process->in.length] = '\0';
    return got > 0 ? ISOLATE_MESSAGE : ISOLATE_ENDED;
}

enum isolate_event isolate_process_send(struct isolate_process *process, const json_t *message,
                                        deadline until)
{
    AUTO_BUF struct buf out = BUF_INIT;
    if (wire_put(&out, message) < 0) {
        return ISOLATE_BROKEN;
    }
    for (size_t sent = 0; sent < out.length;) {
        ssize_t wrote =
            send(process->socket, out.data + sent, out.length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (wrote >= 0) {
            sent += (size_t)wrote;
            continue;
        }
        if (socket_failed() == ISOLATE_ENDED) {
            return ISOLATE_ENDED;
        }
        struct pollfd polled = {.fd = process->socket, .events = POLLOUT};
        if (poll(&polled, 1, deadline_poll_ms(until)) == 0) {
            return ISOLATE_LATE;
        }
    }
    return ISOLATE_MESSAGE;
}

enum isolate_event isolate_process_receive(struct isolate_process *process,
                                           const struct isolate_sink *sink, deadline until,
                                           json_t **message)
{
    for (;;) {
        size_t length = 0;
        int there = wire_look(&process->in, &length);
        if (there > 0) {
            *message = wire_take(&process->in, length);
        }
        if (there != 0) {
            return there > 0 && *message != NULL ? ISOLATE_MESSAGE : ISOLATE_BROKEN;
        }
        wire_wait_awake(process->socket);
        struct pollfd polled[] = {{.fd = process->socket, .events = POLLIN},
                                  {.fd = process->output, .events = POLLIN}};
        int ready = poll(polled, COUNT_OF(polled), deadline_poll_ms(until));
        if (deadline_left_ms(until) == 0) {
            return ISOLATE_LATE;
        }
        if (ready > 0 && polled[1].revents != 0) {
            read_output(process, sink);
        }
        if (ready > 0 && polled[0].revents != 0 && read_socket(process) == ISOLATE_ENDED) {
            return ISOLATE_ENDED;
        }
    }
}

bool isolate_process_is_calm(struct isolate_process *process)
{
    struct pollfd polled = {.fd = process->socket, .events = POLLIN};
    return process->in.length == 0 && poll(&polled, 1, 0) == 0;
}

/* -- Its end -------------------------------------------------------------------------------------- */

void isolate_process_free(struct isolate_process *process)
{
    cleanup_close(&process->socket);
    cleanup_close(&process->output);
    cleanup_close(&process->pidfd);
    buf_free(&process->in);
    buf_free(&process->line);
    free(process);
}

void isolate_process_dismiss(struct isolate_process *process)
{
    keeper_bury(STEAL_FD(process->pidfd));
    isolate_process_free(process);
}

/* What is left in the pipe, of a process that has ended; a child of its own may still hold it. */
static void drain_output(struct isolate_process *process, const struct isolate_sink *sink)
{
    for (size_t left = OUTPUT_MAX / 4096 + 1; left > 0 && process->output >= 0; left--) {
        struct pollfd polled = {.fd = process->output, .events = POLLIN};
        if (poll(&polled, 1, 0) <= 0) {
            break;
        }
        read_output(process, sink);
    }
    if (process->line.length > 0) {
        print_line(process, sink);
    }
}

int isolate_process_finish(struct isolate_process *process, const struct isolate_sink *sink,
                           int64_t patience_ms)
{
    int status = -1;
    if (process_wait(process->pidfd, deadline_in(patience_ms), &status, NULL) < 0) {
        (void)pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
        if (process_wait(process->pidfd, deadline_in(KILL_WAIT_MS), NULL, NULL) < 0) {
            keeper_bury(STEAL_FD(process->pidfd)); /* it has much to give back to the kernel */
        }
    }
    drain_output(process, sink);
    return status;
}
