/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames over a non-blocking socket: what the channel, its relays and the callers' ends have in
 * common. Holds no memory while nothing is under way.
 */
#ifndef GUEST_WIRE_H
#define GUEST_WIRE_H

#include "agent/frame.h"
#include "base/str.h"

#include <stdbool.h>

struct wire {
    int fd;
    bool resync;                 /* the parser's state while there is no parser */
    struct frame_parser *parser; /* NULL: nothing of a frame has come */
    struct buf out;
    size_t sent;      /* bytes at the front of `out` that the socket has taken */
    size_t last_data; /* offset in `out` of the last frame when it may grow; SIZE_MAX: none */
};

/* `resync`: the peer may be in the middle of a frame, so look for a HELLO or WELCOME first. */
void wire_init(struct wire *wire, int fd, bool resync);
void wire_free(struct wire *wire); /* closes the descriptor */
void wire_trim(struct wire *wire); /* gives back what is not needed now */

/* Reads what has come, once: 1 something, 0 nothing yet, -1 the peer is gone (errno; 0: closed). */
int wire_fill(struct wire *wire);
/* The next whole frame, valid until the next call; false when there is none. */
bool wire_next(struct wire *wire, struct frame *frame);
/* The stream lost its frame boundaries: on a wire that is in step, the peer's fault. */
bool wire_is_garbled(const struct wire *wire);

void wire_queue(struct wire *wire, uint8_t type, uint32_t stream, const void *payload,
                size_t length);
/* The same for data, which joins the last queued frame where it can: a peer that sends many tiny
 * frames to a slow reader costs the bytes, not the frames. */
void wire_queue_data(struct wire *wire, uint8_t type, uint32_t stream, const void *payload,
                     size_t length);
void wire_queue_credit(struct wire *wire, uint32_t stream, size_t bytes);
void wire_queue_raw(struct wire *wire, const void *data, size_t length);
/* Sends what the socket takes: 1 all, 0 not all, -1 the peer is gone (errno). */
int wire_flush(struct wire *wire);
size_t wire_pending(const struct wire *wire);

/* The status of an EXIT frame, or -1 when it is malformed. */
int wire_exit_status(const struct frame *frame);
/* The text of an EXIT frame, safe to print; a new string. */
char *wire_exit_text(const struct frame *frame);

#endif
