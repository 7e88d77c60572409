/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One client of the control socket: its descriptor, its running calls, its leases.
 *
 * Threads: opened, read and closed on the loop's thread; everything marked "any thread" takes the
 * connection's lock. Whoever runs a call holds a reference through it, so that the connection
 * outlives its descriptor until the last call has ended.
 */
#ifndef RPC_CONNECTION_H
#define RPC_CONNECTION_H

#include "base/error.h"
#include "base/loop.h"
#include "base/str.h"
#include "pool.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct connection;

/* The part of a running request that its connection knows. Embedded in the request; the
 * connection's lock guards all but `cancelled`. */
struct connection_call {
    json_t *id; /* borrowed from the request */
    atomic_bool cancelled;
    bool woken;
    pthread_cond_t wake;
    struct connection_call *next;
};

/* What a server's connections have in common. */
struct connection_set {
    struct loop *loop;
    struct pool *pool;
    /* Called on the loop's thread with each line. */
    void (*receive)(void *context, struct connection *connection, const char *line, size_t length);
    void *context;
    struct connection *first;
    size_t count;
};

/* Takes the descriptor, also when it fails. */
int connection_open(struct connection_set *set, int fd, banger_error *err);
void connection_set_cancel(struct connection_set *set); /* every running call */
void connection_set_close(struct connection_set *set);

/* Any thread. Sends what the peer takes now and queues the rest; takes the message and the
 * descriptor (-1: none). Dropped when the connection has closed. */
void connection_send(struct connection *connection, struct buf message, int passed_fd);

/* A call begins on the loop's thread, unless its id is in use or RPC_REQUESTS_MAX are running, and
 * ends on any. From begin to end the call holds a reference. */
int connection_begin(struct connection *connection, struct connection_call *call,
                     banger_error *err);
void connection_end(struct connection *connection, struct connection_call *call);

void connection_cancel(struct connection *connection, const json_t *id);
void connection_wait(struct connection *connection, struct connection_call *call); /* any thread */
void connection_wake(struct connection *connection, struct connection_call *call); /* any thread */

/* Any thread, while a call runs. `fn` runs on a worker once the connection has closed and its
 * last call has ended: what a lease undoes, no call is still doing. */
void connection_lease(struct connection *connection, void (*fn)(void *context), void *context);

#endif
