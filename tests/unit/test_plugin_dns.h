/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A server on loopback. The test is its clients and its upstreams; every wait has a deadline. */
#ifndef TESTS_PLUGIN_DNS_H
#define TESTS_PLUGIN_DNS_H

#include "server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_SECONDS 10

static struct zone *zone;
static struct server *server;
static struct endpoint local;
static struct endpoint guest;
static int upstreams[2]; /* UDP sockets */
static struct endpoint upstream_ends[2];

static inline struct endpoint loopback(uint16_t port)
{
    const struct address address = {.family = AF_INET, .bytes = {127, 0, 0, 1}};
    struct endpoint endpoint;

    endpoint_make(&address, port, &endpoint);
    return endpoint;
}

static inline void set_patience(int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
}

static inline int open_socket(int type, const struct endpoint *at, struct endpoint *bound)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    set_patience(fd);
    assert_int_equal(bind(fd, &at->any, at->length), 0);
    *bound = (struct endpoint){.length = sizeof(bound->storage)};
    assert_int_equal(getsockname(fd, &bound->any, &bound->length), 0);
    return fd;
}

static inline int open_client(int type, const struct endpoint *to)
{
    struct endpoint any = loopback(0);
    struct endpoint bound;
    int fd = open_socket(type, &any, &bound);

    assert_int_equal(connect(fd, &to->any, to->length), 0);
    return fd;
}

static inline void start_server(const struct server_options *options)
{
    struct endpoint any = loopback(0);

    server = server_new(zone, options);
    assert_non_null(server);
    assert_int_equal(server_listen(server, &any, ANSWER_LOCAL, &local), 0);
    assert_int_equal(server_listen(server, &any, ANSWER_GUEST, &guest), 0);
}

static inline int set_up(void **state)
{
    const struct address v4 = {.family = AF_INET, .bytes = {172, 16, 0, 2}};
    const struct address none = {.family = AF_UNSPEC};
    struct endpoint any = loopback(0);
    struct server_options options = {.upstream_count = 2};

    (void)state;
    zone = zone_new((const uint8_t *)"\2vm", 4, 5);
    assert_true(zone_put_host(zone, "1", "web", &v4, &none));
    for (int i = 0; i < 2; i++) {
        upstreams[i] = open_socket(SOCK_DGRAM, &any, &upstream_ends[i]);
        options.upstreams[i] = upstream_ends[i];
    }
    start_server(&options);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    server_free(server);
    zone_free(zone);
    for (int i = 0; i < 2; i++) {
        (void)close(upstreams[i]);
    }
    return 0;
}

/* -- Messages -- */

/* A query for NAME A; the name in presentation form, without its last dot. */
static inline size_t make_query(uint16_t id, const char *name, uint8_t out[MESSAGE_QUERY])
{
    const uint8_t header[12] = {(uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1};
    size_t length = sizeof(header);

    memcpy(out, header, sizeof(header));
    while (*name != '\0') {
        size_t label = strcspn(name, ".");

        out[length++] = (uint8_t)label;
        memcpy(out + length, name, label);
        length += label;
        name += label + (name[label] == '.' ? 1 : 0);
    }
    memcpy(out + length, "\0\0\1\0\1", 5);
    return length + 5;
}

static inline void ask(int fd, uint16_t id, const char *name)
{
    uint8_t wire[MESSAGE_QUERY];
    size_t length = make_query(id, name, wire);

    assert_int_equal(send(fd, wire, length, 0), length);
}

/* Waits for one answer; its rcode. */
static inline int expect_answer(int fd, uint16_t id, uint8_t *out, size_t *length)
{
    ssize_t got = recv(fd, out, MESSAGE_MAX, 0);

    if (got < 0) {
        fail_msg("no answer: %s", strerror(errno));
    }
    assert_true(got >= MESSAGE_HEADER);
    assert_int_equal(message_get16(out), id);
    *length = (size_t)got;
    return out[3] & 0x0f;
}

static uint8_t buffer[MESSAGE_MAX];
static size_t buffer_length;

static inline void read_whole(int fd, uint8_t *at, size_t length)
{
    assert_int_equal(recv(fd, at, length, MSG_WAITALL), length);
}

static inline size_t read_message(int fd, uint8_t *out)
{
    uint8_t prefix[2];

    read_whole(fd, prefix, 2);
    read_whole(fd, out, message_get16(prefix));
    return message_get16(prefix);
}

#endif
