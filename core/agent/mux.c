/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mux.h"

#include "frame.h"
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define OUT_SOFT (128 * 1024)  /* no more output is read from services beyond this */
#define OUT_HARD (1024 * 1024) /* a host that asks and never reads is as good as gone */

struct mux {
    int link;
    int reply;
    int edge;  /* the edge-triggered set of the two */
    int place; /* of `edge` in this round's poll set */
    bool persistent;
    bool over;
    bool greeted;
    bool writable; /* false after EAGAIN until the link stirs */
    struct frame_parser parser;
    struct queue out;
    struct stream *streams[FRAME_STREAMS_MAX];
    size_t count;
    size_t turn; /* who may read first, so that none is always last */
};

static int edge_add(int edge, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLET};
    return epoll_ctl(edge, EPOLL_CTL_ADD, fd, &event);
}

struct mux *mux_new(int link, int reply, bool persistent)
{
    struct mux *mux = calloc(1, sizeof(*mux));
    if (mux != NULL) {
        *mux = (struct mux){.link = link, .reply = reply, .persistent = persistent};
        mux->edge = epoll_create1(EPOLL_CLOEXEC);
        int failed = link == reply ? edge_add(mux->edge, link, EPOLLIN | EPOLLOUT)
                                   : edge_add(mux->edge, link, EPOLLIN) |
                                         edge_add(mux->edge, reply, EPOLLOUT);
        mux->writable = true;
        if (failed == 0) {
            return mux;
        }
        (void)close(mux->edge);
        free(mux);
    }
    (void)close(link);
    if (reply != link) {
        (void)close(reply);
    }
    return NULL;
}

static void drop_streams(struct mux *mux)
{
    for (size_t i = 0; i < mux->count; i++) {
        stream_abandon(mux->streams[i]);
    }
    mux->count = 0;
    queue_clear(&mux->out);
}

void mux_free(struct mux *mux)
{
    drop_streams(mux);
    (void)close(mux->edge);
    (void)close(mux->link);
    if (mux->reply != mux->link) {
        (void)close(mux->reply);
    }
    free(mux);
}

bool mux_is_over(const struct mux *mux)
{
    return mux->over;
}

/* The host has gone, or broke the protocol beyond repair. */
static void lose_host(struct mux *mux)
{
    drop_streams(mux);
    mux->greeted = false;
    mux->over = !mux->persistent;
}

bool mux_has_room(const struct mux *mux)
{
    return mux->out.length < OUT_SOFT;
}

void mux_send(struct mux *mux, uint8_t type, uint32_t number, const void *payload, size_t length)
{
    size_t size = FRAME_HEADER + length + 1;
    uint8_t *room = mux->out.length < OUT_HARD ? queue_room(&mux->out, size) : NULL;
    if (room == NULL) {
        mux->over = !mux->persistent;
        mux->greeted = false; /* every stream goes when this round is done: see mux_serve */
        return;
    }
    queue_commit(&mux->out, frame_encode(room, type, number, payload, (uint32_t)length));
}

ssize_t mux_relay(struct mux *mux, uint8_t type, uint32_t number, int fd, size_t limit)
{
    limit = limit < FRAME_PAYLOAD_MAX ? limit : FRAME_PAYLOAD_MAX;
    uint8_t *room = queue_room(&mux->out, FRAME_HEADER + limit + 1);
    if (room == NULL) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t got = read(fd, room + FRAME_HEADER, limit);
    if (got > 0) {
        queue_commit(&mux->out,
                     frame_encode(room, type, number, room + FRAME_HEADER, (uint32_t)got));
    }
    return got;
}

static void receive_hello(struct mux *mux, const struct frame *frame)
{
    static const char text[] = "banger-agent " BANGER_VERSION;
    if (frame->length != FRAME_HELLO_LENGTH) {
        return;
    }
    struct timespec boot;
    (void)clock_gettime(CLOCK_BOOTTIME, &boot);
    uint8_t answer[FRAME_WELCOME_LENGTH + sizeof(text) - 1];
    memcpy(answer, frame->payload, FRAME_NONCE);
    frame_put32(answer + FRAME_NONCE, FRAME_VERSION);
    frame_put64(answer + FRAME_NONCE + 4,
                (uint64_t)boot.tv_sec * 1000000000 + (uint64_t)boot.tv_nsec);
    memcpy(answer + FRAME_WELCOME_LENGTH, text, sizeof(text) - 1);
    drop_streams(mux);
    mux->greeted = true;
    mux_send(mux, FRAME_WELCOME, 0, answer, sizeof(answer));
}

static void refuse(struct mux *mux, uint32_t number, const char *why)
{
    uint8_t payload[128];
    size_t length = strlen(why);
    frame_put32(payload, 1);
    memcpy(payload + 4, why, length);
    mux_send(mux, FRAME_EXIT, number, payload, 4 + length);
}

static size_t find_stream(const struct mux *mux, uint32_t number)
{
    size_t i = 0;
    while (i < mux->count && stream_number(mux->streams[i]) != number) {
        i++;
    }
    return i;
}

static void remove_stream(struct mux *mux, size_t i)
{
    mux->streams[i] = mux->streams[--mux->count];
}

static void receive_open(struct mux *mux, const struct frame *frame)
{
    if (frame->stream == 0 || find_stream(mux, frame->stream) < mux->count) {
        return; /* the host's defect: it cannot be told on that number */
    }
    if (mux->count == FRAME_STREAMS_MAX) {
        refuse(mux, frame->stream, "too many streams are open in the guest");
        return;
    }
    struct stream *stream = stream_open(mux, frame);
    if (stream != NULL) {
        mux->streams[mux->count++] = stream;
    }
}

static void receive(struct mux *mux, const struct frame *frame)
{
    if (frame->type == FRAME_HELLO) {
        receive_hello(mux, frame);
        return;
    }
    if (!mux->greeted) {
        return;
    }
    if (frame->type == FRAME_PING) {
        if (mux_has_room(mux)) {
            mux_send(mux, FRAME_PONG, frame->stream, frame->payload, frame->length);
        }
        return;
    }
    if (frame->type == FRAME_OPEN) {
        receive_open(mux, frame);
        return;
    }
    size_t i = find_stream(mux, frame->stream);
    if (i < mux->count && !stream_receive(mux->streams[i], frame)) {
        remove_stream(mux, i);
    }
}

static void read_link(struct mux *mux)
{
    struct frame_parser *parser = &mux->parser;
    while (!mux->over) {
        ssize_t got =
            read(mux->link, parser->data + parser->used, sizeof(parser->data) - parser->used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            lose_host(mux);
            return;
        }
        parser->used += (size_t)got;
        struct frame frame;
        while (frame_next(parser, &frame) == 1) {
            receive(mux, &frame);
        }
    }
}

static void write_link(struct mux *mux)
{
    if (!mux->writable || mux->out.length == 0 || queue_write(&mux->out, mux->reply) == 0) {
        return;
    }
    if (errno == EAGAIN) {
        mux->writable = false;
    } else {
        lose_host(mux);
    }
}

void mux_interest(struct mux *mux, struct pollset *set)
{
    mux->place = pollset_add(set, mux->edge, POLLIN);
    for (size_t i = 0; i < mux->count; i++) {
        stream_interest(mux->streams[i], set);
    }
}

static void serve_streams(struct mux *mux, const struct pollset *set)
{
    size_t served = mux->count;
    mux->turn++;
    for (size_t n = 0; n < served; n++) {
        struct stream **stream = &mux->streams[(mux->turn + n) % served];
        if (!stream_serve(*stream, set)) {
            *stream = NULL;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < mux->count; i++) {
        if (mux->streams[i] != NULL) {
            mux->streams[kept++] = mux->streams[i];
        }
    }
    mux->count = kept;
}

void mux_serve(struct mux *mux, const struct pollset *set)
{
    /* The services first: their places in the set are this round's, and a frame from the link may
     * open or end some. */
    serve_streams(mux, set);
    if (pollset_ready(set, mux->place) != 0) {
        struct epoll_event events[2];
        (void)epoll_wait(mux->edge, events, 2, 0);
        mux->writable = true;
        read_link(mux);
    }
    write_link(mux);
    if (!mux->greeted && mux->count != 0) {
        lose_host(mux);
    }
    if (mux->count == 0 && mux->out.length == 0) {
        queue_clear(&mux->out);
    }
}

bool mux_child_ended(struct mux *mux, pid_t pid, int status)
{
    for (size_t i = 0; i < mux->count; i++) {
        if (stream_pid(mux->streams[i]) == pid) {
            if (!stream_child_ended(mux->streams[i], status)) {
                remove_stream(mux, i);
            }
            return true;
        }
    }
    return false;
}
