/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a request.
 *  1. request_receive, on the loop's thread: the line is parsed and checked, its method found, its
 *     id entered with the connection, its place drawn where order matters.
 *  2. request_run, on a worker: the handler, unless the client has cancelled or gone meanwhile.
 *  3. Its result or error goes out as one line, with a passed descriptor if there is one.
 *  4. The id leaves the connection, and the request is freed: only its worker ever does that.
 */
#include "request.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "message.h"
#include "protocol.h"

#include <string.h>

struct rpc_request {
    struct connection_call call;
    struct connection *connection;
    const struct request_service *service;
    const struct rpc_method *method;
    void *place; /* among those that must not overtake it; NULL: none */
    struct message_call message;
    int passed_fd; /* -1: none */
};

/* -- On a worker ------------------------------------------------------------------------------ */

static int call_handler(struct rpc_request *request, json_t **result, banger_error *err)
{
    if (rpc_request_cancelled(request)) {
        return error_set(err, BANGER_ECANCELLED, "%s was cancelled before it began",
                         request->method->name);
    }
    if (request->method->handler(request->service->context, request, request->message.params,
                                 result, err) < 0) {
        return -1;
    }
    if (request->passed_fd < 0) {
        return 0;
    }
    if (*result == NULL) {
        *result = json_object();
    }
    return json_object_set_new(*result, "fd", json_true()) < 0
               ? error_set(err, BANGER_EINTERNAL,
                           "%s passes a descriptor with a result that is "
                           "not an object",
                           request->method->name)
               : 0;
}

static struct buf respond(struct rpc_request *request)
{
    banger_error err = BANGER_ERROR_INIT;
    AUTO_JSON json_t *result = NULL;
    if (call_handler(request, &result, &err) == 0) {
        struct buf response = message_result(request->call.id, STEAL(result));
        if (response.length <= RPC_REPLY_MAX) {
            return response;
        }
        (void)error_set(&err, BANGER_EINTERNAL, "the result of %s has %zu bytes, more than %d",
                        request->method->name, response.length, RPC_REPLY_MAX);
        buf_free(&response);
    }
    if (request->passed_fd >= 0) {
        (void)close(STEAL_FD(request->passed_fd));
    }
    return message_error(request->call.id, 0, &err);
}

static void request_free(struct rpc_request *request)
{
    if (request->place != NULL) {
        request->service->leave(request->service->context, request->place);
    }
    message_call_free(&request->message);
    free(request);
}

static void request_run(void *context)
{
    struct rpc_request *request = context;
    struct buf response = respond(request);
    connection_send(request->connection, response, STEAL_FD(request->passed_fd));
    connection_end(request->connection, &request->call);
    request_free(request);
}

/* -- On the loop's thread --------------------------------------------------------------------- */

static const struct rpc_method *find_method(const struct rpc_method *methods, const char *name)
{
    while (methods->name != NULL && strcmp(methods->name, name) != 0) {
        methods++;
    }
    return methods->name != NULL ? methods : NULL;
}

#define METHODS_MAX 128 /* considered for a misspelling */

static void unknown_method(const struct rpc_method *methods, const char *name, banger_error *err)
{
    const char *names[METHODS_MAX];
    size_t count = 0;
    while (count < METHODS_MAX && methods[count].name != NULL) {
        names[count] = methods[count].name;
        count++;
    }
    (void)error_set(err, BANGER_EUNSUPPORTED, "unknown method '%.64s'", name);
    const char *nearest = str_nearest(name, names, count);
    if (nearest != NULL) {
        (void)error_hint(err, "did you mean '%s'?", nearest);
    }
}

static int begin(const struct request_service *service, struct connection *connection,
                 struct message_call *message, int *rpc_code, banger_error *err)
{
    const struct rpc_method *method = find_method(service->methods, message->method);
    if (method == NULL) {
        *rpc_code = RPC_METHOD_NOT_FOUND;
        unknown_method(service->methods, message->method, err);
        return -1;
    }
    if (message->params == NULL) {
        message->params = json_object();
        (void)json_object_set_new(message->root, "params", message->params);
    }
    struct rpc_request *request = xcalloc(1, sizeof(*request));
    *request = (struct rpc_request){.call = {.id = message->id},
                                    .connection = connection,
                                    .service = service,
                                    .method = method,
                                    .passed_fd = -1};
    if (connection_begin(connection, &request->call, err) < 0) {
        free(request);
        *rpc_code = err->code == BANGER_EBUSY ? 0 : RPC_INVALID_REQUEST;
        return -1;
    }
    request->message = *message;
    *message = (struct message_call){0};
    if (method->in_order && service->arrive != NULL) {
        request->place = service->arrive(service->context, request->message.params);
    }
    pool_submit(service->pool, request_run, request);
    return 0;
}

/* An unknown one is no error: JSON-RPC 2.0 has no answer to a notification. */
static void notified(struct connection *connection, const struct message_call *message)
{
    const json_t *id = json_object_get(message->params, "id");
    if (strcmp(message->method, "cancel") == 0 && id != NULL) {
        connection_cancel(connection, id);
    } else {
        log_debug("ignored the notification %.64s", message->method);
    }
}

void request_receive(const struct request_service *service, struct connection *connection,
                     const char *line, size_t length)
{
    struct message_call message;
    int rpc_code = 0;
    banger_error err = BANGER_ERROR_INIT;
    int result = message_parse_call(line, length, &message, &rpc_code, &err);
    if (result == 0 && message.id != NULL) {
        result = begin(service, connection, &message, &rpc_code, &err);
    } else if (result == 0) {
        notified(connection, &message);
    }
    if (result < 0) {
        connection_send(connection, message_error(message.id, rpc_code, &err), -1);
    }
    message_call_free(&message);
}

/* -- For handlers ----------------------------------------------------------------------------- */

bool rpc_request_cancelled(struct rpc_request *request)
{
    return atomic_load(&request->call.cancelled);
}

void *rpc_request_place(struct rpc_request *request)
{
    return request->place;
}

void rpc_request_notify(struct rpc_request *request, const char *method, json_t *params)
{
    params = params != NULL ? params : json_object();
    (void)json_object_set(params, "id", request->call.id);
    struct buf message = message_notification(method, params);
    if (message.length > RPC_REPLY_MAX) {
        log_error("dropped a notification %s of %zu bytes", method, message.length);
        buf_free(&message);
        return;
    }
    connection_send(request->connection, message, -1);
}

void rpc_request_pass_fd(struct rpc_request *request, int fd)
{
    cleanup_close(&request->passed_fd);
    request->passed_fd = fd;
}

void rpc_request_on_close(struct rpc_request *request, void (*fn)(void *context), void *context)
{
    connection_lease(request->connection, fn, context);
}

void rpc_request_wait(struct rpc_request *request)
{
    connection_wait(request->connection, &request->call);
}

void rpc_request_wake(struct rpc_request *request)
{
    connection_wake(request->connection, &request->call);
}
