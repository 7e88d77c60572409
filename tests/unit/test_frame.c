/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/frame.h"

#include <stdlib.h>
#include <string.h>

static struct frame_parser *parser;

static int setup(void **state)
{
    (void)state;
    parser = calloc(1, sizeof(*parser));
    return parser == NULL;
}

static int teardown(void **state)
{
    (void)state;
    free(parser);
    return 0;
}

/* Feeds bytes in pieces of `step` and counts the frames; the last one's first payload byte goes to
 * `last`. */
static int feed(const uint8_t *data, size_t length, size_t step, int *last)
{
    struct frame frame;
    int count = 0;
    while (length != 0) {
        size_t room = sizeof(parser->data) - parser->used;
        size_t part = length < step ? length : step;
        part = part < room ? part : room;
        assert_true(part > 0);
        memcpy(parser->data + parser->used, data, part);
        parser->used += part;
        data += part;
        length -= part;
        while (frame_next(parser, &frame) == 1) {
            count++;
            *last = frame.length != 0 ? frame.payload[0] : -1;
        }
    }
    return count;
}

static void test_round_trip(void **state)
{
    (void)state;
    static uint8_t wire[FRAME_HEADER + FRAME_PAYLOAD_MAX + 1];
    static uint8_t payload[FRAME_PAYLOAD_MAX];
    const uint32_t lengths[] = {0, 1, 500, FRAME_PAYLOAD_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct frame frame;
        memset(payload, 'a' + (int)i, sizeof(payload));
        size_t size = frame_encode(wire, FRAME_STDOUT, 0x01020304, payload, lengths[i]);
        assert_int_equal(size, FRAME_HEADER + lengths[i] + 1);
        memcpy(parser->data, wire, size);
        parser->used = size;
        assert_int_equal(frame_next(parser, &frame), 1);
        assert_int_equal(frame.type, FRAME_STDOUT);
        assert_int_equal(frame.stream, 0x01020304);
        assert_int_equal(frame.length, lengths[i]);
        assert_memory_equal(frame.payload, payload, lengths[i]);
        assert_int_equal(frame_next(parser, &frame), 0);
        assert_int_equal(parser->used, 0);
    }
}

static void test_any_split(void **state)
{
    (void)state;
    uint8_t wire[256];
    size_t size = 0;
    for (int i = 0; i < 5; i++) {
        uint8_t byte = (uint8_t)(10 + i);
        size += frame_encode(wire + size, FRAME_STDIN, 1, &byte, 1);
    }
    for (size_t step = 1; step <= size; step++) {
        int last = 0;
        memset(parser, 0, sizeof(*parser));
        assert_int_equal(feed(wire, size, step, &last), 5);
        assert_int_equal(last, 14);
    }
}

static void test_oversize_is_garbage(void **state)
{
    (void)state;
    uint8_t wire[64] = {FRAME_MAGIC, FRAME_STDIN, 1};
    int last = 0;
    frame_put32(wire + 6, FRAME_PAYLOAD_MAX + 1);
    assert_int_equal(feed(wire, sizeof(wire), sizeof(wire), &last), 0);
    assert_true(parser->resync);
    assert_int_equal(parser->discarded, sizeof(wire));
}

/* What an earlier host sent of a frame, at every length, then a new host's greeting. */
static void test_resync_after_a_cut_frame(void **state)
{
    (void)state;
    static uint8_t wire[FRAME_HEADER + FRAME_PAYLOAD_MAX + 1];
    static uint8_t zeros[FRAME_PREAMBLE];
    static uint8_t payload[FRAME_PAYLOAD_MAX];
    uint8_t greeting[FRAME_HEADER + FRAME_HELLO_LENGTH + 1];
    uint8_t hello[FRAME_HELLO_LENGTH] = {77};
    size_t greeting_size = frame_encode(greeting, FRAME_HELLO, 0, hello, sizeof(hello));
    /* The payload is full of greetings that a user might have piped in. */
    for (size_t at = 0; at + greeting_size <= sizeof(payload); at += greeting_size) {
        uint8_t forged[FRAME_HELLO_LENGTH] = {66};
        (void)frame_encode(payload + at, FRAME_HELLO, 0, forged, sizeof(forged));
    }
    size_t size = frame_encode(wire, FRAME_STDIN, 9, payload, sizeof(payload));
    for (size_t cut = 0; cut < size; cut += cut < 64 ? 1 : 997) {
        int last = 0;
        memset(parser, 0, sizeof(*parser));
        assert_int_equal(feed(wire, cut, cut + 1, &last), 0);
        assert_int_equal(feed(zeros, sizeof(zeros), 5000, &last), 0);
        assert_int_equal(feed(greeting, greeting_size, 7, &last), 1);
        assert_int_equal(last, 77);
    }
}

static void test_resync_passes_over_lookalikes(void **state)
{
    (void)state;
    uint8_t wire[256] = {0};
    uint8_t nonce[FRAME_HELLO_LENGTH] = {1};
    int last = 0;
    size_t size = 3;
    wire[size++] = FRAME_MAGIC;                                              /* a magic alone */
    size += frame_encode(wire + size, FRAME_STDIN, 0, nonce, sizeof(nonce)); /* not a greeting */
    size += frame_encode(wire + size, FRAME_HELLO, 5, nonce, sizeof(nonce)); /* of a stream */
    size += frame_encode(wire + size, FRAME_HELLO, 0, nonce, 3);             /* too short */
    nonce[0] = 2;
    size += frame_encode(wire + size, FRAME_WELCOME, 0, nonce, sizeof(nonce));
    assert_int_equal(feed(wire, size, size, &last), 1);
    assert_int_equal(last, 2);
    assert_int_equal(parser->resync, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversize_is_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resync_after_a_cut_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resync_passes_over_lookalikes, setup, teardown),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
