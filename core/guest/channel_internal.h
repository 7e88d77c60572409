/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A channel's parts.
 *
 * 1. channel.c: what other threads see: the state, waiting for it, references.
 * 2. channel_link.c: the connection, on the loop's thread: connect (again and again, since nothing
 * answers before the guest listens), HELLO until WELCOME, then frames.
 * 3. channel_stream.c: a relay for each stream, on the loop's thread, between the link and a
 * caller's socket.
 *
 * Credit passes through between agent and caller; the relay holds both to it, so that a hostile
 * guest or a careless caller can make it keep no more than a window's worth.
 */
#ifndef GUEST_CHANNEL_INTERNAL_H
#define GUEST_CHANNEL_INTERNAL_H

#include "channel.h"
#include "endpoint.h"
#include "wire.h"

#include <pthread.h>

#define CHANNEL_REASON_MAX 200
/* Bytes queued to the guest beyond which no caller is read: the pipe's back-pressure. */
#define CHANNEL_QUEUE_HIGH (128 * 1024)

enum link_phase {
    LINK_DOWN,       /* no connection; the timer tries again */
    LINK_CONNECTING, /* vsock's connect is under way */
    LINK_CONNECT,    /* CONNECT sent, its OK awaited */
    LINK_HELLO,      /* HELLO sent, WELCOME awaited */
    LINK_UP,
};

struct channel_stream;

struct channel {
    struct loop *loop;

    pthread_mutex_t lock; /* guards the next five */
    pthread_cond_t changed;
    enum channel_state state;
    unsigned references;
    size_t stream_count;
    char reason[CHANNEL_REASON_MAX]; /* why it is closed */

    /* The loop's thread only. */
    struct endpoint endpoint;
    enum link_phase phase;
    struct wire wire;
    struct loop_watch *watch;
    struct loop_timer *timer;
    int64_t retry_ms;
    uint8_t nonce[FRAME_NONCE];
    struct channel_stream *streams;
    uint32_t last_number;
    bool callers_paused;
};

struct channel *channel_new(struct loop *loop);
void channel_reference(struct channel *channel);
void channel_release(struct channel *channel);
void channel_set_ready(struct channel *channel);

/* Begins connecting; the context is the channel (loop_post). */
void channel_link_start(void *context);
/* Takes a connected socket in place of connecting; for tests. */
void channel_link_adopt(struct channel *channel, int fd);
/* Ends the link and all streams for good; the first reason stays. */
void channel_link_close(struct channel *channel, const char *format, ...) BANGER_PRINTF(2, 3);
/* To be called after anything was queued on the wire. */
void channel_link_flush(struct channel *channel);

/* A frame of a stream has come. False: it breaks the protocol, as *why says. */
bool channel_stream_receive(struct channel *channel, const struct frame *frame, const char **why);
/* The queue to the guest has room again. */
void channel_streams_resume(struct channel *channel);
void channel_streams_drop(struct channel *channel); /* the channel is closed */

#endif
