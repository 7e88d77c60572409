/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames cut in pieces of the fuzzer's choice: what is handed out lies within the buffer, and the
 * parser always has room for more. */
#include "agent/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct frame_parser *parser, const struct frame *frame)
{
    const uint8_t *end = parser->data + parser->used;
    if (frame->length > FRAME_PAYLOAD_MAX || frame->payload < parser->data ||
        frame->payload + frame->length >= end) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct frame_parser parser;
    struct frame frame;
    size_t step = size != 0 ? 1 + data[0] * 16U : 1;
    parser.used = parser.taken = 0;
    parser.resync = size > 1 && (data[1] & 1) != 0;
    while (size != 0) {
        size_t room = sizeof(parser.data) - parser.used;
        size_t part = size < step ? size : step;
        part = part < room ? part : room;
        if (part == 0) {
            abort();
        }
        memcpy(parser.data + parser.used, data, part);
        parser.used += part;
        data += part;
        size -= part;
        while (frame_next(&parser, &frame) == 1) {
            check(&parser, &frame);
        }
    }
    return 0;
}
