/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A server over a real socket, its loop on a thread of its own, with methods that misbehave. */
#ifndef UNIT_RPC_FIXTURE_H
#define UNIT_RPC_FIXTURE_H

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/unix.h"
#include "rpc/client.h"
#include "rpc/protocol.h"
#include "rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define LIMIT_MS 20000 /* an event that has not come by then never will */

struct fixture {
    char folder[64];
    char *path;
    struct loop *loop;
    struct rpc_server *server;
    pthread_t thread;
    bool running;
    sem_t entered; /* a `hold` has begun */
    sem_t left;    /* a `hold` was cancelled */
    sem_t ended;   /* a lease or a deferred job has run */
    atomic_int leases;
    atomic_int held;
};

static inline void await(sem_t *event)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LIMIT_MS / 1000;
    int result = 0;
    while ((result = sem_timedwait(event, &until)) < 0 && errno == EINTR) {
    }
    assert_int_equal(result, 0);
}

/* -- Methods ---------------------------------------------------------------------------------- */

static inline int do_echo(void *context, struct rpc_request *request, const json_t *params,
                          json_t **result, banger_error *err)
{
    (void)context;
    (void)request;
    (void)err;
    *result = json_deep_copy(params);
    return 0;
}

static inline int do_nothing(void *context, struct rpc_request *request, const json_t *params,
                             json_t **result, banger_error *err)
{
    (void)context;
    (void)request;
    (void)params;
    (void)result;
    (void)err;
    return 0;
}

static inline int do_fail(void *context, struct rpc_request *request, const json_t *params,
                          json_t **result, banger_error *err)
{
    (void)context;
    (void)request;
    (void)result;
    if (json_get_bool(params, "silent", false)) {
        return -1;
    }
    (void)error_set(err, BANGER_EBUSY, "the cat \xff\x1b[31m sits on it");
    return error_hint(err, "lift the cat");
}

static inline int do_pass(void *context, struct rpc_request *request, const json_t *params,
                          json_t **result, banger_error *err)
{
    (void)context;
    int pair[2];
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(write(pair[1], "through", 7), 7);
    close(pair[1]);
    rpc_request_pass_fd(request, pair[0]);
    if (json_get_bool(params, "fail", false)) {
        return error_set(err, BANGER_EGUEST, "after the descriptor");
    }
    *result = json_pack("{s:i}", "answer", 42);
    return 0;
}

static inline int do_count(void *context, struct rpc_request *request, const json_t *params,
                           json_t **result, banger_error *err)
{
    (void)context;
    (void)result;
    (void)err;
    int64_t count = json_get_int(params, "count", 0);
    size_t size = (size_t)json_get_int(params, "size", 0);
    AUTO_FREE char *fill = xcalloc(size + 1, 1);
    memset(fill, 'x', size);
    for (int64_t i = 0; i < count && !rpc_request_cancelled(request); i++) {
        rpc_request_notify(request, "tick", json_pack("{s:I,s:s}", "n", (json_int_t)i, "x", fill));
    }
    return 0;
}

static inline int do_hold(void *context, struct rpc_request *request, const json_t *params,
                          json_t **result, banger_error *err)
{
    struct fixture *f = context;
    (void)params;
    (void)result;
    atomic_fetch_add(&f->held, 1);
    rpc_request_notify(request, "holding", NULL);
    sem_post(&f->entered);
    while (!rpc_request_cancelled(request)) {
        rpc_request_wait(request);
    }
    atomic_fetch_sub(&f->held, 1);
    sem_post(&f->left);
    return error_set(err, BANGER_ECANCELLED, "let go");
}

static inline void *wake_twice(void *context)
{
    struct rpc_request *request = context;
    rpc_request_wake(request);
    return NULL;
}

static inline int do_wake(void *context, struct rpc_request *request, const json_t *params,
                          json_t **result, banger_error *err)
{
    (void)context;
    (void)params;
    (void)result;
    (void)err;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_twice, request), 0);
    rpc_request_wait(request);
    pthread_join(thread, NULL);
    return 0;
}

static inline void end_lease(void *context)
{
    struct fixture *f = context;
    assert_int_equal(atomic_load(&f->held), 0); /* the calls have ended before */
    atomic_fetch_add(&f->leases, 1);
    sem_post(&f->ended);
}

static inline int do_lease(void *context, struct rpc_request *request, const json_t *params,
                           json_t **result, banger_error *err)
{
    rpc_request_on_close(request, end_lease, context);
    return json_get_bool(params, "hold", false) ? do_hold(context, request, params, result, err)
                                                : 0;
}

static inline int do_big(void *context, struct rpc_request *request, const json_t *params,
                         json_t **result, banger_error *err)
{
    (void)context;
    (void)request;
    (void)err;
    size_t size = (size_t)json_get_int(params, "size", 0);
    AUTO_FREE char *fill = xcalloc(size + 1, 1);
    memset(fill, 'x', size);
    *result = json_pack("{s:s}", "x", fill);
    return 0;
}

static const struct rpc_method fixture_methods[] = {
    {"echo", do_echo}, {"nothing", do_nothing}, {"fail", do_fail},
    {"pass", do_pass}, {"count", do_count},     {"hold", do_hold},
    {"wake", do_wake}, {"lease", do_lease},     {"big", do_big},
    {NULL, NULL},
};

/* -- The fixture ------------------------------------------------------------------------------ */

static inline void *run_loop(void *context)
{
    struct fixture *f = context;
    (void)loop_run(f->loop, NULL);
    return NULL;
}

static inline struct rpc_server *new_server(struct fixture *f, struct loop *loop, mode_t mode,
                                            banger_error *err)
{
    const struct rpc_server_options options = {
        .socket_path = f->path, .mode = mode, .methods = fixture_methods, .context = f};
    return rpc_server_new(loop, &options, err);
}

static inline void fixture_start(struct fixture *f, mode_t mode)
{
    f->loop = loop_new(NULL);
    f->server = new_server(f, f->loop, mode, NULL);
    assert_non_null(f->server);
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f), 0);
    f->running = true;
}

static inline void stop_loop(void *context)
{
    loop_stop(context);
}

static inline void fixture_stop(struct fixture *f)
{
    if (f->running) {
        loop_post(f->loop, stop_loop, f->loop);
        pthread_join(f->thread, NULL);
        rpc_server_free(f->server);
        loop_free(f->loop);
        f->running = false;
    }
}

static inline int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/banger-rpc-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->path = str_format("%s/control.sock", f->folder);
    sem_init(&f->entered, 0, 0);
    sem_init(&f->left, 0, 0);
    sem_init(&f->ended, 0, 0);
    fixture_start(f, 0600);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    fixture_stop(f);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(rmdir(f->folder), 0);
    free(f->path);
    free(f);
    return 0;
}

static inline struct rpc_client *client_of(struct fixture *f)
{
    struct rpc_client *client = rpc_client_connect(f->path, NULL);
    assert_non_null(client);
    return client;
}

static inline json_t *call(struct rpc_client *client, const char *method, json_t *params,
                           banger_error *err)
{
    const struct rpc_call what = {.method = method, .params = params};
    return rpc_client_call(client, &what, err);
}

static inline void assert_serves(struct fixture *f)
{
    struct rpc_client *client = client_of(f);
    json_t *result = call(client, "echo", json_pack("{s:i}", "n", 7), NULL);
    assert_int_equal(json_get_int(result, "n", 0), 7);
    json_decref(result);
    rpc_client_close(client);
}

/* A peer of its own: bytes in, lines out. */
static inline int raw_connect(struct fixture *f)
{
    int fd = unix_connect(f->path, NULL);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    return fd;
}

static inline void raw_send(int fd, const char *text)
{
    assert_int_equal(fd_write_all(fd, text, strlen(text), NULL), 0);
}

/* One line as JSON; NULL at the end of the stream. */
static inline json_t *raw_receive(int fd)
{
    AUTO_BUF struct buf line = BUF_INIT;
    for (;;) {
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&polled, 1, LIMIT_MS), 1);
        char byte = 0;
        if (recv(fd, &byte, 1, 0) != 1) {
            return NULL;
        }
        if (byte == '\n') {
            json_t *json = json_loadb(line.data, line.length, 0, NULL);
            assert_non_null(json);
            return json;
        }
        buf_append(&line, &byte, 1);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
