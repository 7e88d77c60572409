/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frame.h"

#include <string.h>

size_t frame_encode(uint8_t *out, uint8_t type, uint32_t stream, const void *payload,
                    uint32_t length)
{
    out[0] = FRAME_MAGIC;
    out[1] = type;
    frame_put32(out + 2, stream);
    frame_put32(out + 6, length);
    /* A caller that read straight into the frame's place passes that very place. */
    if (length != 0 && payload != out + FRAME_HEADER) {
        memcpy(out + FRAME_HEADER, payload, length);
    }
    out[FRAME_HEADER + length] = FRAME_TAIL;
    return FRAME_HEADER + (size_t)length + 1;
}

static void discard(struct frame_parser *parser, size_t bytes)
{
    parser->taken += bytes;
    parser->discarded += bytes;
    parser->resync = 1;
}

static void skip_to_magic(struct frame_parser *parser)
{
    const uint8_t *at = parser->data + parser->taken;
    size_t have = parser->used - parser->taken;
    const uint8_t *magic = have != 0 ? memchr(at, FRAME_MAGIC, have) : NULL;
    discard(parser, magic != NULL ? (size_t)(magic - at) : have);
}

static int header_is_good(const struct frame_parser *parser, const uint8_t *at)
{
    uint32_t length = frame_get32(at + 6);
    if (at[0] != FRAME_MAGIC || length > FRAME_PAYLOAD_MAX) {
        return 0;
    }
    if (!parser->resync) {
        return 1;
    }
    return (at[1] == FRAME_HELLO || at[1] == FRAME_WELCOME) && frame_get32(at + 2) == 0 &&
           length >= FRAME_NONCE && length <= FRAME_GREETING_MAX;
}

/* A frame whose tail is missing was cut short by a peer that vanished, and what a user may have
 * put into its payload must not be searched for a HELLO: it is dropped as a whole. The zeros of
 * the preamble make up its missing bytes, so nothing of the new peer's goes with it. */
static size_t bad_frame_size(const struct frame_parser *parser, size_t size)
{
    return parser->resync ? 1 : size;
}

int frame_next(struct frame_parser *parser, struct frame *frame)
{
    for (;;) {
        if (parser->resync) {
            skip_to_magic(parser);
        }
        const uint8_t *at = parser->data + parser->taken;
        size_t have = parser->used - parser->taken;
        if (have < FRAME_HEADER) {
            break;
        }
        if (!header_is_good(parser, at)) {
            discard(parser, 1);
            continue;
        }
        uint32_t length = frame_get32(at + 6);
        size_t size = FRAME_HEADER + (size_t)length + 1;
        if (have < size) {
            break;
        }
        if (at[size - 1] != FRAME_TAIL) {
            discard(parser, bad_frame_size(parser, size));
            continue;
        }
        parser->resync = 0;
        parser->taken += size;
        *frame = (struct frame){.type = at[1],
                                .stream = frame_get32(at + 2),
                                .length = length,
                                .payload = at + FRAME_HEADER};
        return 1;
    }
    parser->used -= parser->taken;
    memmove(parser->data, parser->data + parser->taken, parser->used);
    parser->taken = 0;
    return 0;
}
