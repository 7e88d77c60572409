/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. One poll loop: nothing is read but what may be sent on, nothing is written but what the
 * descriptor takes without blocking, so that signals and resizes are never held up.
 * 2. The descriptors are the caller's and shared with who knows whom: their O_NONBLOCK is left
 * alone. A pipe that polls writable takes PIPE_BUF bytes; a file takes any number.
 * 3. Output is credited when it has been written, so a slow reader slows the guest's program down.
 */
#include "session.h"

#include "base/cleanup.h"
#include "terminal.h"
#include "wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_QUEUE_MAX (2 * FRAME_PAYLOAD_MAX)
#define PATIENCE 3 /* signals that the guest leaves without any answer before we give up */

struct sink {
    int fd;
    size_t step; /* bytes that a write takes without blocking */
    struct buf waiting;
    size_t written; /* of `waiting` */
    bool ending;    /* nothing more comes; to be closed when all is written */
};

struct session {
    struct wire wire;
    const struct session_io *io;
    struct terminal terminal;
    bool input_open;
    size_t may_send;
    struct sink out;
    struct sink err;
    int unanswered; /* signals */
    bool exited;
    int status;
};

enum { WAIT_STREAM, WAIT_SIGNALS, WAIT_IN, WAIT_OUT, WAIT_ERR, WAITS };

static void sink_init(struct sink *sink, int fd)
{
    struct stat st;
    bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    *sink = (struct sink){.fd = fd, .step = file ? FRAME_WINDOW : PIPE_BUF};
}

static bool sink_has_more(const struct sink *sink)
{
    return sink->written < sink->waiting.length;
}

static int sink_write(struct session *session, struct sink *sink, banger_error *err)
{
    size_t left = sink->waiting.length - sink->written;
    ssize_t wrote =
        write(sink->fd, sink->waiting.data + sink->written, left < sink->step ? left : sink->step);
    if (wrote < 0) {
        return errno == EAGAIN || errno == EINTR ? 0
                                                 : error_sys(err, errno, "cannot write the output");
    }
    sink->written += (size_t)wrote;
    if (!sink_has_more(sink)) {
        if (!session->exited) {
            wire_queue_credit(&session->wire, 0, sink->waiting.length);
        }
        sink->waiting.length = 0;
        sink->written = 0;
    }
    return 0;
}

/* The reader sees the end while its own writing goes on: a socket that is also our input stays
 * open for that. */
static void sink_end(struct sink *sink)
{
    if (sink->ending && !sink_has_more(sink) && sink->fd >= 0) {
        (void)shutdown(sink->fd, SHUT_WR); /* ENOTSOCK for all others */
        (void)close(sink->fd);
        sink->fd = -1;
    }
}

static int take_output(struct session *session, struct sink *sink, const struct frame *frame,
                       banger_error *err)
{
    buf_append(&sink->waiting, frame->payload, frame->length);
    return session->out.waiting.length + session->err.waiting.length <= FRAME_WINDOW
               ? 0
               : error_set(err, BANGER_EGUEST, "the guest sent more than it may");
}

static int take_exit(struct session *session, const struct frame *frame, banger_error *err)
{
    session->status = wire_exit_status(frame);
    if (session->status < 0) {
        return error_set(err, BANGER_EGUEST, "the guest sent a malformed EXIT");
    }
    AUTO_FREE char *text = wire_exit_text(frame);
    if (*text != '\0' && session->io->why != NULL) {
        *session->io->why = STEAL(text);
    } else if (*text != '\0') {
        buf_puts(&session->err.waiting, text);
        buf_puts(&session->err.waiting, session->io->tty ? "\r\n" : "\n");
    }
    session->exited = true;
    return 0;
}

static int receive(struct session *session, const struct frame *frame, banger_error *err)
{
    session->unanswered = 0;
    switch (frame->type) {
    case FRAME_STDOUT:
        return take_output(session, &session->out, frame, err);
    case FRAME_STDERR:
        return take_output(session, &session->err, frame, err);
    case FRAME_CREDIT:
        if (frame->length == 4) {
            session->may_send += frame_get32(frame->payload);
        }
        return 0;
    case FRAME_EOF:
        session->out.ending = session->io->ends_out;
        return 0;
    case FRAME_EXIT:
        return take_exit(session, frame, err);
    default:
        return 0;
    }
}

static int read_stream(struct session *session, banger_error *err)
{
    struct frame frame;
    if (wire_fill(&session->wire) < 0) {
        return errno != 0
                   ? error_sys(err, errno, "the stream to the guest broke")
                   : error_set(err, BANGER_EGUEST, "the stream to the guest closed before its end");
    }
    while (!session->exited && wire_next(&session->wire, &frame)) {
        if (receive(session, &frame, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_input(struct session *session, banger_error *err)
{
    char chunk[FRAME_PAYLOAD_MAX];
    size_t room = session->may_send < sizeof(chunk) ? session->may_send : sizeof(chunk);
    ssize_t got = read(session->io->in, chunk, room);
    if (got > 0) {
        wire_queue(&session->wire, FRAME_STDIN, 0, chunk, (size_t)got);
        session->may_send -= (size_t)got;
        return 0;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (got < 0 && errno != EIO && errno != EBADF) { /* a terminal that hung up; closed at start */
        return error_sys(err, errno, "cannot read the input");
    }
    wire_queue(&session->wire, FRAME_EOF, 0, NULL, 0);
    session->input_open = false;
    return 0;
}

static void send_size(struct session *session)
{
    uint16_t rows;
    uint16_t columns;
    uint8_t payload[4];
    if (terminal_size(&session->terminal, &rows, &columns)) {
        frame_put16(payload, rows);
        frame_put16(payload + 2, columns);
        wire_queue(&session->wire, FRAME_RESIZE, 0, payload, sizeof(payload));
    }
}

static int take_signals(struct session *session, banger_error *err)
{
    int number;
    while ((number = terminal_next_signal(&session->terminal)) != 0) {
        if (number == SIGPIPE) {
            continue; /* the write says EPIPE too */
        }
        if (number == SIGWINCH) {
            send_size(session);
            continue;
        }
        if (!session->io->forward_signals || ++session->unanswered >= PATIENCE) {
            return error_set(err, BANGER_ECANCELLED, "interrupted by signal %d (%s)", number,
                             strsignal(number));
        }
        uint8_t payload[4];
        frame_put32(payload, (uint32_t)number);
        wire_queue(&session->wire, FRAME_SIGNAL, 0, payload, sizeof(payload));
    }
    return 0;
}

static short when(bool wanted, short events)
{
    return wanted ? events : 0;
}

/* A descriptor that is not waited for is left out altogether: poll reports its end regardless. */
static int fd_when(bool wanted, int fd)
{
    return wanted ? fd : -1;
}

static int pump_once(struct session *session, banger_error *err)
{
    bool reads = session->input_open && session->may_send != 0 && !session->exited &&
                 wire_pending(&session->wire) < INPUT_QUEUE_MAX;
    bool sends = wire_pending(&session->wire) != 0;
    struct pollfd polls[WAITS] = {
        [WAIT_STREAM] = {fd_when(!session->exited, session->wire.fd),
                         (short)(POLLIN | when(sends, POLLOUT)), 0},
        [WAIT_SIGNALS] = {session->terminal.signals, POLLIN, 0},
        [WAIT_IN] = {fd_when(reads, session->io->in), POLLIN, 0},
        [WAIT_OUT] = {fd_when(sink_has_more(&session->out), session->out.fd), POLLOUT, 0},
        [WAIT_ERR] = {fd_when(sink_has_more(&session->err), session->err.fd), POLLOUT, 0},
    };
    if (poll(polls, WAITS, -1) < 0) {
        return errno == EINTR ? 0 : error_sys(err, errno, "cannot wait for the session");
    }
    if ((polls[WAIT_SIGNALS].revents != 0 && take_signals(session, err) < 0) ||
        (polls[WAIT_OUT].revents != 0 && sink_write(session, &session->out, err) < 0) ||
        (polls[WAIT_ERR].revents != 0 && sink_write(session, &session->err, err) < 0) ||
        (polls[WAIT_IN].revents != 0 && read_input(session, err) < 0)) {
        return -1;
    }
    if ((polls[WAIT_STREAM].revents & ~POLLOUT) != 0 && read_stream(session, err) < 0) {
        return -1;
    }
    sink_end(&session->out);
    /* A stream that takes nothing more may still hold the EXIT that explains it: reading tells. */
    (void)wire_flush(&session->wire);
    return 0;
}

static int pump(struct session *session, banger_error *err)
{
    send_size(session);
    if (!session->input_open) {
        wire_queue(&session->wire, FRAME_EOF, 0, NULL, 0);
    }
    (void)wire_flush(&session->wire);
    while (!session->exited || sink_has_more(&session->out) || sink_has_more(&session->err)) {
        if (pump_once(session, err) < 0) {
            return -1;
        }
    }
    return session->status;
}

int session_run(int stream_fd, const struct session_io *io, banger_error *err)
{
    struct session session = {.io = io, .input_open = io->in >= 0, .may_send = FRAME_WINDOW};
    wire_init(&session.wire, stream_fd, false);
    sink_init(&session.out, io->out);
    sink_init(&session.err, io->err);
    if (terminal_take(&session.terminal, io->tty ? io->in : -1, io->forward_signals, err) < 0) {
        return -1;
    }
    int status = pump(&session, err);
    session.out.ending = io->ends_out && status >= 0; /* EXIT may come without EOF before it */
    sink_end(&session.out);
    terminal_restore(&session.terminal);
    session.wire.fd = -1; /* the caller's */
    wire_free(&session.wire);
    buf_free(&session.out.waiting);
    buf_free(&session.err.waiting);
    return status;
}
