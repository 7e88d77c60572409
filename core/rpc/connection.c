/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a connection.
 *  1. It is watched edge-triggered for both directions, once and for all: an idle one costs its
 *     struct and no buffer, and a worker that could not send all never needs the loop to re-arm.
 *  2. Workers send straight from their thread, under the lock. What the socket does not take stays
 *     in the outbox; the loop sends it when the edge says that there is room.
 *  3. A backlog of more than BACKLOG_MAX means that nobody reads: the worker that notices shuts the
 *     socket down, and the loop sees that as an end.
 *  4. The end (the peer's, an error, a message too long, the server's) happens on the loop's
 *     thread: the descriptor is closed under the lock, and the running calls are cancelled.
 *  5. When the end has come and the last call is over, in whichever order, the leases run.
 */
#include "connection.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "lines.h"
#include "message.h"
#include "outbox.h"
#include "protocol.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define BACKLOG_MAX ((size_t)4 * 1024 * 1024)
#define READ_SIZE 16384
#define READS_A_TURN 16 /* then others get their turn */
#define WATCHED (EPOLLIN | EPOLLOUT | EPOLLET)

struct lease {
    void (*fn)(void *context);
    void *context;
    struct lease *next;
};

struct connection {
    struct connection_set *set;
    struct connection *next; /* the list is the loop's thread's alone */
    struct connection *previous;
    struct loop_watch *watch;
    struct lines in; /* the loop's thread's alone */

    pthread_mutex_t lock;    /* guards all below */
    unsigned int references; /* the set's, and one a call */
    int fd;                  /* -1: closed */
    bool is_cut;             /* shut down by us: nothing is read or sent any more */
    struct outbox out;
    struct connection_call *calls;
    unsigned int call_count;
    struct lease *leases; /* the latest first */
};

static void lock(struct connection *connection)
{
    (void)pthread_mutex_lock(&connection->lock);
}

static void unlock(struct connection *connection)
{
    (void)pthread_mutex_unlock(&connection->lock);
}

/* Drops a reference. Enters with the lock held and leaves it. */
static void release(struct connection *connection)
{
    struct lease *due = NULL;
    if (connection->fd < 0 && connection->call_count == 0) {
        due = STEAL(connection->leases);
    }
    bool last = --connection->references == 0;
    struct pool *pool = connection->set->pool;
    unlock(connection);
    while (due != NULL) {
        struct lease *lease = due;
        due = lease->next;
        pool_submit(pool, lease->fn, lease->context);
        free(lease);
    }
    if (last) {
        (void)pthread_mutex_destroy(&connection->lock);
        free(connection);
    }
}

/* -- Sending ---------------------------------------------------------------------------------- */

/* With the lock held. The loop's thread sees the shutdown as an end and closes. */
static void cut(struct connection *connection)
{
    connection->is_cut = true;
    outbox_clear(&connection->out);
    (void)shutdown(connection->fd, SHUT_RDWR);
}

static void flush(struct connection *connection)
{
    if (outbox_flush(&connection->out, connection->fd) < 0) {
        cut(connection);
    }
}

void connection_send(struct connection *connection, struct buf message, int passed_fd)
{
    lock(connection);
    if (connection->fd < 0 || connection->is_cut) {
        buf_free(&message);
        cleanup_close(&passed_fd);
    } else if (connection->out.bytes > BACKLOG_MAX) {
        log_warn("a client does not read its messages: its connection is cut");
        buf_free(&message);
        cleanup_close(&passed_fd);
        cut(connection);
    } else {
        outbox_push(&connection->out, message, passed_fd);
        flush(connection);
    }
    unlock(connection);
}

/* -- The end ---------------------------------------------------------------------------------- */

static void cancel(struct connection_call *call)
{
    atomic_store(&call->cancelled, true);
    (void)pthread_cond_broadcast(&call->wake);
}

static void cancel_all(struct connection *connection)
{
    for (struct connection_call *call = connection->calls; call != NULL; call = call->next) {
        cancel(call);
    }
}

static void close_connection(struct connection *connection)
{
    struct connection_set *set = connection->set;
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        set->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    set->count--;
    loop_watch_remove(connection->watch);
    lines_free(&connection->in);
    lock(connection);
    (void)close(STEAL_FD(connection->fd));
    outbox_clear(&connection->out);
    cancel_all(connection);
    release(connection);
}

/* -- Receiving -------------------------------------------------------------------------------- */

static void refuse_long_message(struct connection *connection)
{
    banger_error err = BANGER_ERROR_INIT;
    (void)error_set(&err, BANGER_EINVALID, "a message has at most %d bytes", RPC_MESSAGE_MAX);
    connection_send(connection, message_error(NULL, RPC_INVALID_REQUEST, &err), -1);
}

static int take_lines(struct connection *connection, const char *data, size_t length)
{
    lines_add(&connection->in, data, length);
    size_t line_length = 0;
    const char *line = NULL;
    while ((line = lines_next(&connection->in, &line_length)) != NULL) {
        connection->set->receive(connection->set->context, connection, line, line_length);
    }
    if (lines_pending(&connection->in) > RPC_MESSAGE_MAX) {
        refuse_long_message(connection);
        return -1;
    }
    return 0;
}

/* Reads until there is no more (an edge is announced once), or leaves the rest for the next turn.
 * Returns -1 at the end. */
static int receive(struct connection *connection)
{
    char data[READ_SIZE];
    for (int reads = 0; reads < READS_A_TURN;) {
        ssize_t got = recv(connection->fd, data, sizeof(data), MSG_DONTWAIT);
        if (got > 0) {
            if (take_lines(connection, data, (size_t)got) < 0) {
                return -1;
            }
            reads++;
        } else if (got == 0 || errno != EINTR) {
            return got < 0 && errno == EAGAIN ? 0 : -1;
        }
    }
    loop_watch_set(connection->watch, WATCHED); /* announces what is left again */
    return 0;
}

static void on_event(void *context, uint32_t events)
{
    struct connection *connection = context;
    lock(connection);
    if ((events & EPOLLOUT) != 0 && !connection->is_cut) {
        flush(connection);
    }
    bool ended = connection->is_cut;
    unlock(connection);
    if (ended || receive(connection) < 0) {
        close_connection(connection);
    }
}

int connection_open(struct connection_set *set, int fd, banger_error *err)
{
    struct connection *connection = xcalloc(1, sizeof(*connection));
    *connection = (struct connection){.set = set, .fd = fd, .references = 1, .next = set->first};
    connection->watch = loop_watch_add(set->loop, fd, WATCHED, on_event, connection, err);
    if (connection->watch == NULL) {
        (void)close(fd);
        free(connection);
        return -1;
    }
    (void)pthread_mutex_init(&connection->lock, NULL);
    if (set->first != NULL) {
        set->first->previous = connection;
    }
    set->first = connection;
    set->count++;
    return 0;
}

void connection_set_cancel(struct connection_set *set)
{
    for (struct connection *at = set->first; at != NULL; at = at->next) {
        lock(at);
        cancel_all(at);
        unlock(at);
    }
}

void connection_set_close(struct connection_set *set)
{
    while (set->first != NULL) {
        close_connection(set->first);
    }
}

/* -- Calls ------------------------------------------------------------------------------------ */

static struct connection_call *find_call(struct connection *connection, const json_t *id)
{
    struct connection_call *call = connection->calls;
    while (call != NULL && !json_equal(call->id, id)) {
        call = call->next;
    }
    return call;
}

int connection_begin(struct connection *connection, struct connection_call *call, banger_error *err)
{
    int result = 0;
    lock(connection);
    if (connection->call_count >= RPC_REQUESTS_MAX) {
        (void)error_set(err, BANGER_EBUSY, "%d requests of this connection are running",
                        RPC_REQUESTS_MAX);
        result = error_hint(err, "wait for a response, or open another connection");
    } else if (find_call(connection, call->id) != NULL) {
        result = error_set(err, BANGER_EINVALID, "a request with this id is running");
    } else {
        (void)pthread_cond_init(&call->wake, NULL);
        call->next = connection->calls;
        connection->calls = call;
        connection->call_count++;
        connection->references++;
    }
    unlock(connection);
    return result;
}

void connection_end(struct connection *connection, struct connection_call *call)
{
    lock(connection);
    struct connection_call **at = &connection->calls;
    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
    connection->call_count--;
    (void)pthread_cond_destroy(&call->wake);
    release(connection);
}

void connection_cancel(struct connection *connection, const json_t *id)
{
    lock(connection);
    struct connection_call *call = find_call(connection, id);
    if (call != NULL) {
        cancel(call);
    }
    unlock(connection);
}

void connection_wait(struct connection *connection, struct connection_call *call)
{
    lock(connection);
    while (!call->woken && !atomic_load(&call->cancelled)) {
        (void)pthread_cond_wait(&call->wake, &connection->lock);
    }
    call->woken = false;
    unlock(connection);
}

void connection_wake(struct connection *connection, struct connection_call *call)
{
    lock(connection);
    call->woken = true;
    (void)pthread_cond_broadcast(&call->wake);
    unlock(connection);
}

void connection_lease(struct connection *connection, void (*fn)(void *context), void *context)
{
    struct lease *lease = xcalloc(1, sizeof(*lease));
    lock(connection);
    *lease = (struct lease){.fn = fn, .context = context, .next = connection->leases};
    connection->leases = lease;
    unlock(connection);
}
