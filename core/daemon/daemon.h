/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bangerd: the parts, how they are put together, and what the methods share. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/listeners.h"
#include "lifecycle/engine.h"
#include "rpc/server.h"

struct daemon {
    struct layout layout;
    json_t *config;
    struct store *store;
    struct host *host;
    struct registry *registry;
    struct loop *loop;
    struct rpc_server *server;
    struct engine engine;
    struct listeners listeners;
    struct rounds *rounds;
    int lock_fd;        /* run/bangerd.lock, held for as long as we live: one daemon a home */
    int64_t started_ms; /* monotonic */

    /* Requests that came before the reconcile was done wait for it here. */
    pthread_mutex_t ready_mutex;
    pthread_cond_t ready_changed;
    bool ready;
};

/* Opens everything in order, takes up what runs, and listens. */
int daemon_open(struct daemon *daemon, banger_error *err);
/* In reverse. Running VMs go on. */
void daemon_close(struct daemon *daemon);

/* The reconcile is done. */
void daemon_set_ready(struct daemon *daemon);
void daemon_wait_ready(struct daemon *daemon);

/* The methods of rpc/protocol.h; the context of each handler is the struct daemon. */
extern const struct rpc_method daemon_methods[];

/* Who waits at the other end of a request. */
struct caller daemon_caller(struct rpc_request *request);
/* The same for a start, which sends what hooks asked and were told where `params` say "record". */
int daemon_recording_caller(struct rpc_request *request, const json_t *params,
                            struct caller *caller, banger_error *err);
/* The places of requests that change a VM (rpc_server_options). */
void *daemon_arrive(void *context, const json_t *params);
void daemon_leave(void *context, void *place);

#endif
