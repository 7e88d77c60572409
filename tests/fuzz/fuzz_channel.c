/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hostile guest: after an honest WELCOME the fuzzer's bytes, as they are or (by the first of them)
 * put into whole frames, so that what is behind the framing is reached too. One caller has a stream
 * open and reads nothing. The channel must end and free everything. */
#include "base/clock.h"
#include "base/log.h"
#include "guest/channel_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct guest {
    struct loop *loop;
    struct channel *channel;
    int fd;     /* the guest's end */
    int caller; /* the caller's end of a stream */
    const uint8_t *data;
    size_t size;
};

static void stop(void *context)
{
    loop_stop(context);
}

/* Runs until what has been posted and what has come is handled. */
static void turn(struct loop *loop)
{
    loop_post(loop, stop, loop);
    (void)loop_run(loop, NULL);
}

static void greet(struct guest *guest)
{
    uint8_t welcome[FRAME_WELCOME_LENGTH] = {0};
    uint8_t wire[FRAME_HEADER + FRAME_WELCOME_LENGTH + 1];
    memcpy(welcome, guest->channel->nonce, FRAME_NONCE);
    frame_put32(welcome + FRAME_NONCE, FRAME_VERSION);
    size_t size = frame_encode(wire, FRAME_WELCOME, 0, welcome, sizeof(welcome));
    (void)!write(guest->fd, wire, size);
}

static void attack(struct guest *guest)
{
    while (guest->size != 0) {
        ssize_t sent = send(guest->fd, guest->data, guest->size, MSG_DONTWAIT | MSG_NOSIGNAL);
        char drop[4096];
        while (recv(guest->fd, drop, sizeof(drop), MSG_DONTWAIT) > 0) {
        }
        if (sent > 0) {
            guest->data += sent;
            guest->size -= (size_t)sent;
        } else if (channel_get_state(guest->channel) == CHANNEL_CLOSED) {
            return;
        }
        turn(guest->loop);
    }
}

/* The bytes are records of type, stream (4 bits) and length, each with its payload. */
static void put_into_frames(const uint8_t *data, size_t size, struct buf *out)
{
    while (size >= 4) {
        size_t length = frame_get16(data + 2) % FRAME_PAYLOAD_MAX;
        uint8_t type = data[0] % (FRAME_PONG + 2);
        uint32_t stream = data[1] & 15;
        data += 4;
        size -= 4;
        length = length < size ? length : size;
        buf_reserve(out, FRAME_HEADER + length + 1);
        out->length +=
            frame_encode((uint8_t *)out->data + out->length, type, stream, data, (uint32_t)length);
        data += length;
        size -= length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    AUTO_BUF struct buf frames = BUF_INIT;
    if (size != 0 && (data[0] & 1) != 0) {
        put_into_frames(data + 1, size - 1, &frames);
        data = (const uint8_t *)frames.data;
        size = frames.length;
    }
    log_set_level(BANGER_LOG_ERROR);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
        abort();
    }
    struct guest guest = {.loop = loop_new(NULL), .fd = ends[0], .data = data, .size = size};
    guest.channel = channel_new(guest.loop);
    channel_link_adopt(guest.channel, ends[1]);
    greet(&guest);
    while (channel_get_state(guest.channel) != CHANNEL_READY) {
        char drop[4096];
        turn(guest.loop);
        while (recv(guest.fd, drop, sizeof(drop), MSG_DONTWAIT) > 0) {
        }
    }
    guest.caller = channel_open_stream(guest.channel, SERVICE_STATS, NULL, 0, NULL);
    turn(guest.loop);
    attack(&guest);
    channel_close(guest.channel);
    turn(guest.loop);
    (void)close(guest.caller);
    (void)close(guest.fd);
    loop_free(guest.loop);
    return 0;
}
