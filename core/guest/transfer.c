/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer.h"

#include "base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define QUEUE_MAX (2 * FRAME_PAYLOAD_MAX) /* input queued before more is taken */
#define MESSAGE_MAX 4096                  /* bytes of stderr that make an error's text */

void transfer_init(struct transfer *transfer, int stream_fd, deadline until)
{
    *transfer =
        (struct transfer){.until = until, .may_send = FRAME_WINDOW, .err_limit = MESSAGE_MAX};
    wire_init(&transfer->wire, stream_fd, false);
}

void transfer_free(struct transfer *transfer)
{
    wire_free(&transfer->wire);
    buf_free(&transfer->out);
    buf_free(&transfer->err);
}

static int broken(banger_error *err, int errno_value)
{
    return errno_value != 0
               ? error_sys(err, errno_value, "the stream to the guest broke")
               : error_set(err, BANGER_EGUEST, "the stream to the guest closed before its end");
}

static void append_error(struct transfer *transfer, const char *text, size_t length)
{
    size_t room = transfer->err_limit - transfer->err.length;
    buf_append(&transfer->err, text, length < room ? length : room);
}

static int take_exit(struct transfer *transfer, const struct frame *frame, banger_error *err)
{
    transfer->status = wire_exit_status(frame);
    if (transfer->status < 0) {
        return error_set(err, BANGER_EGUEST, "the guest sent a malformed EXIT");
    }
    AUTO_FREE char *text = wire_exit_text(frame);
    append_error(transfer, text, strlen(text));
    transfer->exited = true;
    return 0;
}

static int receive(struct transfer *transfer, const struct frame *frame, banger_error *err)
{
    switch (frame->type) {
    case FRAME_STDOUT:
        buf_append(&transfer->out, frame->payload, frame->length);
        return transfer->out.length <= FRAME_WINDOW
                   ? 0
                   : error_set(err, BANGER_EGUEST, "the guest sent more than it may");
    case FRAME_STDERR:
        append_error(transfer, (const char *)frame->payload, frame->length);
        wire_queue_credit(&transfer->wire, 0, frame->length);
        return 0;
    case FRAME_CREDIT:
        if (frame->length == 4) {
            transfer->may_send += frame_get32(frame->payload);
        }
        return 0;
    case FRAME_EXIT:
        return take_exit(transfer, frame, err);
    default:
        return 0;
    }
}

int transfer_pump(struct transfer *transfer, banger_error *err)
{
    struct frame frame;
    if (wire_flush(&transfer->wire) < 0 && errno != EPIPE) {
        return broken(err, errno);
    }
    bool sending = wire_pending(&transfer->wire) != 0;
    struct pollfd stream = {.fd = transfer->wire.fd,
                            .events = (short)(POLLIN | (sending ? POLLOUT : 0))};
    int ready = poll(&stream, 1, deadline_poll_ms(transfer->until));
    if (ready == 0) {
        return error_set(err, BANGER_ETIMEDOUT, "the guest did not finish in time");
    }
    if (ready < 0) {
        return errno == EINTR ? 0 : error_sys(err, errno, "cannot wait for the guest");
    }
    int got = (stream.revents & ~POLLOUT) != 0 ? wire_fill(&transfer->wire) : 0;
    if (got < 0) {
        return broken(err, errno);
    }
    while (!transfer->exited && wire_next(&transfer->wire, &frame)) {
        if (receive(transfer, &frame, err) < 0) {
            return -1;
        }
    }
    return 0;
}

size_t transfer_offer(struct transfer *transfer, const void *data, size_t length)
{
    const char *at = data;
    size_t left = length;
    while (left != 0 && transfer->may_send != 0 && wire_pending(&transfer->wire) < QUEUE_MAX) {
        size_t part = left < FRAME_PAYLOAD_MAX ? left : FRAME_PAYLOAD_MAX;
        part = part < transfer->may_send ? part : transfer->may_send;
        wire_queue(&transfer->wire, FRAME_STDIN, 0, at, part);
        transfer->may_send -= part;
        at += part;
        left -= part;
    }
    return length - left;
}

int transfer_send(struct transfer *transfer, const void *data, size_t length, banger_error *err)
{
    size_t sent = 0;
    while (sent < length && !transfer->exited) {
        size_t now = transfer_offer(transfer, (const char *)data + sent, length - sent);
        sent += now;
        if (now == 0 && transfer_pump(transfer, err) < 0) {
            return -1;
        }
    }
    return 0;
}

void transfer_send_eof(struct transfer *transfer)
{
    wire_queue(&transfer->wire, FRAME_EOF, 0, NULL, 0);
}

void transfer_consume(struct transfer *transfer)
{
    if (transfer->out.length != 0) {
        wire_queue_credit(&transfer->wire, 0, transfer->out.length);
        transfer->out.length = 0;
    }
    transfer->taken = 0;
}

ssize_t transfer_receive(struct transfer *transfer, const void **data, banger_error *err)
{
    if (transfer->taken != 0) {
        transfer_consume(transfer);
    }
    while (transfer->out.length == 0 && !transfer->exited) {
        if (transfer_pump(transfer, err) < 0) {
            return -1;
        }
    }
    *data = transfer->out.data;
    transfer->taken = transfer->out.length;
    return (ssize_t)transfer->taken;
}

int transfer_finish(struct transfer *transfer, banger_error *err)
{
    const void *unused;
    ssize_t got = 1;
    while (got > 0) {
        got = transfer_receive(transfer, &unused, err);
    }
    if (got < 0) {
        return -1;
    }
    if (transfer->status == 0) {
        return 0;
    }
    AUTO_FREE char *text = str_printable(str_or(transfer->err.data, ""), transfer->err.length);
    return error_set(err, BANGER_EGUEST, "%s",
                     *text != '\0' ? text : "the guest's agent failed without saying why");
}
