/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of the server among themselves; all of it belongs to the server's thread, but where said.
 *
 * 1. server.c waits for descriptors and hands each to its watch's function.
 * 2. udp.c takes datagrams by the batch, tcp.c takes streams apart into messages.
 * 3. Both ask server_ask for the answer: from the zone at once, or forward.c asks upstream.
 * 4. What comes back from upstream goes out by client_send.
 *
 * A watch may be taken away by the function of another one of the same round: it is only put aside,
 * and freed when the round is over.
 */
#ifndef DNS_LOOP_H
#define DNS_LOOP_H

#include "memo.h"
#include "server.h"

#include <pthread.h>

struct watch {
    void (*ready)(struct server *server, struct watch *watch, uint32_t events); /* NULL: gone */
    int fd;
    struct watch *next_gone;
};

struct connection;
struct job;

/* A place that we listen at. Lives as long as the server. */
struct listener {
    struct watch udp;
    struct watch tcp;
    enum answer_view view;
    struct endpoint endpoint;
};

/* Who asked, and how the answer gets there. */
struct client {
    struct listener *listener;
    struct connection *connection; /* NULL: UDP */
    struct endpoint peer;
};

#define CONNECTIONS_MAX 64      /* of all listeners */
#define CONNECTIONS_PER_PEER 16 /* one guest does not take them all */
#define JOBS_MAX 256            /* queries that wait for upstream; a descriptor each */
#define JOBS_PER_PEER 64

struct server {
    struct zone *zone;
    struct memo *memo;
    struct server_options options;
    pthread_t thread;
    int epoll;
    struct watch stop;    /* an eventfd */
    pthread_mutex_t lock; /* covers the list of listeners */
    struct listener *listeners[SERVER_LISTENERS_MAX];
    size_t listener_count;
    /* The thread's own from here on. */
    int64_t now_ms; /* monotonic, of this round */
    struct watch *gone;
    struct udp_batch *batch;
    struct connection *connections[CONNECTIONS_MAX];
    size_t connection_count;
    struct job *jobs[JOBS_MAX];
    size_t job_count;
    struct resolv *resolv;
    uint8_t scratch[MESSAGE_MAX + 2];
};

/* -- server.c -- */

int server_watch(struct server *server, struct watch *watch, uint32_t events);
void server_rewatch(struct server *server, struct watch *watch, uint32_t events);
/* Closes the descriptor; the watch is the first member of what will be freed. */
void server_unwatch(struct server *server, struct watch *watch);
/* The answer to one message: its length in `out`, 0: none, or later by client_send. */
size_t server_ask(struct server *server, const struct client *client, const uint8_t *wire,
                  size_t length, uint8_t out[ANSWER_MAX]);
/* Sends an answer to who asked; to a client that takes no more it is lost, as on a network. */
void client_send(struct server *server, const struct client *client, const uint8_t *wire,
                 size_t length);

/* -- udp.c -- */

struct udp_batch *udp_batch_new(void);
void udp_ready(struct server *server, struct watch *watch, uint32_t events);
void udp_send(const struct client *client, const uint8_t *wire, size_t length);

/* -- tcp.c -- */

void tcp_accept(struct server *server, struct watch *watch, uint32_t events);
void tcp_send(struct server *server, struct connection *connection, const uint8_t *wire,
              size_t length);
/* Closes who has been idle for too long. */
void tcp_sweep(struct server *server);
void tcp_close_all(struct server *server);

/* -- forward.c -- */

/* Asks upstream for the client; the length of an answer to give at once (SERVFAIL), or 0. */
size_t forward_query(struct server *server, const struct client *client, const struct query *query,
                     size_t length, uint8_t out[ANSWER_MAX]);
/* Goes on to the next upstream, or gives up, where one has been silent. */
void forward_sweep(struct server *server);
/* The connection is gone: nobody waits for its answers. NULL: everybody is. */
void forward_forget(struct server *server, const struct connection *connection);
bool forward_waits(const struct server *server, const struct connection *connection);

/* -- resolv.c: the upstreams ---------------------------------------------------------------------- */

struct resolv *resolv_new(void);
void resolv_free(struct resolv *resolv);
/* The upstreams of now; how many. Never ourselves. */
size_t resolv_upstreams(struct server *server, struct endpoint upstreams[SERVER_UPSTREAMS_MAX]);

#endif
