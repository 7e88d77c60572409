/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A relay's life: opened by a caller; EXIT from the agent is delivered to the caller and ends it.
 * When the caller goes first, RESET goes to the agent, and the relay stays, deaf, until the agent's
 * EXIT says that nothing more can come for its number.
 */
#include "channel_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* What may be queued for one caller: a window of data in frames that could not be joined. */
#define CALLER_QUEUE_MAX (4 * FRAME_WINDOW)

struct channel_stream {
    struct channel *channel;
    struct channel_stream *next;
    uint32_t number;
    struct wire wire; /* to the caller; its fd is -1 once the caller has gone */
    struct loop_watch *watch;
    size_t from_agent; /* bytes of data that the agent may still send */
    size_t from_caller;
    bool ended;         /* the agent sends no more data */
    bool exited;        /* EXIT is queued for the caller */
    struct buf request; /* until it is sent */
};

static void stream_events(void *context, uint32_t events);

static void stream_free(struct channel_stream *stream)
{
    struct channel *channel = stream->channel;
    loop_watch_remove(stream->watch);
    wire_free(&stream->wire);
    buf_free(&stream->request);
    free(stream);
    (void)pthread_mutex_lock(&channel->lock);
    channel->stream_count--;
    (void)pthread_mutex_unlock(&channel->lock);
}

static void unlink_and_free(struct channel_stream *stream)
{
    struct channel_stream **at = &stream->channel->streams;
    while (*at != stream) {
        at = &(*at)->next;
    }
    *at = stream->next;
    stream_free(stream);
}

void channel_streams_drop(struct channel *channel)
{
    while (channel->streams != NULL) {
        unlink_and_free(channel->streams);
    }
}

static void set_interest(struct channel_stream *stream)
{
    bool full = wire_pending(&stream->channel->wire) >= CHANNEL_QUEUE_HIGH;
    bool reads = !full && !stream->exited;
    bool writes = wire_pending(&stream->wire) != 0;
    stream->channel->callers_paused = stream->channel->callers_paused || full;
    loop_watch_set(stream->watch, (reads ? EPOLLIN : 0U) | (writes ? EPOLLOUT : 0U));
}

void channel_streams_resume(struct channel *channel)
{
    channel->callers_paused = false;
    for (struct channel_stream *stream = channel->streams; stream != NULL; stream = stream->next) {
        if (stream->watch != NULL) {
            set_interest(stream);
        }
    }
}

/* The caller has gone, or does what it must not. */
static void drop_caller(struct channel_stream *stream)
{
    if (stream->exited) {
        unlink_and_free(stream);
        return;
    }
    loop_watch_remove(stream->watch);
    stream->watch = NULL;
    wire_free(&stream->wire);
    wire_queue(&stream->channel->wire, FRAME_RESET, stream->number, NULL, 0);
}

/* Returns false when the relay has ended. */
static bool flush_caller(struct channel_stream *stream)
{
    int sent = wire_flush(&stream->wire);
    if (sent < 0 || (sent == 1 && stream->exited)) {
        drop_caller(stream);
        return false;
    }
    set_interest(stream);
    return true;
}

/* -- From the agent ---------------------------------------------------------------------------- */

static struct channel_stream *find_stream(const struct channel *channel, uint32_t number)
{
    struct channel_stream *stream = channel->streams;
    while (stream != NULL && (stream->number != number || stream->exited)) {
        stream = stream->next;
    }
    return stream;
}

static const char *take_data(struct channel_stream *stream, const struct frame *frame)
{
    if (frame->length == 0) {
        return "an empty data frame";
    }
    if (stream->ended) {
        return "data behind its end";
    }
    if (frame->length > stream->from_agent) {
        return "data beyond its credit";
    }
    stream->from_agent -= frame->length;
    if (stream->wire.fd >= 0) {
        wire_queue_data(&stream->wire, frame->type, 0, frame->payload, frame->length);
    }
    return NULL;
}

/* Once a stream, so that a guest cannot fill the caller's queue with it. */
static const char *take_end(struct channel_stream *stream, const struct frame *frame)
{
    if (frame->length != 0 || stream->ended) {
        return "an end that is none";
    }
    stream->ended = true;
    if (stream->wire.fd >= 0) {
        wire_queue(&stream->wire, FRAME_EOF, 0, NULL, 0);
    }
    return NULL;
}

static const char *take_credit(struct channel_stream *stream, const struct frame *frame)
{
    size_t bytes = frame->length == 4 ? frame_get32(frame->payload) : 0;
    if (bytes == 0 || bytes > FRAME_WINDOW - stream->from_caller) {
        return "credit for more than was sent";
    }
    stream->from_caller += bytes;
    if (stream->wire.fd >= 0) {
        wire_queue_credit(&stream->wire, 0, bytes);
    }
    return NULL;
}

static const char *take_frame(struct channel_stream *stream, const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_STDOUT:
    case FRAME_STDERR:
        return take_data(stream, frame);
    case FRAME_CREDIT:
        return take_credit(stream, frame);
    case FRAME_EOF:
        return take_end(stream, frame);
    case FRAME_EXIT:
        if (wire_exit_status(frame) < 0) {
            return "a malformed EXIT";
        }
        stream->exited = true;
        if (stream->wire.fd >= 0) {
            wire_queue(&stream->wire, FRAME_EXIT, 0, frame->payload, frame->length);
        }
        return NULL;
    default:
        return "a frame that a stream does not have";
    }
}

bool channel_stream_receive(struct channel *channel, const struct frame *frame, const char **why)
{
    struct channel_stream *stream = find_stream(channel, frame->stream);
    *why = stream != NULL ? take_frame(stream, frame) : "a frame of a stream that is not open";
    if (*why != NULL) {
        return false;
    }
    if (stream->wire.fd < 0) {
        if (stream->exited) {
            unlink_and_free(stream);
        }
        return true;
    }
    if (flush_caller(stream) && wire_pending(&stream->wire) > CALLER_QUEUE_MAX) {
        drop_caller(stream);
        channel_link_flush(channel);
    }
    return true;
}

/* -- From the caller --------------------------------------------------------------------------- */

static bool caller_may(struct channel_stream *stream, const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_STDIN:
        if (frame->length == 0 || frame->length > stream->from_caller) {
            return false;
        }
        stream->from_caller -= frame->length;
        return true;
    case FRAME_CREDIT: {
        size_t bytes = frame->length == 4 ? frame_get32(frame->payload) : 0;
        if (bytes == 0 || bytes > FRAME_WINDOW - stream->from_agent) {
            return false;
        }
        stream->from_agent += bytes;
        return true;
    }
    case FRAME_EOF:
        return frame->length == 0;
    case FRAME_RESIZE:
    case FRAME_SIGNAL:
        return frame->length == 4;
    default:
        return false; /* RESET too: a caller closes its socket */
    }
}

/* Returns false when the caller is gone or was dropped. */
static bool read_caller(struct channel_stream *stream)
{
    struct frame frame;
    bool good = wire_fill(&stream->wire) >= 0;
    while (good && wire_next(&stream->wire, &frame)) {
        good = caller_may(stream, &frame);
        if (good) {
            wire_queue(&stream->channel->wire, frame.type, stream->number, frame.payload,
                       frame.length);
        }
    }
    if (!good || wire_is_garbled(&stream->wire)) {
        drop_caller(stream);
        return false;
    }
    return true;
}

static void stream_events(void *context, uint32_t events)
{
    struct channel_stream *stream = context;
    struct channel *channel = stream->channel;
    bool there = true;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        drop_caller(stream); /* also while it is not read: HUP comes whether asked for or not */
        there = false;
    } else if ((events & EPOLLIN) != 0) {
        there = read_caller(stream);
    }
    if (there && flush_caller(stream)) {
        wire_trim(&stream->wire);
    }
    channel_link_flush(channel);
}

/* -- Opening ----------------------------------------------------------------------------------- */

static void start_on_loop(void *context)
{
    struct channel_stream *stream = context;
    struct channel *channel = stream->channel;
    if (channel->phase == LINK_UP) {
        stream->watch =
            loop_watch_add(channel->loop, stream->wire.fd, EPOLLIN, stream_events, stream, NULL);
    }
    if (stream->watch == NULL) {
        stream_free(stream); /* the caller reads the end */
    } else {
        stream->number = ++channel->last_number;
        stream->next = channel->streams;
        channel->streams = stream;
        wire_queue(&channel->wire, FRAME_OPEN, stream->number, stream->request.data,
                   stream->request.length);
        buf_free(&stream->request);
        channel_link_flush(channel);
        wire_trim(&channel->wire);
    }
    channel_release(channel);
}

/* Takes a place among the streams and a reference for the job. */
static int take_place(struct channel *channel, banger_error *err)
{
    int result = 0;
    (void)pthread_mutex_lock(&channel->lock);
    if (channel->state == CHANNEL_CLOSED) {
        result = error_set(err, BANGER_EGUEST, "the channel to the guest's agent is closed: %s",
                           channel->reason);
    } else if (channel->state != CHANNEL_READY) {
        result = error_set(err, BANGER_EBUSY, "the guest's agent has not answered yet");
    } else if (channel->stream_count >= FRAME_STREAMS_MAX) {
        result = error_set(err, BANGER_EBUSY, "%d commands and copies are under way in the guest",
                           FRAME_STREAMS_MAX);
    } else {
        channel->stream_count++;
        channel->references++;
    }
    (void)pthread_mutex_unlock(&channel->lock);
    return result;
}

int channel_open_stream(struct channel *channel, int service, const void *request, size_t length,
                        banger_error *err)
{
    int ends[2];
    if (length >= FRAME_PAYLOAD_MAX) {
        return error_set(err, BANGER_EINVALID, "the request is too long: at most %d bytes",
                         FRAME_PAYLOAD_MAX - 1);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        return error_sys(err, errno, "cannot create a socket pair");
    }
    if (take_place(channel, err) < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return -1;
    }
    struct channel_stream *stream = xcalloc(1, sizeof(*stream));
    uint8_t kind = (uint8_t)service;
    stream->channel = channel;
    stream->from_agent = FRAME_WINDOW;
    stream->from_caller = FRAME_WINDOW;
    wire_init(&stream->wire, ends[0], false);
    buf_append(&stream->request, &kind, 1);
    buf_append(&stream->request, request, length);
    loop_post(channel->loop, start_on_loop, stream);
    return ends[1];
}
