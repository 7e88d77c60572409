/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEP_CAPACITY 4096 /* an empty queue of up to this many bytes is kept for a busy wire */

void wire_init(struct wire *wire, int fd, bool resync)
{
    *wire = (struct wire){.fd = fd, .resync = resync, .last_data = SIZE_MAX};
}

void wire_free(struct wire *wire)
{
    if (wire->fd >= 0) {
        (void)close(wire->fd);
    }
    free(wire->parser);
    buf_free(&wire->out);
    wire_init(wire, -1, false);
}

void wire_trim(struct wire *wire)
{
    if (wire->parser != NULL && wire->parser->used == wire->parser->taken) {
        wire->resync = wire->parser->resync != 0;
        free(wire->parser);
        wire->parser = NULL;
    }
    if (wire->out.length == 0) {
        buf_free(&wire->out);
    }
}

int wire_fill(struct wire *wire)
{
    if (wire->parser == NULL) {
        wire->parser = xmalloc(sizeof(*wire->parser));
        *wire->parser = (struct frame_parser){.resync = wire->resync};
    }
    struct frame_parser *parser = wire->parser;
    ssize_t got = recv(wire->fd, parser->data + parser->used, sizeof(parser->data) - parser->used,
                       MSG_DONTWAIT);
    if (got > 0) {
        parser->used += (size_t)got;
        return 1;
    }
    if (got == 0) {
        errno = 0;
        return -1;
    }
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool wire_next(struct wire *wire, struct frame *frame)
{
    return wire->parser != NULL && frame_next(wire->parser, frame) == 1;
}

bool wire_is_garbled(const struct wire *wire)
{
    return wire->parser != NULL ? wire->parser->resync != 0 : wire->resync;
}

void wire_queue(struct wire *wire, uint8_t type, uint32_t stream, const void *payload,
                size_t length)
{
    buf_reserve(&wire->out, FRAME_HEADER + length + 1);
    wire->out.length += frame_encode((uint8_t *)wire->out.data + wire->out.length, type, stream,
                                     payload, (uint32_t)length);
    wire->last_data = SIZE_MAX;
}

/* Lengthens the last frame by `payload`; false when that cannot be. */
static bool extend_last(struct wire *wire, uint8_t type, uint32_t stream, const void *payload,
                        size_t length)
{
    if (wire->last_data == SIZE_MAX || wire->last_data < wire->sent) {
        return false;
    }
    uint8_t *header = (uint8_t *)wire->out.data + wire->last_data;
    size_t before = frame_get32(header + 6);
    if (header[1] != type || frame_get32(header + 2) != stream ||
        before + length > FRAME_PAYLOAD_MAX) {
        return false;
    }
    static const uint8_t tail = FRAME_TAIL;
    frame_put32(header + 6, (uint32_t)(before + length));
    wire->out.length--;
    buf_append(&wire->out, payload, length);
    buf_append(&wire->out, &tail, 1);
    return true;
}

void wire_queue_data(struct wire *wire, uint8_t type, uint32_t stream, const void *payload,
                     size_t length)
{
    if (!extend_last(wire, type, stream, payload, length)) {
        size_t at = wire->out.length;
        wire_queue(wire, type, stream, payload, length);
        wire->last_data = at;
    }
}

void wire_queue_credit(struct wire *wire, uint32_t stream, size_t bytes)
{
    uint8_t payload[4];
    frame_put32(payload, (uint32_t)bytes);
    wire_queue(wire, FRAME_CREDIT, stream, payload, sizeof(payload));
}

void wire_queue_raw(struct wire *wire, const void *data, size_t length)
{
    buf_append(&wire->out, data, length);
    wire->last_data = SIZE_MAX;
}

/* Drops what was sent once that is most of the queue: a slow reader must not make us move all of it
 * for each of its small reads. */
static void compact(struct wire *wire)
{
    if (wire->sent == wire->out.length) {
        wire->out.length = 0;
        wire->sent = 0;
        wire->last_data = SIZE_MAX;
        if (wire->out.capacity > KEEP_CAPACITY) {
            buf_free(&wire->out);
        }
    } else if (wire->sent > wire->out.length / 2) {
        buf_consume(&wire->out, wire->sent);
        bool grows = wire->last_data != SIZE_MAX && wire->last_data >= wire->sent;
        wire->last_data = grows ? wire->last_data - wire->sent : SIZE_MAX;
        wire->sent = 0;
    }
}

int wire_flush(struct wire *wire)
{
    while (wire->sent < wire->out.length) {
        ssize_t sent = send(wire->fd, wire->out.data + wire->sent, wire->out.length - wire->sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            bool full = errno == EAGAIN;
            compact(wire);
            return full ? 0 : -1;
        }
        wire->sent += (size_t)sent;
    }
    compact(wire);
    return 1;
}

size_t wire_pending(const struct wire *wire)
{
    return wire->out.length - wire->sent;
}

int wire_exit_status(const struct frame *frame)
{
    uint32_t status = frame->length >= 4 ? frame_get32(frame->payload) : UINT32_MAX;
    return status <= 255 ? (int)status : -1;
}

char *wire_exit_text(const struct frame *frame)
{
    return str_printable((const char *)frame->payload + 4, frame->length - 4);
}
