/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server.h"

#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define SWEEP_MS 100 /* how late a deadline may be noticed */
#define BACKLOG 64
#define BIND_TRIES 8 /* port 0: the UDP socket's port may be taken for TCP */

/* -- Watches -- */

int server_watch(struct server *server, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(server->epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

void server_rewatch(struct server *server, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    (void)epoll_ctl(server->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void server_unwatch(struct server *server, struct watch *watch)
{
    if (watch->fd >= 0) {
        /* Closing alone would not do while a child of the daemon's has copies until it executes. */
        (void)epoll_ctl(server->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
        (void)close(watch->fd);
    }
    watch->fd = -1;
    watch->ready = NULL;
    watch->next_gone = server->gone;
    server->gone = watch;
}

static void free_gone(struct server *server)
{
    while (server->gone != NULL) {
        struct watch *watch = server->gone;

        server->gone = watch->next_gone;
        free(watch);
    }
}

/* -- Asking -- */

size_t server_ask(struct server *server, const struct client *client, const uint8_t *wire,
                  size_t length, uint8_t out[ANSWER_MAX])
{
    struct query query;
    size_t out_length = 0;

    switch (memo_answer(server->memo, server->zone, client->listener->view, wire, length, &query,
                        out, &out_length)) {
    case ANSWER_FORWARD:
        return forward_query(server, client, &query, length, out);
    case ANSWER_READY:
        break;
    default:
        return 0;
    }
    if (out_length > MESSAGE_PLAIN && client->connection == NULL &&
        out_length > query_limit(&query)) {
        return message_reply(&query, (enum message_rcode)(out[3] & 0x0f),
                             MESSAGE_AA | MESSAGE_TC | answer_flags(client->listener->view), out);
    }
    return out_length;
}

void client_send(struct server *server, const struct client *client, const uint8_t *wire,
                 size_t length)
{
    if (client->connection != NULL) {
        tcp_send(server, client->connection, wire, length);
    } else {
        udp_send(client, wire, length);
    }
}

/* -- The thread -- */

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void stop_ready(struct server *server, struct watch *watch, uint32_t events)
{
    (void)server;
    (void)watch;
    (void)events;
}

/* One round; false: the server is to end. */
static bool run_round(struct server *server)
{
    struct epoll_event events[EVENTS_MAX];
    bool busy = server->job_count > 0 || server->connection_count > 0;
    int count = epoll_wait(server->epoll, events, EVENTS_MAX, busy ? SWEEP_MS : -1);
    bool going = true;

    server->now_ms = monotonic_ms();
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;

        going = going && watch != &server->stop;
        if (watch->ready != NULL) {
            watch->ready(server, watch, events[i].events);
        }
    }
    return going;
}

static void *run(void *argument)
{
    struct server *server = argument;
    int64_t swept = 0;

    while (run_round(server)) {
        if (server->now_ms - swept >= SWEEP_MS) {
            forward_sweep(server);
            tcp_sweep(server);
            swept = server->now_ms;
        }
        free_gone(server);
    }
    forward_forget(server, NULL);
    tcp_close_all(server);
    free_gone(server);
    return NULL;
}

/* Signals are the daemon's: its own threads wait for them. */
static int start_thread(struct server *server)
{
    sigset_t all;
    sigset_t before;
    int result;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&server->thread, NULL, run, server);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static void server_dispose(struct server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        (void)close(server->listeners[i]->udp.fd);
        (void)close(server->listeners[i]->tcp.fd);
        free(server->listeners[i]);
    }
    if (server->stop.fd >= 0) {
        (void)close(server->stop.fd);
    }
    if (server->epoll >= 0) {
        (void)close(server->epoll);
    }
    (void)pthread_mutex_destroy(&server->lock);
    resolv_free(server->resolv);
    memo_free(server->memo);
    free(server->batch);
    free(server);
}

struct server *server_new(struct zone *zone, const struct server_options *options)
{
    struct server *server = calloc(1, sizeof(*server));
    int result = ENOMEM;

    if (server == NULL) {
        return NULL;
    }
    server->zone = zone;
    server->options = *options;
    if (server->options.idle_ms == 0) {
        server->options.idle_ms = SERVER_IDLE_MS;
    }
    (void)pthread_mutex_init(&server->lock, NULL);
    server->memo = memo_new();
    server->batch = udp_batch_new();
    server->resolv = resolv_new();
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->stop = (struct watch){.ready = stop_ready, .fd = eventfd(0, EFD_CLOEXEC)};
    if (server->memo != NULL && server->batch != NULL && server->resolv != NULL) {
        result = server->epoll < 0 || server->stop.fd < 0
                     ? errno
                     : -server_watch(server, &server->stop, EPOLLIN);
        result = result != 0 ? result : start_thread(server);
    }
    if (result != 0) {
        server_dispose(server);
        errno = result;
        return NULL;
    }
    return server;
}

void server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    (void)eventfd_write(server->stop.fd, 1);
    (void)pthread_join(server->thread, NULL);
    server_dispose(server);
}

/* -- Listening -- */

/* Options that matter: the address may come later, a restarted daemon may have its port again, and
 * the IPv6 listener leaves IPv4 alone. */
static int bind_socket(int type, const struct endpoint *endpoint)
{
    bool is_v4 = endpoint->any.sa_family == AF_INET;
    int fd = socket(endpoint->any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    int reason;

    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, is_v4 ? SOL_IP : SOL_IPV6, is_v4 ? IP_FREEBIND : IPV6_FREEBIND, &on,
                     sizeof(on));
    if (!is_v4) {
        (void)setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (type == SOCK_STREAM) { /* for UDP it would let two processes share the port */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (bind(fd, &endpoint->any, endpoint->length) == 0 &&
        (type != SOCK_STREAM || listen(fd, BACKLOG) == 0)) {
        return fd;
    }
    reason = -errno;
    (void)close(fd);
    return reason;
}

/* Both sockets, or none. */
static int bind_both(struct listener *listener)
{
    socklen_t length = sizeof(listener->endpoint.storage);

    listener->udp.fd = bind_socket(SOCK_DGRAM, &listener->endpoint);
    if (listener->udp.fd < 0) {
        return listener->udp.fd;
    }
    (void)getsockname(listener->udp.fd, &listener->endpoint.any, &length);
    listener->tcp.fd = bind_socket(SOCK_STREAM, &listener->endpoint);
    if (listener->tcp.fd < 0) {
        (void)close(listener->udp.fd);
        return listener->tcp.fd;
    }
    return 0;
}

static struct listener *find_listener(struct server *server, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        if (endpoint_equal(&server->listeners[i]->endpoint, endpoint)) {
            return server->listeners[i];
        }
    }
    return NULL;
}

static int open_listener(const struct endpoint *endpoint, enum answer_view view,
                         struct listener **opened)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    int result = -EADDRINUSE;

    if (listener == NULL) {
        return -ENOMEM;
    }
    for (int i = 0; i < BIND_TRIES && result == -EADDRINUSE; i++) {
        *listener = (struct listener){
            .udp.ready = udp_ready, .tcp.ready = tcp_accept, .view = view, .endpoint = *endpoint};
        result = bind_both(listener);
        if (endpoint_port(endpoint) != 0) {
            break;
        }
    }
    if (result < 0) {
        free(listener);
        return result;
    }
    *opened = listener;
    return 0;
}

/* Again where a first try failed: what is in the list may not be watched yet. */
static int watch_listener(struct server *server, struct listener *listener)
{
    int udp = server_watch(server, &listener->udp, EPOLLIN);
    int tcp = server_watch(server, &listener->tcp, EPOLLIN);

    if (udp < 0 && udp != -EEXIST) {
        return udp;
    }
    return tcp < 0 && tcp != -EEXIST ? tcp : 0;
}

int server_listen(struct server *server, const struct endpoint *endpoint, enum answer_view view,
                  struct endpoint *bound)
{
    struct listener *listener;
    int result = 0;

    (void)pthread_mutex_lock(&server->lock);
    listener = find_listener(server, endpoint);
    if (listener == NULL) {
        result = server->listener_count == SERVER_LISTENERS_MAX
                     ? -ENOSPC
                     : open_listener(endpoint, view, &listener);
        if (result == 0) {
            server->listeners[server->listener_count++] = listener;
        }
    }
    if (result == 0) {
        result = watch_listener(server, listener);
    }
    if (result == 0 && bound != NULL) {
        *bound = listener->endpoint;
    }
    (void)pthread_mutex_unlock(&server->lock);
    return result;
}

bool server_listens(struct server *server, const struct endpoint *endpoint)
{
    bool found;

    (void)pthread_mutex_lock(&server->lock);
    found = find_listener(server, endpoint) != NULL;
    (void)pthread_mutex_unlock(&server->lock);
    return found;
}
