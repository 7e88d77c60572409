/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that says what a test wants: the far end of a channel, in the test's own hands. */
#ifndef TESTS_FAKE_AGENT_H
#define TESTS_FAKE_AGENT_H

#include "agent_fixture.h"

#include <poll.h>
#include <sys/socket.h>

struct fake_agent {
    int listener;
    int fd;
    struct frame_parser parser;
};

static inline void fake_listen(struct fake_agent *fake, const char *path)
{
    *fake = (struct fake_agent){.fd = -1};
    fake->listener = unix_listen(path, 0600, NULL);
    assert_true(fake->listener >= 0);
}

static inline void fake_accept(struct fake_agent *fake)
{
    struct pollfd ready = {.fd = fake->listener, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    fake->fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fake->fd >= 0);
    fake->parser = (struct frame_parser){0};
}

static inline void fake_hang_up(struct fake_agent *fake)
{
    (void)close(fake->fd);
    fake->fd = -1;
}

static inline void fake_write(struct fake_agent *fake, const void *data, size_t length)
{
    assert_int_equal(send(fake->fd, data, length, MSG_NOSIGNAL), length);
}

static inline void fake_send(struct fake_agent *fake, uint8_t type, uint32_t stream,
                             const void *payload, uint32_t length)
{
    static uint8_t wire[FRAME_HEADER + FRAME_PAYLOAD_MAX + 1];
    fake_write(fake, wire, frame_encode(wire, type, stream, payload, length));
}

/* The next frame from the host; false when it has hung up. */
static inline bool fake_receive(struct fake_agent *fake, struct frame *frame)
{
    struct frame_parser *parser = &fake->parser;
    while (frame_next(parser, frame) == 0) {
        struct pollfd ready = {.fd = fake->fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        ssize_t got =
            recv(fake->fd, parser->data + parser->used, sizeof(parser->data) - parser->used, 0);
        if (got <= 0) {
            return false;
        }
        parser->used += (size_t)got;
    }
    return true;
}

static inline void fake_welcome(struct fake_agent *fake, const uint8_t *nonce, uint32_t version)
{
    uint8_t welcome[FRAME_WELCOME_LENGTH] = {0};
    memcpy(welcome, nonce, FRAME_NONCE);
    frame_put32(welcome + FRAME_NONCE, version);
    fake_send(fake, FRAME_WELCOME, 0, welcome, sizeof(welcome));
}

/* Waits for HELLO and answers it. */
static inline void fake_greet(struct fake_agent *fake)
{
    struct frame frame;
    assert_true(fake_receive(fake, &frame));
    assert_int_equal(frame.type, FRAME_HELLO);
    fake_welcome(fake, frame.payload, FRAME_VERSION);
}

/* Waits for the next OPEN, passing over repeated HELLOs; its stream's number. */
static inline uint32_t fake_opened(struct fake_agent *fake)
{
    struct frame frame;
    do {
        assert_true(fake_receive(fake, &frame));
    } while (frame.type == FRAME_HELLO);
    assert_int_equal(frame.type, FRAME_OPEN);
    return frame.stream;
}

static inline void fake_exit(struct fake_agent *fake, uint32_t stream, uint32_t status)
{
    uint8_t payload[4];
    frame_put32(payload, status);
    fake_send(fake, FRAME_EXIT, stream, payload, sizeof(payload));
}

/* Waits for the host to hang up, and checks why. */
static inline void fake_expect_closed(struct fake_agent *fake, struct channel *channel,
                                      const char *reason)
{
    struct frame frame;
    banger_error err = BANGER_ERROR_INIT;
    while (fake_receive(fake, &frame)) {
    }
    assert_int_equal(channel_get_state(channel), CHANNEL_CLOSED);
    assert_int_equal(channel_wait_ready(channel, deadline_in(0), NULL, NULL, &err), -1);
    assert_int_equal(err.code, BANGER_EGUEST);
    if (strstr(err.message, reason) == NULL) {
        fail_msg("'%s' does not say '%s'", err.message, reason);
    }
}

#endif
