/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listening socket: who may connect, and the beginning and the end of it all. */
#include "server.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "base/unix.h"
#include "message.h"
#include "request.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define WORKERS_MAX 512
#define WORKER_IDLE_MS 10000
#define CONNECTIONS_MAX 2048
#define ACCEPTS_A_TURN 64
#define RETRY_MS 100 /* when the process has run out of descriptors */

struct rpc_server {
    struct loop *loop;
    char *path;
    mode_t mode;
    dev_t device; /* of the socket file, to tell it from a successor's */
    ino_t inode;
    int fd;
    struct loop_watch *watch;
    struct loop_timer *retry;
    struct request_service service;
    struct connection_set connections;
};

static void on_line(void *context, struct connection *connection, const char *line, size_t length)
{
    const struct rpc_server *server = context;
    request_receive(&server->service, connection, line, length);
}

/* -- Accepting -------------------------------------------------------------------------------- */

/* A socket open to a group admits whoever its mode and folder let through: the kernel has checked
 * that at connect. One of our own is ours and root's, whatever became of its mode. */
static int check_peer(const struct rpc_server *server, int fd, banger_error *err)
{
    struct ucred peer = {0};
    socklen_t length = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
        return error_sys(err, errno, "cannot learn who is connecting");
    }
    if (peer.uid == 0 || peer.uid == geteuid() || (server->mode & S_IRWXG) != 0) {
        return 0;
    }
    return error_set(err, BANGER_EPERMISSION, "user %u may not use the banger of user %u",
                     (unsigned int)peer.uid, (unsigned int)geteuid());
}

static int check_room(const struct rpc_server *server, banger_error *err)
{
    if (server->connections.count < CONNECTIONS_MAX) {
        return 0;
    }
    return error_set(err, BANGER_EBUSY, "%d connections are open, and no more are taken",
                     CONNECTIONS_MAX);
}

static void admit(struct rpc_server *server, int accepted)
{
    AUTO_CLOSE int fd = accepted;
    banger_error err = BANGER_ERROR_INIT;
    if (check_peer(server, fd, &err) < 0 || check_room(server, &err) < 0) {
        AUTO_BUF struct buf refusal = message_error(NULL, 0, &err);
        (void)send(fd, refusal.data, refusal.length, MSG_DONTWAIT | MSG_NOSIGNAL);
        log_warn("refused a connection: %s", err.message);
        return;
    }
    if (connection_open(&server->connections, STEAL_FD(fd), &err) < 0) {
        log_error("%s", err.message);
    }
}

static void on_retry(void *context)
{
    struct rpc_server *server = context;
    server->retry = NULL;
    loop_watch_set(server->watch, EPOLLIN);
}

/* Those who wait stay in the socket's queue; without a pause the loop would spin on them. */
static void pause_accepting(struct rpc_server *server, int reason)
{
    log_error("cannot accept a connection: %s", strerror(reason));
    loop_watch_set(server->watch, 0);
    server->retry = loop_timer_add(server->loop, deadline_in(RETRY_MS), on_retry, server);
}

static void on_connect(void *context, uint32_t events)
{
    struct rpc_server *server = context;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(server, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            pause_accepting(server, errno);
            return;
        }
    }
}

/* -- Beginning and end ------------------------------------------------------------------------ */

static int remove_stale_socket(const char *path, banger_error *err)
{
    struct stat info;
    if (lstat(path, &info) < 0) {
        return errno == ENOENT ? 0 : error_sys(err, errno, "cannot look at %s", path);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return error_set(err, BANGER_EEXISTS, "%s is in the way: it is not a socket", path);
    }
    AUTO_CLOSE int fd = unix_connect(path, NULL);
    if (fd >= 0) {
        (void)error_set(err, BANGER_EBUSY, "another bangerd serves %s", path);
        return error_hint(err, "stop it with `banger daemon stop`, or use that one");
    }
    if (unlink(path) < 0 && errno != ENOENT) {
        return error_sys(err, errno, "cannot remove the stale socket %s", path);
    }
    return 0;
}

static int start_listening(struct rpc_server *server, banger_error *err)
{
    if (remove_stale_socket(server->path, err) < 0) {
        return -1;
    }
    server->fd = unix_listen(server->path, server->mode, err);
    if (server->fd < 0) {
        return -1;
    }
    struct stat info;
    if (lstat(server->path, &info) < 0) {
        return error_sys(err, errno, "cannot look at %s", server->path);
    }
    server->device = info.st_dev;
    server->inode = info.st_ino;
    server->watch = loop_watch_add(server->loop, server->fd, EPOLLIN, on_connect, server, err);
    return server->watch != NULL ? 0 : -1;
}

struct rpc_server *rpc_server_new(struct loop *loop, const struct rpc_server_options *options,
                                  banger_error *err)
{
    struct rpc_server *server = xcalloc(1, sizeof(*server));
    struct pool *pool = pool_new(WORKERS_MAX, WORKER_IDLE_MS);
    *server = (struct rpc_server){
        .loop = loop,
        .path = xstrdup(options->socket_path),
        .mode = options->mode,
        .fd = -1,
        .service = {.methods = options->methods,
                    .context = options->context,
                    .arrive = options->arrive,
                    .leave = options->leave,
                    .pool = pool},
        .connections = {.loop = loop, .pool = pool, .receive = on_line, .context = server},
    };
    if (start_listening(server, err) < 0) {
        rpc_server_free(server);
        return NULL;
    }
    return server;
}

/* The socket file goes first, and only if it is still ours: a successor may have made its own. */
static void stop_listening(struct rpc_server *server)
{
    struct stat info;
    if (server->inode != 0 && lstat(server->path, &info) == 0 && info.st_dev == server->device &&
        info.st_ino == server->inode) {
        (void)unlink(server->path);
    }
    loop_timer_cancel(server->retry);
    loop_watch_remove(server->watch);
    cleanup_close(&server->fd);
}

void rpc_server_free(struct rpc_server *server)
{
    if (server == NULL) {
        return;
    }
    stop_listening(server);
    connection_set_cancel(&server->connections);
    pool_drain(server->service.pool); /* the responses go out straight from the workers */
    connection_set_close(&server->connections);
    pool_free(server->service.pool); /* runs the leases */
    free(server->path);
    free(server);
}

void rpc_server_defer(struct rpc_server *server, void (*fn)(void *context), void *context)
{
    pool_submit(server->service.pool, fn, context);
}

unsigned int rpc_server_jobs(struct rpc_server *server)
{
    return pool_jobs(server->service.pool);
}
