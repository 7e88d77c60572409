/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests' queries for names that are not ours, and what upstreams may do to them. */
#include "test_plugin_dns.h"

#include <stdio.h>
#include <stdlib.h>

/* Takes one query at an upstream; who asked. */
static size_t take_query(int upstream, uint8_t *wire, struct endpoint *from)
{
    ssize_t got;

    from->length = sizeof(from->storage);
    got = recvfrom(upstream, wire, MESSAGE_QUERY, 0, &from->any, &from->length);
    if (got < 0) {
        fail_msg("upstream was not asked: %s", strerror(errno));
    }
    return (size_t)got;
}

static void send_reply(int upstream, const struct endpoint *to, const uint8_t *wire, size_t length)
{
    assert_int_equal(sendto(upstream, wire, length, 0, &to->any, to->length), length);
}

/* Makes an answer of a query: QR, the flags' low byte, and what follows. */
static void reply(int upstream, const struct endpoint *to, uint8_t *wire, size_t length, int rcode)
{
    wire[2] |= 0x80;
    wire[3] = (uint8_t)(0x80 | rcode);
    send_reply(upstream, to, wire, length);
}

static void forwards_and_checks_what_comes_back(void **state)
{
    int fd = open_client(SOCK_DGRAM, &guest);
    uint8_t wire[MESSAGE_QUERY];
    uint8_t forged[MESSAGE_QUERY];
    struct endpoint from;
    size_t length;

    (void)state;
    ask(fd, 9, "ExAmPlE.org");
    length = take_query(upstreams[0], wire, &from);
    memcpy(forged, wire, length);
    forged[0] ^= 1; /* another id */
    reply(upstreams[0], &from, forged, length, MESSAGE_NXDOMAIN);
    memcpy(forged, wire, length);
    forged[13] = 'z'; /* another question */
    reply(upstreams[0], &from, forged, length, MESSAGE_NXDOMAIN);
    send_reply(upstreams[0], &from, wire, length); /* no answer */
    send_reply(upstreams[0], &from, wire, 5);
    reply(upstreams[1], &from, wire, length, MESSAGE_NXDOMAIN); /* from somebody else */
    wire[2] &= 0x7f;
    for (size_t i = 12; i < length; i++) {
        wire[i] = message_lower(wire[i]); /* some resolvers do */
    }
    reply(upstreams[0], &from, wire, length, MESSAGE_NOERROR);
    assert_int_equal(expect_answer(fd, 9, buffer, &buffer_length), MESSAGE_NOERROR);
    assert_int_equal(buffer_length, length);
    assert_memory_equal(buffer + 12, "\7ExAmPlE\3org", 13);
    (void)close(fd);
}

static void every_query_has_a_port_and_an_id_of_its_own(void **state)
{
    int fd = open_client(SOCK_DGRAM, &guest);
    uint16_t ports[16];
    uint16_t ids[16];
    size_t same_ports = 0;
    size_t same_ids = 0;

    (void)state;
    for (uint16_t i = 0; i < 16; i++) {
        uint8_t wire[MESSAGE_QUERY];
        struct endpoint from;
        size_t length;

        ask(fd, i, "example.org");
        length = take_query(upstreams[0], wire, &from);
        ports[i] = endpoint_port(&from);
        ids[i] = message_get16(wire);
        reply(upstreams[0], &from, wire, length, MESSAGE_NOERROR);
        (void)expect_answer(fd, i, buffer, &buffer_length);
        same_ports += i > 0 && ports[i] == ports[i - 1] ? 1 : 0;
        same_ids += i > 0 && (uint16_t)(ids[i] - ids[i - 1]) <= 1 ? 1 : 0;
    }
    assert_true(same_ports < 4);
    assert_true(same_ids < 4);
    (void)close(fd);
}

static void goes_on_to_the_next_upstream(void **state)
{
    int fd = open_client(SOCK_DGRAM, &guest);
    uint8_t wire[MESSAGE_QUERY];
    struct endpoint from;
    size_t length;

    (void)state;
    ask(fd, 1, "servfail.org");
    length = take_query(upstreams[0], wire, &from);
    reply(upstreams[0], &from, wire, length, MESSAGE_SERVFAIL);
    length = take_query(upstreams[1], wire, &from);
    reply(upstreams[1], &from, wire, length, MESSAGE_NOERROR);
    assert_int_equal(expect_answer(fd, 1, buffer, &buffer_length), MESSAGE_NOERROR);

    ask(fd, 2, "silent.org"); /* the first says nothing */
    (void)take_query(upstreams[0], wire, &from);
    length = take_query(upstreams[1], wire, &from);
    reply(upstreams[1], &from, wire, length, MESSAGE_NXDOMAIN);
    assert_int_equal(expect_answer(fd, 2, buffer, &buffer_length), MESSAGE_NXDOMAIN);

    (void)close(upstreams[0]); /* nobody is there: ICMP says so at once */
    ask(fd, 3, "absent.org");
    length = take_query(upstreams[1], wire, &from);
    reply(upstreams[1], &from, wire, length, MESSAGE_NOERROR);
    assert_int_equal(expect_answer(fd, 3, buffer, &buffer_length), MESSAGE_NOERROR);

    (void)close(upstreams[1]);
    ask(fd, 4, "nobody.org");
    assert_int_equal(expect_answer(fd, 4, buffer, &buffer_length), MESSAGE_SERVFAIL);
    upstreams[0] = upstreams[1] = -1;
    (void)close(fd);
}

static void a_repeated_query_is_asked_once(void **state)
{
    int fd = open_client(SOCK_DGRAM, &guest);
    uint8_t wire[MESSAGE_QUERY];
    struct endpoint from;
    size_t length;

    (void)state;
    ask(fd, 5, "slow.org");
    ask(fd, 5, "slow.org");
    ask(fd, 6, "other.org");
    length = take_query(upstreams[0], wire, &from);
    assert_memory_equal(wire + 12, "\4slow", 5);
    reply(upstreams[0], &from, wire, length, MESSAGE_NOERROR);
    (void)expect_answer(fd, 5, buffer, &buffer_length);
    (void)take_query(upstreams[0], wire, &from);
    assert_memory_equal(wire + 12, "\5other", 6);
    (void)close(fd);
}

static void one_guest_has_its_share_of_queries(void **state)
{
    int fd = open_client(SOCK_DGRAM, &guest);

    (void)state;
    for (uint16_t i = 0; i < 65; i++) {
        ask(fd, i, "flood.org");
    }
    /* 64 wait for upstream, which is silent: the answer is the last one's, before their time is up. */
    assert_int_equal(expect_answer(fd, 64, buffer, &buffer_length), MESSAGE_SERVFAIL);
    ask(fd, 100, "web.vm"); /* names of ours are answered as ever */
    assert_int_equal(expect_answer(fd, 100, buffer, &buffer_length), MESSAGE_NOERROR);
    (void)close(fd);
}

static void passes_truncation_on_and_forwards_by_tcp(void **state)
{
    int by_udp = open_client(SOCK_DGRAM, &guest);
    int by_tcp = open_client(SOCK_STREAM, &guest);
    struct endpoint bound;
    int listener = open_socket(SOCK_STREAM, &upstream_ends[0], &bound);
    uint8_t wire[MESSAGE_MAX];
    struct endpoint from;
    size_t length;
    int stream;

    (void)state;
    assert_int_equal(listen(listener, 1), 0);
    ask(by_udp, 1, "long.org");
    length = take_query(upstreams[0], wire, &from);
    wire[2] |= 0x02; /* TC */
    reply(upstreams[0], &from, wire, length, MESSAGE_NOERROR);
    (void)expect_answer(by_udp, 1, buffer, &buffer_length);
    assert_int_equal(buffer[2] & 0x02, 0x02);

    length = make_query(2, "long.org", wire + 2);
    message_put16(wire, (uint16_t)length);
    assert_int_equal(send(by_tcp, wire, length + 2, 0), length + 2);
    stream = accept(listener, NULL, NULL);
    assert_true(stream >= 0);
    set_patience(stream);
    length = read_message(stream, wire + 2);
    wire[4] |= 0x80;
    memset(wire + 2 + length, 'x', 60000); /* as long as an answer can be, nearly */
    length += 60000;
    message_put16(wire, (uint16_t)length);
    for (size_t sent = 0; sent < length + 2;) {
        ssize_t more = send(stream, wire + sent, length + 2 - sent, MSG_NOSIGNAL);

        assert_true(more > 0);
        sent += (size_t)more;
    }
    assert_int_equal(read_message(by_tcp, buffer), length);
    assert_int_equal(message_get16(buffer), 2);
    assert_memory_equal(buffer + 2, wire + 4, length - 2);
    (void)close(stream);
    (void)close(listener);
    (void)close(by_tcp);
    (void)close(by_udp);
}

static void cuts_what_the_guest_does_not_take(void **state)
{
    int fd = open_client(SOCK_DGRAM, &guest);
    uint8_t wire[MESSAGE_QUERY] = {0};
    struct endpoint from;
    size_t length;

    (void)state;
    ask(fd, 1, "fat.org");
    length = take_query(upstreams[0], wire, &from);
    reply(upstreams[0], &from, wire, 1000, MESSAGE_NOERROR); /* the guest said nothing of EDNS */
    (void)expect_answer(fd, 1, buffer, &buffer_length);
    assert_int_equal(buffer_length, length);
    assert_int_equal(buffer[2] & 0x02, 0x02);
    (void)close(fd);
}

static void a_stream_that_ends_takes_its_queries_along(void **state)
{
    int by_tcp = open_client(SOCK_STREAM, &guest);
    const struct linger reset = {.l_onoff = 1};
    const struct timeval moment = {.tv_sec = 1};
    struct endpoint bound;
    int listener = open_socket(SOCK_STREAM, &upstream_ends[0], &bound);
    uint8_t wire[MESSAGE_QUERY + 2];
    size_t length = make_query(2, "late.org", wire + 2);
    int stream;

    (void)state;
    assert_int_equal(listen(listener, 1), 0);
    message_put16(wire, (uint16_t)length);
    assert_int_equal(send(by_tcp, wire, length + 2, 0), length + 2);
    stream = accept(listener, NULL, NULL);
    assert_true(stream >= 0);
    set_patience(stream);
    (void)read_message(stream, wire);
    assert_int_equal(setsockopt(by_tcp, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    (void)close(by_tcp);
    /* Upstream is told that nobody waits, and long before its time is up. */
    assert_int_equal(setsockopt(stream, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment)), 0);
    assert_int_equal(recv(stream, wire, 1, 0), 0);
    (void)close(stream);
    (void)close(listener);
}

/* -- resolv.conf -- */

static void write_file(const char *path, const char *text)
{
    char other[64];
    FILE *file;

    (void)snprintf(other, sizeof(other), "%s.new", path);
    file = fopen(other, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(other, path), 0);
}

static void name_upstream(const char *path, const struct endpoint *end)
{
    char where[ENDPOINT_TEXT_SIZE];
    char text[256];

    endpoint_format(end, where);
    (void)snprintf(text, sizeof(text),
                   "# a comment\nsearch x\nnameserver\nnameserver bad\n"
                   "nameserver %s\n",
                   where);
    write_file(path, text);
}

static void follows_resolv_conf(void **state)
{
    char folder[] = "/tmp/banger-dns-XXXXXX";
    char path[64];
    struct server_options options = {.resolv_conf = path};
    const struct timeval moment = {.tv_usec = 200000};
    struct endpoint from;
    uint8_t wire[MESSAGE_QUERY];
    bool reached = false;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/resolv.conf", folder);
    name_upstream(path, &upstream_ends[0]);
    server_free(server);
    start_server(&options);
    fd = open_client(SOCK_DGRAM, &guest);
    ask(fd, 1, "first.org");
    (void)take_query(upstreams[0], wire, &from);
    name_upstream(path, &upstream_ends[1]);
    (void)setsockopt(upstreams[1], SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment));
    for (uint16_t id = 2; id < 2 + PATIENCE_SECONDS * 5 && !reached; id++) {
        ask(fd, id, "second.org");
        reached = recv(upstreams[1], wire, sizeof(wire), 0) > 0;
    }
    assert_true(reached);
    (void)close(fd);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* An upstream that is the server itself would take the guest's share of queries in a circle. */
static void never_asks_itself(void **state)
{
    struct server_options options = {.upstream_count = 2};
    struct endpoint any = loopback(0);
    uint8_t wire[MESSAGE_QUERY];
    struct endpoint from;
    int fd;

    (void)state;
    server_free(server);
    options.upstreams[0] = upstream_ends[0];
    options.upstreams[1] = upstream_ends[1];
    (void)close(upstreams[0]);
    upstreams[0] = -1;
    server = server_new(zone, &options);
    assert_int_equal(server_listen(server, &upstream_ends[0], ANSWER_GUEST, &guest), 0);
    assert_int_equal(server_listen(server, &any, ANSWER_LOCAL, &local), 0);
    fd = open_client(SOCK_DGRAM, &guest);
    for (uint16_t id = 0; id < 10; id++) {
        ask(fd, id, "example.org");
        (void)take_query(upstreams[1], wire, &from);
    }
    assert_int_equal(recv(fd, wire, sizeof(wire), MSG_DONTWAIT), -1); /* nobody was turned down */
    (void)close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(forwards_and_checks_what_comes_back),
        TEST(every_query_has_a_port_and_an_id_of_its_own),
        TEST(goes_on_to_the_next_upstream),
        TEST(a_repeated_query_is_asked_once),
        TEST(one_guest_has_its_share_of_queries),
        TEST(passes_truncation_on_and_forwards_by_tcp),
        TEST(cuts_what_the_guest_does_not_take),
        TEST(a_stream_that_ends_takes_its_queries_along),
        TEST(follows_resolv_conf),
        TEST(never_asks_itself),
    };

    return cmocka_run_group_tests_name("plugin_dns.forward", tests, NULL, NULL);
}
