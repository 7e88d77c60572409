/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. Output flows while there is credit and room in the queue to the host.
 * 2. When the process has ended, what it wrote is still in its pipes: that many bytes (FIONREAD, at
 * its end) are delivered, then EXIT. Not "until the end of the file": a descendant left in the
 * background may hold the pipe open for ever. A PTY ends by itself when its session's leader does.
 * 3. Input is kept here until the process takes it, at most FRAME_WINDOW bytes; as it does, the
 * host gets new credit. When the process has closed its stdin, the input is dropped but still paid
 * for.
 */
#include "stream.h"

#include "doomed.h"
#include "exec_request.h"
#include "launch.h"
#include "power.h"
#include "service.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CREDIT_STEP (FRAME_WINDOW / 4) /* given back in such portions, to spare frames */
#define CONTROL_D "\x04"               /* VEOF of a fresh PTY, termios(3) */

struct outlet {
    int fd;
    uint8_t type;
    size_t left; /* how much may still come; SIZE_MAX until the process has ended */
    int place;
};

struct stream {
    struct mux *mux;
    uint32_t number;
    pid_t pid;
    bool tty;
    bool half_closes; /* the end of its output is told before its own */
    int in;
    int in_place;
    int why;
    struct outlet out[2];
    uint64_t credit; /* output bytes that the host takes */
    struct queue input;
    size_t allowed; /* input bytes that the host may still send */
    size_t unpaid;  /* input bytes passed on since the last CREDIT */
    bool input_ended;
    bool ended;
    int status;
};

uint32_t stream_number(const struct stream *stream)
{
    return stream->number;
}

pid_t stream_pid(const struct stream *stream)
{
    return stream->pid;
}

static void send_exit(struct mux *mux, uint32_t number, int status, const void *text, size_t length)
{
    uint8_t payload[4 + SERVICE_WHY_MAX];
    frame_put32(payload, (uint32_t)status);
    if (length > 0) {
        memcpy(payload + 4, text, length);
    }
    mux_send(mux, FRAME_EXIT, number, payload, 4 + length);
}

static void refuse(struct mux *mux, uint32_t number, const char *why)
{
    send_exit(mux, number, 1, why, strlen(why));
}

/* -- Opening ----------------------------------------------------------------------------------- */

/* The NUL-terminated path that is the whole request; NULL when it is none. */
static const char *request_path(const uint8_t *request, size_t length)
{
    return length > 1 && memchr(request, '\0', length) == request + length - 1
               ? (const char *)request
               : NULL;
}

/* What OPEN asks for; which fields count is the service's matter. */
struct request {
    int service;
    struct exec_request exec;
    const char *path;
    unsigned port;
};

static int run_in_child(struct request *request)
{
    switch (request->service) {
    case SERVICE_EXEC:
        return exec_run(&request->exec);
    case SERVICE_TAR_OUT:
        return tar_out_run(request->path);
    case SERVICE_TAR_IN:
        return tar_in_run(request->path);
    case SERVICE_CONNECT:
        return connect_run(request->port);
    case SERVICE_STATS:
        return stats_run();
    default:
        return ports_run();
    }
}

/* Requests that are answered on the spot. */
static void run_at_once(struct mux *mux, uint32_t number, int service, const uint8_t *request,
                        size_t length)
{
    const char *why = "the request is malformed";
    int failed = -1;
    if (service == SERVICE_SHUTDOWN && length == 1) {
        failed = power_request(request[0] == 1);
        why = "cannot reach the guest's init";
    } else if (service == SERVICE_CLOCK && length == 8) {
        failed = power_set_clock((int64_t)frame_get64(request));
        why = "cannot set the guest's clock";
    }
    if (failed != 0) {
        refuse(mux, number, why);
    } else {
        send_exit(mux, number, 0, NULL, 0);
    }
}

static struct stream *stream_new(struct mux *mux, uint32_t number, pid_t pid,
                                 const struct launch *launch)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    *stream = (struct stream){.mux = mux,
                              .number = number,
                              .pid = pid,
                              .tty = launch->tty,
                              .in = launch->in,
                              .why = launch->why,
                              .credit = FRAME_WINDOW,
                              .allowed = FRAME_WINDOW};
    stream->out[0] = (struct outlet){launch->out, FRAME_STDOUT, SIZE_MAX, POLLSET_NONE};
    stream->out[1] = (struct outlet){launch->err, FRAME_STDERR, SIZE_MAX, POLLSET_NONE};
    return stream;
}

static bool takes_input(const struct request *request)
{
    return (request->exec.flags & FRAME_EXEC_STDIN) != 0 || request->service == SERVICE_TAR_IN ||
           request->service == SERVICE_CONNECT;
}

static struct stream *start(struct mux *mux, uint32_t number, struct request *request)
{
    struct launch launch = {.tty = (request->exec.flags & FRAME_EXEC_TTY) != 0,
                            .with_stdin = takes_input(request),
                            .rows = request->exec.rows,
                            .columns = request->exec.columns};
    pid_t pid = launch_fork(&launch);
    if (pid == 0) {
        int status = run_in_child(request);
        _exit(status);
    }
    struct stream *stream = pid > 0 ? stream_new(mux, number, pid, &launch) : NULL;
    if (stream == NULL) {
        refuse(mux, number, "the guest cannot start another process");
    } else {
        stream->half_closes = request->service == SERVICE_CONNECT;
    }
    if (stream == NULL && pid > 0) {
        launch_close(&launch);
        doomed_add(pid);
    }
    return stream;
}

/* False: it is malformed. */
static bool take_request(const uint8_t *data, size_t length, struct request *request)
{
    switch (request->service) {
    case SERVICE_EXEC:
        return exec_request_parse(data, length, &request->exec) == 0;
    case SERVICE_TAR_OUT:
    case SERVICE_TAR_IN:
        request->path = request_path(data, length);
        return request->path != NULL;
    case SERVICE_CONNECT:
        request->port = length == 2 ? frame_get16(data) : 0;
        return request->port != 0;
    default:
        return length == 0;
    }
}

static bool is_answered_at_once(int service)
{
    return service != SERVICE_EXEC && service != SERVICE_TAR_OUT && service != SERVICE_TAR_IN &&
           service != SERVICE_STATS && service != SERVICE_PORTS && service != SERVICE_CONNECT;
}

struct stream *stream_open(struct mux *mux, const struct frame *open)
{
    struct request request = {.service = open->length != 0 ? open->payload[0] : 0};
    const uint8_t *data = open->payload + 1;
    size_t length = open->length != 0 ? open->length - 1 : 0;
    if (is_answered_at_once(request.service)) {
        run_at_once(mux, open->stream, request.service, data, length);
        return NULL;
    }
    if (!take_request(data, length, &request)) {
        refuse(mux, open->stream, "the request is malformed");
        return NULL;
    }
    struct stream *stream = start(mux, open->stream, &request);
    exec_request_free(&request.exec);
    return stream;
}

/* -- Closing ----------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void stream_free(struct stream *stream)
{
    close_fd(&stream->in);
    close_fd(&stream->why);
    close_fd(&stream->out[0].fd);
    close_fd(&stream->out[1].fd);
    queue_clear(&stream->input);
    free(stream);
}

void stream_abandon(struct stream *stream)
{
    if (!stream->ended) {
        (void)kill(-stream->pid, SIGHUP);
        (void)kill(-stream->pid, SIGCONT);
    }
    stream_free(stream);
}

static void stream_reset(struct stream *stream)
{
    send_exit(stream->mux, stream->number, 128 + SIGHUP, NULL, 0);
    if (!stream->ended) {
        doomed_add(stream->pid);
    }
    stream_free(stream);
}

/* Sends EXIT once the process has ended and all that it wrote is on its way. */
static bool still_going(struct stream *stream)
{
    if (!stream->ended || stream->out[0].fd >= 0 || stream->out[1].fd >= 0) {
        return true;
    }
    uint8_t text[SERVICE_WHY_MAX];
    ssize_t length = read(stream->why, text, sizeof(text));
    send_exit(stream->mux, stream->number, stream->status, text, length > 0 ? (size_t)length : 0);
    stream_free(stream);
    return false;
}

bool stream_child_ended(struct stream *stream, int status)
{
    stream->ended = true;
    stream->status = status;
    for (size_t i = 0; i < 2; i++) {
        struct outlet *outlet = &stream->out[i];
        int waiting = 0;
        if (outlet->fd >= 0 && !stream->tty) {
            (void)ioctl(outlet->fd, FIONREAD, &waiting);
            outlet->left = (size_t)waiting;
            if (waiting == 0) {
                close_fd(&outlet->fd);
            }
        }
    }
    return still_going(stream);
}

/* -- Data -------------------------------------------------------------------------------------- */

static void pay_for_input(struct stream *stream, size_t bytes)
{
    stream->unpaid += bytes;
    if (stream->unpaid >= CREDIT_STEP && !stream->input_ended) {
        uint8_t payload[4];
        frame_put32(payload, (uint32_t)stream->unpaid);
        mux_send(stream->mux, FRAME_CREDIT, stream->number, payload, sizeof(payload));
        stream->allowed += stream->unpaid;
        stream->unpaid = 0;
    }
}

static void write_input(struct stream *stream)
{
    size_t before = stream->input.length;
    if (before != 0 && queue_write(&stream->input, stream->in) < 0 && errno != EAGAIN) {
        close_fd(&stream->in);
    }
    if (stream->in < 0) {
        queue_clear(&stream->input);
    }
    pay_for_input(stream, before - stream->input.length);
    if (stream->input_ended && stream->input.length == 0) {
        close_fd(&stream->in);
    }
}

/* False: the host sent more than it may. */
static bool take_input(struct stream *stream, const struct frame *frame)
{
    if (frame->length > stream->allowed || stream->input_ended) {
        return false;
    }
    stream->allowed -= frame->length;
    if (stream->in < 0) {
        pay_for_input(stream, frame->length);
        return true;
    }
    if (queue_append(&stream->input, frame->payload, frame->length) < 0) {
        return false;
    }
    write_input(stream);
    return true;
}

static void end_input(struct stream *stream)
{
    if (stream->tty && stream->in >= 0 && !stream->input_ended) {
        (void)queue_append(&stream->input, CONTROL_D, 1); /* a PTY has no other end of file */
    }
    stream->input_ended = true;
    if (stream->in >= 0) {
        write_input(stream);
    }
}

static void deliver_signal(const struct stream *stream, uint32_t number)
{
    if (stream->ended || number == 0 || number >= _NSIG) {
        return;
    }
    pid_t foreground = stream->tty && stream->out[0].fd >= 0 ? tcgetpgrp(stream->out[0].fd) : -1;
    /* The process is alone in no group of its own until it has come as far as setsid. */
    if (kill(foreground > 0 ? -foreground : -stream->pid, (int)number) < 0) {
        (void)kill(stream->pid, (int)number);
    }
}

static void resize(const struct stream *stream, const uint8_t *payload)
{
    struct winsize size = {.ws_row = frame_get16(payload), .ws_col = frame_get16(payload + 2)};
    if (stream->tty && stream->out[0].fd >= 0) {
        (void)ioctl(stream->out[0].fd, TIOCSWINSZ, &size);
    }
}

bool stream_receive(struct stream *stream, const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_STDIN:
        if (!take_input(stream, frame)) {
            stream_reset(stream);
            return false;
        }
        return true;
    case FRAME_EOF:
        end_input(stream);
        return true;
    case FRAME_CREDIT:
        if (frame->length == 4) {
            stream->credit += frame_get32(frame->payload);
        }
        return true;
    case FRAME_RESIZE:
        if (frame->length == 4) {
            resize(stream, frame->payload);
        }
        return true;
    case FRAME_SIGNAL:
        if (frame->length == 4) {
            deliver_signal(stream, frame_get32(frame->payload));
        }
        return true;
    case FRAME_RESET:
        stream_reset(stream);
        return false;
    default:
        return true; /* of a later version */
    }
}

static void read_output(struct stream *stream, struct outlet *outlet)
{
    if (stream->credit == 0 || !mux_has_room(stream->mux)) {
        return;
    }
    size_t limit = outlet->left < stream->credit ? outlet->left : stream->credit;
    ssize_t got = mux_relay(stream->mux, outlet->type, stream->number, outlet->fd, limit);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        /* A PTY's flip buffers are flushed before it says EAGAIN (n_tty_read), so an ended
         * process has nothing more in them either. */
        got = stream->ended && errno == EAGAIN ? 0 : 1;
    } else if (got > 0) {
        stream->credit -= (size_t)got;
        outlet->left -= outlet->left != SIZE_MAX ? (size_t)got : 0;
    }
    if (got <= 0 || outlet->left == 0) {
        close_fd(&outlet->fd); /* the end, or EIO: the last process has left the PTY */
        if (stream->half_closes && !stream->ended && outlet->type == FRAME_STDOUT) {
            mux_send(stream->mux, FRAME_EOF, stream->number, NULL, 0);
        }
    }
}

void stream_interest(struct stream *stream, struct pollset *set)
{
    bool reading = stream->credit != 0 && mux_has_room(stream->mux);
    for (size_t i = 0; i < 2; i++) {
        struct outlet *outlet = &stream->out[i];
        outlet->place =
            reading && outlet->fd >= 0 ? pollset_add(set, outlet->fd, POLLIN) : POLLSET_NONE;
    }
    stream->in_place =
        stream->input.length != 0 ? pollset_add(set, stream->in, POLLOUT) : POLLSET_NONE;
}

bool stream_serve(struct stream *stream, const struct pollset *set)
{
    if (pollset_ready(set, stream->in_place) != 0 && stream->in >= 0) {
        write_input(stream);
    }
    for (size_t i = 0; i < 2; i++) {
        struct outlet *outlet = &stream->out[i];
        /* An ended process's PTY may be idle in the hands of others: read it, ready or not. */
        if (outlet->fd >= 0 && (pollset_ready(set, outlet->place) != 0 || stream->ended)) {
            read_output(stream, outlet);
        }
    }
    return still_going(stream);
}
