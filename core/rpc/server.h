/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server side of the control socket. Connections live on the loop; every request runs on a
 * thread of its own from a pool that grows with the work and shrinks when idle. Slow readers are
 * cut off when their backlog passes 4 MiB; the loop never waits for anyone.
 */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "base/error.h"
#include "base/loop.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct rpc_server;
struct rpc_request;

/* Runs on a worker thread. Sets `*result` to a new reference (NULL: {}). */
typedef int (*rpc_handler)(void *context, struct rpc_request *request, const json_t *params,
                           json_t **result, banger_error *err);

struct rpc_method {
    const char *name;
    rpc_handler handler;
    bool in_order; /* its requests are given a place as they come in */
};

struct rpc_server_options {
    const char *socket_path;
    mode_t mode;                      /* of the socket: 0600, or 0660 with a group */
    const struct rpc_method *methods; /* ended by a row without a name */
    void *context;
    /* Workers overtake one another. For methods that are `in_order` a place is drawn on the loop's
     * thread, in the order in which requests come, whatever their connection; it is given back on the
     * worker when the request has ended. NULL, and a place that is NULL: none. */
    void *(*arrive)(void *context, const json_t *params);
    void (*leave)(void *context, void *place);
};

/* Refuses to replace the socket of a live daemon; a dead one's is removed (the caller holds the
 * daemon's lock file). Peers of another uid than ours and root are refused (SO_PEERCRED). */
struct rpc_server *rpc_server_new(struct loop *loop, const struct rpc_server_options *options,
                                  banger_error *err);
/* Stops accepting, cancels what runs, waits for the workers. From outside the loop's callbacks,
 * after loop_run has returned. */
void rpc_server_free(struct rpc_server *server);

/* For handlers, from their own thread or any other while the request runs. */
bool rpc_request_cancelled(struct rpc_request *request); /* asked to end, or the client is gone */
void *rpc_request_place(struct rpc_request *request);    /* what `arrive` has drawn for it */
void rpc_request_notify(struct rpc_request *request, const char *method,
                        json_t *params);                       /* adds "id"; steals */
void rpc_request_pass_fd(struct rpc_request *request, int fd); /* with the response; takes the fd */
/* Calls `fn` on a worker thread once the request's connection has closed: a lease. */
void rpc_request_on_close(struct rpc_request *request, void (*fn)(void *context), void *context);
/* Waits until cancelled or woken by rpc_request_wake; for events.subscribe. */
void rpc_request_wait(struct rpc_request *request);
void rpc_request_wake(struct rpc_request *request);

/* Runs `fn` on a worker of the same pool: work that begins in the daemon itself. Any thread. */
void rpc_server_defer(struct rpc_server *server, void (*fn)(void *context), void *context);
/* How many requests and deferred functions wait or run. */
unsigned int rpc_server_jobs(struct rpc_server *server);

#endif
