/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "channel_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#define RETRY_FIRST_MS 20
#define RETRY_MAX_MS 250
#define FILLS_A_TURN 8 /* reads of one channel before the loop serves the others */
#define CONNECT_ANSWER_MAX 64

static void link_events(void *context, uint32_t events);
static void link_retry(void *context);

static void arm_timer(struct channel *channel)
{
    channel->timer =
        loop_timer_add(channel->loop, deadline_in(channel->retry_ms), link_retry, channel);
    channel->retry_ms += channel->retry_ms / 2;
    if (channel->retry_ms > RETRY_MAX_MS) {
        channel->retry_ms = RETRY_MAX_MS;
    }
}

static void cancel_timer(struct channel *channel)
{
    loop_timer_cancel(channel->timer);
    channel->timer = NULL;
}

static void disconnect(struct channel *channel)
{
    loop_watch_remove(channel->watch);
    channel->watch = NULL;
    wire_free(&channel->wire);
    channel->phase = LINK_DOWN;
}

void channel_link_close(struct channel *channel, const char *format, ...)
{
    (void)pthread_mutex_lock(&channel->lock);
    bool first = channel->state != CHANNEL_CLOSED;
    if (first) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(channel->reason, sizeof(channel->reason), format, args);
        va_end(args);
        channel->state = CHANNEL_CLOSED;
        (void)pthread_cond_broadcast(&channel->changed);
    }
    (void)pthread_mutex_unlock(&channel->lock);
    if (first) {
        cancel_timer(channel);
        disconnect(channel);
        channel_streams_drop(channel);
    }
}

/* The connection broke: before the agent ever answered that is only a reason to try again. */
static void lose_link(struct channel *channel, int errno_value)
{
    if (channel->phase != LINK_UP) {
        disconnect(channel);
        return;
    }
    channel_link_close(channel, "the VMM closed its end%s%s", errno_value != 0 ? ": " : "",
                       errno_value != 0 ? strerror(errno_value) : "");
}

static void set_interest(struct channel *channel)
{
    bool waits = wire_pending(&channel->wire) != 0 || channel->phase == LINK_CONNECTING;
    loop_watch_set(channel->watch, EPOLLIN | (waits ? EPOLLOUT : 0U));
}

void channel_link_flush(struct channel *channel)
{
    if (channel->watch == NULL) {
        return;
    }
    if (wire_flush(&channel->wire) < 0) {
        lose_link(channel, errno);
        return;
    }
    set_interest(channel);
    if (channel->callers_paused && wire_pending(&channel->wire) < CHANNEL_QUEUE_HIGH / 2) {
        channel_streams_resume(channel);
    }
}

static void send_hello(struct channel *channel)
{
    static const uint8_t zeros[FRAME_PREAMBLE];
    uint8_t hello[FRAME_HELLO_LENGTH];
    memcpy(hello, channel->nonce, FRAME_NONCE);
    frame_put32(hello + FRAME_NONCE, FRAME_VERSION);
    wire_queue_raw(&channel->wire, zeros, sizeof(zeros));
    wire_queue(&channel->wire, FRAME_HELLO, 0, hello, sizeof(hello));
    channel->phase = LINK_HELLO;
    channel_link_flush(channel);
}

static void connected(struct channel *channel)
{
    if (channel->endpoint.kind != ENDPOINT_VSOCK_UDS) {
        send_hello(channel);
        return;
    }
    char line[32];
    int length = snprintf(line, sizeof(line), "CONNECT %u\n", channel->endpoint.port);
    wire_queue_raw(&channel->wire, line, (size_t)length);
    channel->phase = LINK_CONNECT;
    channel_link_flush(channel);
}

static void watch_link(struct channel *channel, int fd)
{
    wire_init(&channel->wire, fd, true);
    channel->watch =
        loop_watch_add(channel->loop, fd, EPOLLIN | EPOLLOUT, link_events, channel, NULL);
    if (channel->watch == NULL) {
        disconnect(channel);
        return;
    }
    if (channel->endpoint.kind == ENDPOINT_VSOCK) {
        channel->phase = LINK_CONNECTING; /* EPOLLOUT tells its end */
    } else {
        connected(channel);
    }
}

static void link_retry(void *context)
{
    struct channel *channel = context;
    channel->timer = NULL;
    if (channel->phase == LINK_DOWN) {
        int fd = endpoint_connect(&channel->endpoint, NULL);
        if (fd >= 0) {
            watch_link(channel, fd);
        }
    } else if (channel->phase == LINK_HELLO && wire_pending(&channel->wire) == 0) {
        send_hello(channel); /* a port that the guest had not opened yet may have dropped it */
    }
    arm_timer(channel);
}

/* The nonce tells this host's WELCOME from one that an earlier host left in the pipe, and from one
 * that a guest's program has printed. */
static void begin(struct channel *channel)
{
    if (getrandom(channel->nonce, FRAME_NONCE, GRND_NONBLOCK) != FRAME_NONCE) {
        int64_t now = clock_mono_ns();
        memcpy(channel->nonce, &now, sizeof(now));
    }
    channel->retry_ms = RETRY_FIRST_MS;
}

void channel_link_adopt(struct channel *channel, int fd)
{
    begin(channel);
    watch_link(channel, fd);
    arm_timer(channel);
}

void channel_link_start(void *context)
{
    struct channel *channel = context;
    if (channel_get_state(channel) == CHANNEL_CONNECTING) {
        begin(channel);
        link_retry(channel);
    }
    channel_release(channel);
}

/* Firecracker's "OK PORT\n"; what follows it is the agent's and stays in the socket. */
static void receive_ok(struct channel *channel)
{
    char answer[CONNECT_ANSWER_MAX];
    ssize_t got = recv(channel->wire.fd, answer, sizeof(answer), MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    const char *end = got > 0 ? memchr(answer, '\n', (size_t)got) : NULL;
    if (end == NULL && got > 0 && got < CONNECT_ANSWER_MAX) {
        return; /* the rest of the line is on its way */
    }
    if (end == NULL || got < 3 || memcmp(answer, "OK ", 3) != 0) {
        disconnect(channel); /* the guest does not listen yet */
        return;
    }
    (void)recv(channel->wire.fd, answer, (size_t)(end + 1 - answer), MSG_DONTWAIT);
    send_hello(channel);
}

static const char *receive_welcome(struct channel *channel, const struct frame *frame)
{
    if (frame->length < FRAME_WELCOME_LENGTH ||
        memcmp(frame->payload, channel->nonce, FRAME_NONCE) != 0) {
        return channel->phase == LINK_UP ? "a WELCOME that nobody asked for" : NULL;
    }
    if (frame_get32(frame->payload + FRAME_NONCE) != FRAME_VERSION) {
        return "it speaks another version of the protocol";
    }
    if (channel->phase != LINK_UP) { /* later ones answer repeated HELLOs */
        channel->phase = LINK_UP;
        cancel_timer(channel);
        channel_set_ready(channel);
    }
    return NULL;
}

/* NULL, or how the frame breaks the protocol. */
static const char *receive(struct channel *channel, const struct frame *frame)
{
    const char *why = NULL;
    if (frame->type == FRAME_WELCOME && frame->stream == 0) {
        return receive_welcome(channel, frame);
    }
    if (channel->phase != LINK_UP) {
        return NULL; /* left over from an earlier host's time */
    }
    if (frame->stream != 0) {
        return channel_stream_receive(channel, frame, &why) ? NULL : why;
    }
    if (frame->type == FRAME_PING) {
        if (wire_pending(&channel->wire) < CHANNEL_QUEUE_HIGH) {
            wire_queue(&channel->wire, FRAME_PONG, 0, frame->payload, frame->length);
            channel_link_flush(channel);
        }
        return NULL;
    }
    return frame->type == FRAME_PONG ? NULL : "an unknown frame";
}

static void receive_all(struct channel *channel)
{
    struct frame frame;
    const char *why = NULL;
    while (why == NULL && channel->watch != NULL && wire_next(&channel->wire, &frame)) {
        why = receive(channel, &frame);
    }
    if (why == NULL && channel->phase == LINK_UP && wire_is_garbled(&channel->wire)) {
        why = "garbage between frames";
    }
    if (why != NULL) {
        log_warn("guest agent: protocol error: %s", why);
        channel_link_close(channel, "the agent broke the protocol: %s", why);
    }
}

static void read_link(struct channel *channel)
{
    for (int i = 0; i < FILLS_A_TURN && channel->watch != NULL; i++) {
        int got = wire_fill(&channel->wire);
        if (got < 0) {
            lose_link(channel, errno);
            return;
        }
        if (got == 0) {
            return;
        }
        receive_all(channel);
    }
}

static void end_connecting(struct channel *channel)
{
    int failed = 0;
    socklen_t length = sizeof(failed);
    (void)getsockopt(channel->wire.fd, SOL_SOCKET, SO_ERROR, &failed, &length);
    if (failed != 0) {
        disconnect(channel);
    } else {
        connected(channel);
    }
}

static void link_events(void *context, uint32_t events)
{
    struct channel *channel = context;
    if (channel->phase == LINK_CONNECTING) {
        end_connecting(channel);
        return;
    }
    if (channel->phase == LINK_CONNECT && (events & ~(uint32_t)EPOLLOUT) != 0) {
        receive_ok(channel);
    } else if ((events & ~(uint32_t)EPOLLOUT) != 0) {
        read_link(channel);
    }
    channel_link_flush(channel);
    wire_trim(&channel->wire);
}
