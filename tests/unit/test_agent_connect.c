/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections to the guest's own ports, through the real agent and channel. */
#include "agent_fixture.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#define BIG ((size_t)3 * 1024 * 1024) /* many windows of credit */

struct server {
    int listener;
    unsigned port;
    pthread_t thread;
    struct buf got; /* what came before its end */
};

static void server_listen(struct server *server, int family)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_storage bound;
    socklen_t length = family == AF_INET6 ? sizeof(six) : sizeof(four);
    void *address = family == AF_INET6 ? (void *)&six : (void *)&four;
    *server = (struct server){.listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(server->listener >= 0);
    if (bind(server->listener, address, length) < 0) {
        assert_int_equal(family, AF_INET6);
        skip(); /* a machine without IPv6 */
    }
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&bound, &length), 0);
    server->port = ntohs(family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                            : ((struct sockaddr_in *)&bound)->sin_port);
}

static int server_accept(const struct server *server)
{
    struct pollfd ready = {.fd = server->listener, .events = POLLIN};
    return poll(&ready, 1, PATIENCE_MS) == 1 ? accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)
                                             : -1;
}

static void read_to_end(int fd, struct buf *out)
{
    char chunk[65536];
    ssize_t got = 0;
    while ((got = read(fd, chunk, sizeof(chunk))) > 0) {
        buf_append(out, chunk, (size_t)got);
    }
}

/* Sends back all that came, once its end has come. */
static void *serve_echo(void *context)
{
    struct server *server = context;
    int fd = server_accept(server);
    read_to_end(fd, &server->got);
    size_t sent = 0;
    while (sent < server->got.length) {
        ssize_t wrote = send(fd, server->got.data + sent, server->got.length - sent, MSG_NOSIGNAL);
        sent = wrote > 0 ? sent + (size_t)wrote : server->got.length;
    }
    (void)close(fd);
    return NULL;
}

/* Speaks first and ends, then listens. */
static void *serve_greeting(void *context)
{
    struct server *server = context;
    int fd = server_accept(server);
    (void)send(fd, "hello", 5, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    read_to_end(fd, &server->got);
    (void)close(fd);
    return NULL;
}

/* Resets the connection (SO_LINGER of 0 seconds, socket(7)). */
static void *serve_reset(void *context)
{
    struct server *server = context;
    struct linger linger = {.l_onoff = 1};
    int fd = server_accept(server);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    (void)close(fd);
    return NULL;
}

static void server_start(struct server *server, void *(*serve)(void *))
{
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_end(struct server *server)
{
    (void)pthread_join(server->thread, NULL);
    (void)close(server->listener);
    buf_free(&server->got);
}

static void call_port(struct agent_fixture *fixture, unsigned port, const char *input,
                      size_t length, struct channel_result *result)
{
    uint8_t request[2];
    banger_error err = BANGER_ERROR_INIT;
    frame_put16(request, (uint16_t)port);
    if (channel_call(fixture->channel, SERVICE_CONNECT, request, sizeof(request), input, length,
                     2 * BIG, deadline_in(PATIENCE_MS), result, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static void echo_over(struct agent_fixture *fixture, int family)
{
    struct server server;
    struct channel_result result;
    AUTO_FREE char *input = xmalloc(BIG);
    for (size_t i = 0; i < BIG; i++) {
        input[i] = (char)(i * 31 % 251); /* every byte, in no short period */
    }
    server_listen(&server, family);
    server_start(&server, serve_echo);
    call_port(fixture, server.port, input, BIG, &result);
    assert_int_equal(result.status, 0);
    assert_int_equal(result.out.length, BIG);
    assert_memory_equal(result.out.data, input, BIG);
    channel_result_free(&result);
    server_end(&server);
}

static void carries_both_ways(void **state)
{
    echo_over(*state, AF_INET);
}

static void tries_ipv6_next(void **state)
{
    echo_over(*state, AF_INET6);
}

static void refuses_clearly(void **state)
{
    struct server server;
    struct channel_result result;
    char text[64];
    server_listen(&server, AF_INET);
    (void)close(server.listener); /* nobody has that port now */
    call_port(*state, server.port, "", 0, &result);
    (void)snprintf(text, sizeof(text), "nothing listens on port %u in the guest", server.port);
    assert_string_equal(text_of(&result.err), text);
    assert_int_equal(result.status, 1);
    channel_result_free(&result);
    call_port(*state, 0, "", 0, &result);
    assert_string_equal(text_of(&result.err), "the request is malformed");
    channel_result_free(&result);
}

/* -- With a session, as the command line has it -------------------------------------------------- */

struct talk {
    int stream;
    struct session_io io;
    int status;
    pthread_t thread;
};

static void *talk_run(void *context)
{
    struct talk *talk = context;
    talk->status = session_run(talk->stream, &talk->io, NULL);
    return NULL;
}

static void talk_start(struct talk *talk, struct agent_fixture *fixture, unsigned port, int in,
                       int out)
{
    uint8_t request[2];
    frame_put16(request, (uint16_t)port);
    *talk = (struct talk){
        .stream = channel_open_stream(fixture->channel, SERVICE_CONNECT, request, 2, NULL),
        .io = {.in = in, .out = out, .err = STDERR_FILENO, .ends_out = true}};
    assert_true(talk->stream >= 0);
    assert_int_equal(pthread_create(&talk->thread, NULL, talk_run, talk), 0);
}

static void ends_each_way_by_itself(void **state)
{
    struct server server;
    struct talk talk;
    int in[2];
    int out[2];
    AUTO_BUF struct buf heard = BUF_INIT;
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    server_listen(&server, AF_INET);
    server_start(&server, serve_greeting);
    talk_start(&talk, *state, server.port, in[0], out[1]);
    read_to_end(out[0], &heard); /* an end, while our own side is open */
    assert_string_equal(text_of(&heard), "hello");
    assert_int_equal(write(in[1], "later", 5), 5);
    (void)close(in[1]);
    (void)pthread_join(talk.thread, NULL);
    assert_int_equal(talk.status, 0);
    (void)pthread_join(server.thread, NULL);
    assert_string_equal(text_of(&server.got), "later");
    buf_free(&server.got);
    (void)close(server.listener);
    (void)close(talk.stream);
    (void)close(in[0]);
    (void)close(out[0]);
}

static void ends_when_the_connection_breaks(void **state)
{
    struct server server;
    struct talk talk;
    int in[2];
    int out[2];
    AUTO_BUF struct buf heard = BUF_INIT;
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    server_listen(&server, AF_INET);
    server_start(&server, serve_reset);
    talk_start(&talk, *state, server.port, in[0], out[1]);
    read_to_end(out[0], &heard);
    (void)pthread_join(talk.thread, NULL); /* though our side has not ended */
    assert_int_equal(heard.length, 0);
    server_end(&server);
    (void)close(talk.stream);
    (void)close(in[0]);
    (void)close(in[1]);
    (void)close(out[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(carries_both_ways, agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(tries_ipv6_next, agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(refuses_clearly, agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(ends_each_way_by_itself, agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(ends_when_the_connection_breaks, agent_setup,
                                        agent_teardown),
    };
    return cmocka_run_group_tests_name("agent connect", tests, NULL, NULL);
}
