/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client side: one connection, one call at a time, blocking. */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

struct rpc_client;

struct rpc_client *rpc_client_connect(const char *socket_path, banger_error *err);
void rpc_client_close(struct rpc_client *client); /* NULL is fine */

struct rpc_call {
    const char *method;
    json_t *params; /* stolen; NULL: {} */
    /* Notifications that belong to this call; NULL: dropped. */
    void (*notify)(void *context, const char *method, const json_t *params);
    void *context;
    /* Checked while waiting, after a signal and every 100 ms: true sends `cancel` once; the call
     * then goes on until the server answers. NULL: never. A caller whose signal handlers set what
     * this reads keeps SIGINT, SIGTERM and SIGHUP blocked: they are delivered while the call waits
     * and at no other time, so that none comes between the check and the wait. */
    bool (*cancelled)(void *context);
    int *fd; /* receives a passed descriptor, or -1; NULL: none is expected and one is closed */
};

/* Returns the result as a new reference, or NULL with the server's error (code, message, hint). */
json_t *rpc_client_call(struct rpc_client *client, const struct rpc_call *call, banger_error *err);

#endif
