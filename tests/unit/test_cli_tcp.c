/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection that the command line makes itself, to a server of this test's. */
#include "cli/tcp.c"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BIG ((size_t)1 << 20)

struct server {
    int listener;
    unsigned port;
    bool greets; /* speaks and ends first; otherwise it sends back what came */
    struct buf got;
    pthread_t thread;
};

static void read_to_end(int fd, struct buf *out)
{
    char chunk[4096];
    ssize_t got = 0;
    while ((got = read(fd, chunk, sizeof(chunk))) > 0) {
        buf_append(out, chunk, (size_t)got);
    }
}

static void *serve(void *context)
{
    struct server *server = context;
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    if (server->greets) {
        (void)fd_write_all(fd, "hello", 5, NULL);
        (void)shutdown(fd, SHUT_WR);
    }
    read_to_end(fd, &server->got);
    if (!server->greets) {
        (void)fd_write_all(fd, server->got.data, server->got.length, NULL);
    }
    (void)close(fd);
    return NULL;
}

static void server_open(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    *server = (struct server){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
}

static void server_close(struct server *server)
{
    (void)pthread_join(server->thread, NULL);
    (void)close(server->listener);
    buf_free(&server->got);
}

struct carry {
    int fd;
    int in;
    int out;
    int result;
};

static void *carry(void *context)
{
    struct carry *one = context;
    one->result = tcp_carry(one->fd, one->in, one->out, NULL);
    return NULL;
}

static void *feed(void *context)
{
    const int *fd = context;
    AUTO_FREE char *data = xcalloc(1, BIG);
    memset(data, 'x', BIG);
    (void)fd_write_all(*fd, data, BIG, NULL);
    (void)close(*fd);
    return NULL;
}

static void carries_both_ways(void **state)
{
    struct server server;
    int in[2];
    int out[2];
    pthread_t threads[2];
    AUTO_BUF struct buf back = BUF_INIT;
    (void)state;
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    server_open(&server);
    assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
    struct carry one = {tcp_connect("127.0.0.1", server.port), in[0], out[1], -1};
    assert_true(one.fd >= 0);
    assert_int_equal(pthread_create(&threads[0], NULL, carry, &one), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, feed, &in[1]), 0);
    read_to_end(out[0], &back);
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    assert_int_equal(one.result, 0);
    assert_int_equal(back.length, BIG);
    (void)close(in[0]);
    (void)close(out[0]);
    server_close(&server);
}

static void ends_each_way_by_itself(void **state)
{
    struct server server;
    int in[2];
    int out[2];
    pthread_t thread;
    AUTO_BUF struct buf heard = BUF_INIT;
    (void)state;
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    server_open(&server);
    server.greets = true;
    assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
    struct carry one = {tcp_connect("127.0.0.1", server.port), in[0], out[1], -1};
    assert_int_equal(pthread_create(&thread, NULL, carry, &one), 0);
    read_to_end(out[0], &heard); /* an end, while our own side is open */
    assert_string_equal(str_or(heard.data, ""), "hello");
    assert_int_equal(write(in[1], "later", 5), 5);
    (void)close(in[1]);
    (void)pthread_join(thread, NULL);
    (void)pthread_join(server.thread, NULL);
    assert_int_equal(one.result, 0);
    assert_string_equal(str_or(server.got.data, ""), "later");
    (void)close(in[0]);
    (void)close(out[0]);
    (void)close(server.listener);
    buf_free(&server.got);
}

static void finds_nobody(void **state)
{
    struct server server;
    (void)state;
    server_open(&server);
    (void)close(server.listener);
    assert_int_equal(tcp_connect("127.0.0.1", server.port), -1);
    assert_int_equal(tcp_connect("no address", server.port), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_both_ways),
        cmocka_unit_test(ends_each_way_by_itself),
        cmocka_unit_test(finds_nobody),
    };
    return cmocka_run_group_tests_name("cli tcp", tests, NULL, NULL);
}
