/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a received line to a handler on a worker and back to a response. */
#ifndef RPC_REQUEST_H
#define RPC_REQUEST_H

#include "connection.h"
#include "server.h"

struct request_service {
    const struct rpc_method *methods; /* ended by a row without a name */
    void *context;
    void *(*arrive)(void *context, const json_t *params);
    void (*leave)(void *context, void *place);
    struct pool *pool;
};

/* On the loop's thread: a request is put on the pool, a `cancel` is done, and anything else is
 * answered with what is wrong with it. */
void request_receive(const struct request_service *service, struct connection *connection,
                     const char *line, size_t length);

#endif
