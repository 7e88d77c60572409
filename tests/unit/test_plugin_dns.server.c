/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who asks by UDP and by TCP, well and badly. */
#include "test_plugin_dns.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>

/* -- Answers of our own -- */

static void answers_by_udp(void **state)
{
    int fd = open_client(SOCK_DGRAM, &local);

    (void)state;
    ask(fd, 7, "web.vm");
    assert_int_equal(expect_answer(fd, 7, buffer, &buffer_length), MESSAGE_NOERROR);
    assert_memory_equal(buffer + buffer_length - 4, "\254\20\0\2", 4);
    ask(fd, 8, "example.org");
    assert_int_equal(expect_answer(fd, 8, buffer, &buffer_length), MESSAGE_REFUSED);
    (void)close(fd);
}

static void listens_once(void **state)
{
    struct endpoint again = local;
    struct endpoint taken = upstream_ends[0];

    (void)state;
    assert_int_equal(server_listen(server, &again, ANSWER_LOCAL, NULL), 0);
    assert_int_equal(server_listen(server, &taken, ANSWER_LOCAL, NULL), -EADDRINUSE);
    assert_true(server_listens(server, &local));
    assert_false(server_listens(server, &taken));
}

static void listens_where_no_address_is_yet(void **state)
{
    /* TEST-NET-1 (RFC 5737): no host has it. */
    const struct address address = {.family = AF_INET, .bytes = {192, 0, 2, 1}};
    struct endpoint endpoint;

    (void)state;
    endpoint_make(&address, 0, &endpoint);
    assert_int_equal(server_listen(server, &endpoint, ANSWER_GUEST, NULL), 0);
}

/* Every query of a stream that is cut anywhere has its answer. */
static void answers_a_pipeline_by_tcp(void **state)
{
    int fd = open_client(SOCK_STREAM, &local);
    uint8_t stream[200 * 40];
    size_t used = 0;

    (void)state;
    for (uint16_t id = 0; id < 200; id++) {
        size_t length = make_query(id, id % 2 == 0 ? "web.vm" : "none.vm", stream + used + 2);

        message_put16(stream + used, (uint16_t)length);
        used += 2 + length;
    }
    for (size_t at = 0; at < used; at += 37) {
        size_t piece = used - at < 37 ? used - at : 37;

        assert_int_equal(send(fd, stream + at, piece, MSG_NOSIGNAL), piece);
    }
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (uint16_t id = 0; id < 200; id++) {
        (void)read_message(fd, buffer);
        assert_int_equal(message_get16(buffer), id);
        assert_int_equal(buffer[3] & 0x0f, id % 2 == 0 ? MESSAGE_NOERROR : MESSAGE_NXDOMAIN);
    }
    assert_int_equal(recv(fd, buffer, 1, 0), 0); /* it ends when we do */
    (void)close(fd);
}

static void ends_what_is_no_stream_of_queries(void **state)
{
    static const uint8_t rows[][2] = {{0, 0}, {0, 11}, {0xff, 0xff}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = open_client(SOCK_STREAM, &local);

        assert_int_equal(send(fd, rows[i], 2, MSG_NOSIGNAL), 2);
        assert_true(recv(fd, buffer, 1, 0) <= 0);
        (void)close(fd);
    }
}

static void one_peer_has_its_share_of_connections(void **state)
{
    int fds[20];
    size_t refused = 0;

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        uint8_t query[2 + MESSAGE_QUERY];
        size_t length = make_query((uint16_t)i, "web.vm", query + 2);

        fds[i] = open_client(SOCK_STREAM, &local);
        message_put16(query, (uint16_t)length);
        if (send(fds[i], query, length + 2, MSG_NOSIGNAL) < 0 || recv(fds[i], query, 2, 0) != 2) {
            refused++;
        }
    }
    assert_int_equal(refused, 4); /* of 20; 16 are allowed */
    for (size_t i = 0; i < 20; i++) {
        (void)close(fds[i]);
    }
}

/* The answers' way is blocked, the questions wait; when it is free again, none of them is lost, though
 * the peer has said its last word. */
static void a_slow_reader_has_all_its_answers(void **state)
{
    enum { COUNT = 200000 };
    struct endpoint any = loopback(0);
    struct endpoint bound;
    int fd = open_socket(SOCK_STREAM, &any, &bound);
    uint8_t query[2 + MESSAGE_QUERY];
    size_t length = make_query(1, "none.vm", query + 2) + 2;
    size_t sent = 0;
    size_t answers = 0;
    bool blocked = false;
    int small = 16384; /* the kernel's buffers end where ours are to begin */

    (void)state;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    assert_int_equal(connect(fd, &local.any, local.length), 0);
    message_put16(query, (uint16_t)(length - 2));
    while (sent < COUNT * length) {
        ssize_t more =
            send(fd, query + sent % length, length - sent % length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (more > 0) {
            sent += (size_t)more;
            continue;
        }
        assert_int_equal(errno, EAGAIN);
        blocked = true;
        (void)read_message(fd, buffer);
        answers++;
    }
    assert_true(blocked);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (; answers < COUNT; answers++) {
        (void)read_message(fd, buffer);
    }
    assert_int_equal(recv(fd, buffer, 1, 0), 0);
    (void)close(fd);
}

static void ends_a_silent_stream(void **state)
{
    const struct server_options options = {.resolv_conf = "/nonexistent", .idle_ms = 200};
    int fd;

    (void)state;
    server_free(server);
    start_server(&options);
    fd = open_client(SOCK_STREAM, &local);
    assert_int_equal(send(fd, "\0", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(fd, buffer, 1, 0), 0);
    (void)close(fd);
}

/* A long zone's SOA behind a long name: the one answer of ours that can be longer than 512 bytes. */
static void truncates_by_udp_and_not_by_tcp(void **state)
{
    const struct server_options options = {.resolv_conf = "/nonexistent"};
    const struct address gateway = {.family = AF_INET, .bytes = {172, 16, 0, 1}};
    uint8_t apex[191];
    uint8_t query[2 + MESSAGE_QUERY];
    char name[254];
    size_t length;
    int fd;

    (void)state;
    for (size_t i = 0; i < 190; i += 2) {
        apex[i] = 1;
        apex[i + 1] = 'z';
    }
    apex[190] = 0;
    for (size_t i = 0; i < 230; i += 2) {
        memcpy(name + i, "x.", 2);
    }
    (void)snprintf(name + 230, sizeof(name) - 230, "0.16.172.in-addr.arpa");
    server_free(server);
    zone_free(zone);
    zone = zone_new(apex, sizeof(apex), 5);
    assert_true(zone_put_range(zone, &gateway, 24));
    start_server(&options);
    length = make_query(3, name, query + 2);
    query[2 + 11] = 1;
    memcpy(query + 2 + length, "\0\0\51\2\0\0\0\0\0\0\0", 11); /* OPT: takes 512 bytes */
    length += 11;
    message_put16(query, (uint16_t)length);
    fd = open_client(SOCK_DGRAM, &local);
    assert_int_equal(send(fd, query + 2, length, 0), length);
    assert_int_equal(expect_answer(fd, 3, buffer, &buffer_length), MESSAGE_NXDOMAIN);
    assert_int_equal(buffer[2] & 0x02, 0x02);
    assert_true(buffer_length <= 512);
    (void)close(fd);
    fd = open_client(SOCK_STREAM, &local);
    assert_int_equal(send(fd, query, length + 2, 0), length + 2);
    assert_true(read_message(fd, buffer) > 512);
    assert_int_equal(buffer[2] & 0x02, 0);
    assert_int_equal(buffer[9], 1); /* the SOA */
    (void)close(fd);
}

/* A peer that asks and never reads holds up nobody, and is read from no further. */
static void a_peer_that_reads_nothing_is_not_read_either(void **state)
{
    int fd = open_client(SOCK_STREAM, &local);
    uint8_t stream[64 * 1024];
    const struct timeval patience = {.tv_usec = 300000};
    size_t used = 0;
    size_t total = 0;
    ssize_t sent;

    (void)state;
    while (used + 100 < sizeof(stream)) {
        size_t length = make_query(1, "none.vm", stream + used + 2);

        message_put16(stream + used, (uint16_t)length);
        used += 2 + length;
    }
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    while ((sent = send(fd, stream, used, MSG_NOSIGNAL)) > 0 && total < 256u << 20) {
        total += (size_t)sent;
    }
    assert_true(total < 256u << 20);
    answers_by_udp(state);
    (void)close(fd);
}

/* -- Together -- */

static atomic_bool changing;

static void *change_names(void *argument)
{
    const struct address v4 = {.family = AF_INET, .bytes = {172, 16, 0, 9}};
    const struct address none = {.family = AF_UNSPEC};

    (void)argument;
    while (atomic_load(&changing)) {
        (void)zone_put_host(zone, "9", "other", &v4, &none);
        zone_remove_host(zone, "9");
    }
    return NULL;
}

static void answers_while_names_come_and_go(void **state)
{
    int fd = open_client(SOCK_DGRAM, &local);
    pthread_t thread;

    (void)state;
    atomic_store(&changing, true);
    assert_int_equal(pthread_create(&thread, NULL, change_names, NULL), 0);
    for (uint16_t i = 0; i < 2000; i++) {
        ask(fd, i, i % 2 == 0 ? "web.vm" : "other.vm");
        assert_int_equal(expect_answer(fd, i, buffer, &buffer_length) & ~MESSAGE_NXDOMAIN, 0);
        assert_true(i % 2 != 0 || (buffer[3] & 0x0f) == 0);
    }
    atomic_store(&changing, false);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(fd);
}

/* -- dig -- */

static void run_dig(const char *const argv[], char *out, size_t size)
{
    int ends[2];
    size_t used = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], 1);
        (void)execv(argv[0], (char **)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(ends[1]);
    while (used < size - 1 && (got = read(ends[0], out + used, size - 1 - used)) > 0) {
        used += (size_t)got;
    }
    out[used] = '\0';
    (void)close(ends[0]);
    (void)waitpid(pid, NULL, 0);
}

static void dig_understands_it(void **state)
{
    static const char *const ways[] = {"+notcp", "+tcp", "+noedns", "+cookie"};
    char port[16];
    char out[4096];

    (void)state;
    if (access("/usr/bin/dig", X_OK) != 0) {
        print_message("dig is not installed (bind9-dnsutils)\n");
        skip();
    }
    (void)snprintf(port, sizeof(port), "%u", endpoint_port(&local));
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const char *const argv[] = {"/usr/bin/dig", "@127.0.0.1", "-p",         port,
                                    "+time=5",      "+tries=1",   "+norecurse", ways[i],
                                    "WEB.vm",       "A",          NULL};

        run_dig(argv, out, sizeof(out));
        if (strstr(out, "status: NOERROR") == NULL || strstr(out, "flags: qr aa;") == NULL ||
            strstr(out, "WEB.vm.\t\t\t5\tIN\tA\t172.16.0.2") == NULL ||
            strstr(out, "WARNING") != NULL) {
            fail_msg("dig %s said: %s", ways[i], out);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(answers_by_udp),
        TEST(listens_once),
        TEST(listens_where_no_address_is_yet),
        TEST(answers_a_pipeline_by_tcp),
        TEST(ends_what_is_no_stream_of_queries),
        TEST(one_peer_has_its_share_of_connections),
        TEST(a_slow_reader_has_all_its_answers),
        TEST(ends_a_silent_stream),
        TEST(truncates_by_udp_and_not_by_tcp),
        TEST(a_peer_that_reads_nothing_is_not_read_either),
        TEST(answers_while_names_come_and_go),
        TEST(dig_understands_it),
    };

    return cmocka_run_group_tests_name("plugin_dns.server", tests, NULL, NULL);
}
