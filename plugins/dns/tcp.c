/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams (RFC 7766): messages behind their length in two bytes, any number in either direction.
 *
 * 1. Accept, unless this peer has its share; the one that has been idle the longest makes room.
 * 2. Read into a buffer of one message; each whole one is asked at once. Answers that come from
 *    upstream later overtake and are overtaken: the asker tells them apart by their ids.
 * 3. Answers wait in a buffer while the peer is slow. Beyond a bound nothing more is read from it.
 * 4. Silence for `idle_ms` ends it, and so does a message that is longer than a query can be.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ACCEPTS_MAX 16                             /* a round */
#define OUT_FULL 65536                             /* from here on no query is read */
#define OUT_MAX (OUT_FULL + 2 * (MESSAGE_MAX + 2)) /* from here on answers are lost */

struct connection {
    struct watch watch; /* first: it is what gets freed */
    struct client client;
    int64_t active_ms;
    bool ended; /* the peer says no more */
    bool writing;
    uint32_t events; /* that are waited for */
    size_t in_used;
    uint8_t in[2 + MESSAGE_QUERY];
    uint8_t *out;
    size_t out_used;
    size_t out_sent;
    size_t out_room;
};

static void close_connection(struct server *server, struct connection *connection)
{
    forward_forget(server, connection);
    for (size_t i = 0; i < server->connection_count; i++) {
        if (server->connections[i] == connection) {
            server->connections[i] = server->connections[--server->connection_count];
            break;
        }
    }
    free(connection->out);
    connection->out = NULL;
    server_unwatch(server, &connection->watch);
}

static bool is_gone(const struct connection *connection)
{
    return connection->watch.ready == NULL;
}

/* -- Writing -- */

static bool reserve(struct connection *connection, size_t length)
{
    size_t wanted = connection->out_used + length;
    uint8_t *out;

    if (wanted <= connection->out_room) {
        return true;
    }
    wanted = wanted < 4096 ? 4096 : wanted * 2;
    out = realloc(connection->out, wanted);
    if (out == NULL) {
        return false;
    }
    connection->out = out;
    connection->out_room = wanted;
    return true;
}

static bool queue(struct connection *connection, const uint8_t *wire, size_t length)
{
    if (connection->out_used + length + 2 > OUT_MAX || !reserve(connection, length + 2)) {
        return false;
    }
    message_put16(connection->out + connection->out_used, (uint16_t)length);
    memcpy(connection->out + connection->out_used + 2, wire, length);
    connection->out_used += length + 2;
    return true;
}

/* Is there a message that waits for room, because the peer was slow to take answers? */
static bool has_message(const struct connection *connection)
{
    return connection->in_used >= 2 &&
           connection->in_used - 2 >= (size_t)message_get16(connection->in);
}

/* Waits for what the connection's state calls for. */
static void rewatch(struct server *server, struct connection *connection)
{
    bool reading = !connection->ended && connection->out_used < OUT_FULL;

    uint32_t events =
        (reading ? EPOLLIN : 0u) | (connection->writing || has_message(connection) ? EPOLLOUT : 0u);

    if (events != connection->events) {
        connection->events = events;
        server_rewatch(server, &connection->watch, events);
    }
}

/* Sends what waits. */
static void flush(struct server *server, struct connection *connection)
{
    while (connection->out_sent < connection->out_used) {
        ssize_t sent =
            send(connection->watch.fd, connection->out + connection->out_sent,
                 connection->out_used - connection->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN) {
            close_connection(server, connection);
            return;
        }
        if (sent <= 0) {
            break;
        }
        connection->out_sent += (size_t)sent;
        connection->active_ms = server->now_ms;
    }
    connection->writing = connection->out_sent < connection->out_used;
    if (!connection->writing) {
        connection->out_sent = connection->out_used = 0;
    }
    if (connection->ended && !connection->writing && !has_message(connection) &&
        !forward_waits(server, connection)) {
        close_connection(server, connection);
        return;
    }
    rewatch(server, connection);
}

void tcp_send(struct server *server, struct connection *connection, const uint8_t *wire,
              size_t length)
{
    if (queue(connection, wire, length)) {
        flush(server, connection);
    }
}

/* -- Reading -- */

/* Asks for every whole message, as long as there is room for answers; false: the peer is no resolver.
 */
static bool take_messages(struct server *server, struct connection *connection)
{
    uint8_t answer[ANSWER_MAX];
    size_t at = 0;

    while (connection->in_used - at >= 2 && connection->out_used < OUT_FULL) {
        size_t length = message_get16(connection->in + at);
        size_t answered;

        if (length < MESSAGE_HEADER || length > MESSAGE_QUERY) {
            return false;
        }
        if (connection->in_used - at - 2 < length) {
            break;
        }
        answered = server_ask(server, &connection->client, connection->in + at + 2, length, answer);
        if (answered > 0 && !queue(connection, answer, answered)) {
            return false;
        }
        at += 2 + length;
    }
    connection->in_used -= at;
    memmove(connection->in, connection->in + at, connection->in_used);
    return true;
}

static void read_some(struct server *server, struct connection *connection)
{
    ssize_t got = recv(connection->watch.fd, connection->in + connection->in_used,
                       sizeof(connection->in) - connection->in_used, MSG_DONTWAIT);

    if (got < 0 && errno != EAGAIN) {
        close_connection(server, connection);
        return;
    }
    if (got == 0) {
        connection->ended = true;
    } else if (got > 0) {
        connection->in_used += (size_t)got;
        connection->active_ms = server->now_ms;
    }
}

static void connection_ready(struct server *server, struct watch *watch, uint32_t events)
{
    struct connection *connection = (struct connection *)(void *)watch;

    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        close_connection(server, connection);
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        flush(server, connection);
    }
    if (!is_gone(connection) && (events & EPOLLIN) != 0 && !connection->ended &&
        connection->in_used < sizeof(connection->in)) {
        read_some(server, connection);
    }
    if (is_gone(connection)) {
        return;
    }
    if (!take_messages(server, connection)) {
        close_connection(server, connection);
        return;
    }
    flush(server, connection);
}

/* -- Coming and going -- */

static size_t count_of_peer(const struct server *server, const struct endpoint *peer)
{
    struct address wanted = endpoint_address(peer);
    size_t count = 0;

    for (size_t i = 0; i < server->connection_count; i++) {
        struct address address = endpoint_address(&server->connections[i]->client.peer);

        count += address_equal(&address, &wanted) ? 1 : 0;
    }
    return count;
}

static void close_oldest(struct server *server)
{
    struct connection *oldest = server->connections[0];

    if (server->connection_count == 0) {
        return;
    }
    for (size_t i = 1; i < server->connection_count; i++) {
        if (server->connections[i]->active_ms < oldest->active_ms) {
            oldest = server->connections[i];
        }
    }
    close_connection(server, oldest);
}

static bool add_connection(struct server *server, struct listener *listener, int fd,
                           const struct endpoint *peer)
{
    struct connection *connection;

    if (count_of_peer(server, peer) >= CONNECTIONS_PER_PEER) {
        return false;
    }
    if (server->connection_count == CONNECTIONS_MAX) {
        close_oldest(server);
    }
    connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return false;
    }
    connection->watch = (struct watch){.ready = connection_ready, .fd = fd};
    connection->client =
        (struct client){.listener = listener, .connection = connection, .peer = *peer};
    connection->active_ms = server->now_ms;
    connection->events = EPOLLIN;
    if (server_watch(server, &connection->watch, EPOLLIN) < 0) {
        free(connection);
        return false;
    }
    server->connections[server->connection_count++] = connection;
    return true;
}

void tcp_accept(struct server *server, struct watch *watch, uint32_t events)
{
    struct listener *listener =
        (struct listener *)(void *)((char *)watch - offsetof(struct listener, tcp));

    (void)events;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct endpoint peer = {.length = sizeof(peer.storage)};
        int fd = accept4(watch->fd, &peer.any, &peer.length, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) { /* else epoll would call again at once */
                close_oldest(server);
            }
            return;
        }
        if (!add_connection(server, listener, fd, &peer)) {
            (void)close(fd);
        }
    }
}

void tcp_sweep(struct server *server)
{
    for (size_t i = server->connection_count; i-- > 0;) {
        if (server->now_ms - server->connections[i]->active_ms >= server->options.idle_ms) {
            close_connection(server, server->connections[i]);
        }
    }
}

void tcp_close_all(struct server *server)
{
    while (server->connection_count > 0) {
        close_connection(server, server->connections[0]);
    }
}
