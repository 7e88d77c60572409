/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call.
 *  1. The request goes out whole; the server reads at all times, so that this cannot deadlock.
 *  2. Lines are taken as they come: notifications of this call are handed over, the response with
 *     this call's id ends it, and all else (an earlier call's remains) is passed over.
 *  3. Between lines the caller's `cancelled` is asked, with its signals let in only while waiting.
 *  4. A response without an id is the server's refusal of the whole connection.
 *  5. After a failure of the transport the connection stays unusable.
 */
#include "client.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/unix.h"
#include "lines.h"
#include "message.h"
#include "protocol.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define READ_SIZE 65536
#define CHECK_MS 100

struct rpc_client {
    int fd; /* -1: closed by the server, or broken */
    int passed_fd;
    int64_t last_id;
    struct lines in;
};

/* One call being waited for. */
struct wait {
    struct rpc_client *client;
    const struct rpc_call *call;
    int64_t id;
    bool cancel_sent;
};

struct rpc_client *rpc_client_connect(const char *socket_path, banger_error *err)
{
    int fd = unix_connect(socket_path, err);
    if (fd < 0) {
        return NULL;
    }
    struct rpc_client *client = xcalloc(1, sizeof(*client));
    *client = (struct rpc_client){.fd = fd, .passed_fd = -1};
    return client;
}

static void drop_passed_fd(struct rpc_client *client)
{
    cleanup_close(&client->passed_fd);
    client->passed_fd = -1;
}

static void disconnect(struct rpc_client *client)
{
    cleanup_close(&client->fd);
    client->fd = -1;
    drop_passed_fd(client);
    lines_free(&client->in);
}

void rpc_client_close(struct rpc_client *client)
{
    if (client != NULL) {
        disconnect(client);
        free(client);
    }
}

static int server_gone(banger_error *err)
{
    (void)error_set(err, BANGER_EIO, "bangerd closed the connection");
    return error_hint(err, "the daemon's log says why; `banger daemon status` says where it is");
}

/* Waits for the socket; the caller's signals are let in for that time. */
static void await(const struct rpc_client *client, const struct rpc_call *call, short events)
{
    struct pollfd polled = {.fd = client->fd, .events = events};
    if (call->cancelled == NULL) {
        (void)poll(&polled, 1, -1);
        return;
    }
    static const struct timespec interval = {.tv_nsec = CHECK_MS * 1000000L};
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    (void)sigdelset(&mask, SIGINT);
    (void)sigdelset(&mask, SIGTERM);
    (void)sigdelset(&mask, SIGHUP);
    (void)ppoll(&polled, 1, &interval, &mask);
}

/* -- Sending ---------------------------------------------------------------------------------- */

/* A server that is gone is found when reading, which first gives what it said before it went. */
static int send_line(struct rpc_client *client, const struct rpc_call *call, const struct buf *line,
                     banger_error *err)
{
    size_t sent = 0;
    while (sent < line->length) {
        ssize_t part = send(client->fd, line->data + sent, line->length - sent, MSG_NOSIGNAL);
        if (part >= 0) {
            sent += (size_t)part;
        } else if (errno == EAGAIN) {
            await(client, call, POLLOUT);
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return 0;
        } else if (errno != EINTR) {
            return error_sys(err, errno, "cannot send to bangerd");
        }
    }
    return 0;
}

static int send_cancel(struct wait *wait, banger_error *err)
{
    wait->cancel_sent = true;
    AUTO_BUF struct buf line =
        message_notification("cancel", json_pack("{s:I}", "id", (json_int_t)wait->id));
    return send_line(wait->client, wait->call, &line, err);
}

/* -- Receiving -------------------------------------------------------------------------------- */

static void keep_passed_fd(struct rpc_client *client, struct msghdr *header)
{
    for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at != NULL; at = CMSG_NXTHDR(header, at)) {
        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_RIGHTS &&
            at->cmsg_len == CMSG_LEN(sizeof(int))) {
            drop_passed_fd(client);
            memcpy(&client->passed_fd, CMSG_DATA(at), sizeof(int));
        }
    }
}

/* Takes what has arrived. */
static int receive(struct rpc_client *client, banger_error *err)
{
    char data[READ_SIZE];
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = data, .iov_len = sizeof(data)};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.space,
                            .msg_controllen = sizeof(control.space)};
    ssize_t got = recvmsg(client->fd, &header, MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (got == 0 || (got < 0 && errno == ECONNRESET)) {
        return server_gone(err);
    }
    if (got < 0) {
        return error_sys(err, errno, "cannot read from bangerd");
    }
    keep_passed_fd(client, &header);
    lines_add(&client->in, data, (size_t)got);
    return 0;
}

/* -- Messages --------------------------------------------------------------------------------- */

static json_t *take_result(const struct wait *wait, const json_t *response, banger_error *err)
{
    struct rpc_client *client = wait->client;
    const json_t *error = json_object_get(response, "error");
    if (error != NULL) {
        drop_passed_fd(client);
        (void)message_take_error(error, err);
        return NULL;
    }
    json_t *result = json_object_get(response, "result");
    bool passes_fd = json_get_bool(result, "fd", false);
    if (result == NULL || (passes_fd && client->passed_fd < 0)) {
        (void)error_set(err, BANGER_EIO, "bangerd's response to %s lacks its %s",
                        wait->call->method, result == NULL ? "result" : "descriptor");
        return NULL;
    }
    if (wait->call->fd != NULL && passes_fd) {
        *wait->call->fd = STEAL_FD(client->passed_fd);
    }
    drop_passed_fd(client);
    return json_incref(result);
}

enum line_kind { LINE_OTHER, LINE_RESPONSE, LINE_BROKEN };

/* A response's result (NULL: its error is in `err`) is in `result`. */
static enum line_kind take_line(const struct wait *wait, const char *line, size_t length,
                                json_t **result, banger_error *err)
{
    banger_error problem = BANGER_ERROR_INIT;
    AUTO_JSON json_t *message = json_parse("bangerd's message", line, length, &problem);
    if (message == NULL) { /* not the caller's input, which EINVALID would say */
        (void)error_set(err, BANGER_EIO, "%s", problem.message);
        return LINE_BROKEN;
    }
    const char *method = json_get_string(message, "method", NULL);
    const json_t *id = json_object_get(message, "id");
    if (method != NULL) {
        const json_t *params = json_object_get(message, "params");
        if (wait->call->notify != NULL && json_get_int(params, "id", -1) == wait->id) {
            wait->call->notify(wait->call->context, method, params);
        }
        return LINE_OTHER;
    }
    if (json_is_null(id) && json_object_get(message, "error") != NULL) {
        (void)message_take_error(json_object_get(message, "error"), err);
        return LINE_BROKEN;
    }
    if (json_integer_value(id) != wait->id) {
        return LINE_OTHER;
    }
    *result = take_result(wait, message, err);
    return LINE_RESPONSE;
}

/* Takes the lines that are complete, up to the response. */
static enum line_kind take_lines(const struct wait *wait, json_t **result, banger_error *err)
{
    struct lines *in = &wait->client->in;
    size_t length = 0;
    const char *line = NULL;
    while ((line = lines_next(in, &length)) != NULL) {
        enum line_kind kind = take_line(wait, line, length, result, err);
        if (kind != LINE_OTHER) {
            return kind;
        }
    }
    if (lines_pending(in) > RPC_REPLY_MAX) {
        (void)error_set(err, BANGER_EIO, "bangerd sent a message of more than %d bytes",
                        RPC_REPLY_MAX);
        return LINE_BROKEN;
    }
    return LINE_OTHER;
}

/* Returns -1 when the connection is of no further use. */
static int await_response(struct wait *wait, json_t **result, banger_error *err)
{
    const struct rpc_call *call = wait->call;
    for (;;) {
        enum line_kind kind = take_lines(wait, result, err);
        if (kind != LINE_OTHER) {
            return kind == LINE_RESPONSE ? 0 : -1;
        }
        if (call->cancelled != NULL && !wait->cancel_sent && call->cancelled(call->context) &&
            send_cancel(wait, err) < 0) {
            return -1;
        }
        await(wait->client, call, POLLIN);
        if (receive(wait->client, err) < 0) {
            return -1;
        }
    }
}

json_t *rpc_client_call(struct rpc_client *client, const struct rpc_call *call, banger_error *err)
{
    struct wait wait = {.client = client, .call = call, .id = ++client->last_id};
    AUTO_JSON json_t *id = json_integer(wait.id);
    AUTO_BUF struct buf request = message_request(id, call->method, call->params);
    if (call->fd != NULL) {
        *call->fd = -1;
    }
    if (request.length > RPC_MESSAGE_MAX) {
        (void)error_set(err, BANGER_EINVALID,
                        "the request %s has %zu bytes; at most %d are allowed", call->method,
                        request.length, RPC_MESSAGE_MAX);
        return NULL;
    }
    if (client->fd < 0) {
        (void)server_gone(err);
        return NULL;
    }
    json_t *result = NULL;
    if (send_line(client, call, &request, err) < 0 || await_response(&wait, &result, err) < 0) {
        disconnect(client);
    }
    return result;
}
