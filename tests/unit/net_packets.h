/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams, connections and raw frames between the namespaces of a test (net_space.h). */
#ifndef TESTS_NET_PACKETS_H
#define TESTS_NET_PACKETS_H

#include "net_space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#define DEADLINE_MS 5000 /* for what must arrive; it takes microseconds */

static int net_home = -1; /* the namespace that the thread is in between calls */

/* -- Sockets -------------------------------------------------------------------------------------- */

static inline struct sockaddr_storage address_of(const char *ip, uint16_t port, socklen_t *length)
{
    struct sockaddr_storage all = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&all;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&all;
    if (strchr(ip, ':') != NULL) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        assert_int_equal(inet_pton(AF_INET6, ip, &six->sin6_addr), 1);
        *length = sizeof(*six);
        return all;
    }
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    assert_int_equal(inet_pton(AF_INET, ip, &four->sin_addr), 1);
    *length = sizeof(*four);
    return all;
}

static inline int socket_at(int space, int type, const char *ip, uint16_t port)
{
    socklen_t length = 0;
    struct sockaddr_storage address = address_of(ip, port, &length);
    space_enter(space);
    int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    space_enter(net_home);
    int on = 1;
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    if (type == SOCK_STREAM) {
        assert_int_equal(listen(fd, 4), 0);
    }
    return fd;
}

static inline void say(int fd, const char *ip, uint16_t port, const char *text)
{
    socklen_t length = 0;
    struct sockaddr_storage address = address_of(ip, port, &length);
    (void)!sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, length);
}

/* The next datagram is this one; its sender, as "ADDRESS:PORT" in a static buffer. */
static inline const char *hear(int fd, const char *text, struct sockaddr_in *from)
{
    static char ip[INET_ADDRSTRLEN];
    char got[256] = "";
    struct sockaddr_storage sender = {0};
    socklen_t length = sizeof(sender);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    if (poll(&poller, 1, DEADLINE_MS) != 1) {
        fail_msg("'%s' did not arrive", text);
    }
    assert_true(recvfrom(fd, got, sizeof(got) - 1, 0, (struct sockaddr *)&sender, &length) > 0);
    assert_string_equal(got, text);
    if (from != NULL) {
        memcpy(from, &sender, sizeof(*from));
    }
    (void)inet_ntop(AF_INET, &((struct sockaddr_in *)&sender)->sin_addr, ip, sizeof(ip));
    return ip;
}

static inline void hear_nothing(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poller, 1, 0), 0);
}

/* Whether a TCP connection from the namespace comes about. */
static inline int dial(int space, const char *ip, uint16_t port)
{
    socklen_t length = 0;
    struct sockaddr_storage address = address_of(ip, port, &length);
    space_enter(space);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    space_enter(net_home);
    (void)connect(fd, (struct sockaddr *)&address, length);
    return fd;
}

static inline bool is_connected(int fd, int timeout_ms)
{
    int failure = 0;
    socklen_t length = sizeof(failure);
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    return poll(&poller, 1, timeout_ms) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) == 0 && failure == 0;
}

/* -- Frames --------------------------------------------------------------------------------------- */

struct frame {
    uint8_t data[256];
    size_t length;
};

static inline void put_mac(uint8_t *to, const char *text)
{
    assert_int_equal(sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &to[0], &to[1], &to[2],
                            &to[3], &to[4], &to[5]),
                     6);
}

static inline struct frame frame_new(const char *to, const char *from, uint16_t type)
{
    struct frame frame = {.length = ETH_HLEN};
    put_mac(frame.data, to);
    put_mac(frame.data + ETH_ALEN, from);
    frame.data[12] = (uint8_t)(type >> 8);
    frame.data[13] = (uint8_t)type;
    return frame;
}

static inline void frame_put(struct frame *frame, const void *data, size_t length)
{
    memcpy(frame->data + frame->length, data, length);
    frame->length += length;
}

static inline uint16_t checksum(const void *data, size_t length)
{
    const uint8_t *bytes = data;
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i += 2) {
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t) ~(sum + (sum >> 16)));
}

/* UDP over IPv4 (without a checksum, as RFC 768 allows) with `text` in it. */
static inline struct frame frame_udp(const char *to_mac, const char *from_mac, const char *to,
                                     const char *from, uint16_t port, const char *text)
{
    struct frame frame = frame_new(to_mac, from_mac, ETH_P_IP);
    struct udphdr udp = {htons(40000), htons(port), htons((uint16_t)(sizeof(udp) + strlen(text))),
                         0};
    struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
    ip.tot_len = htons((uint16_t)(sizeof(ip) + sizeof(udp) + strlen(text)));
    assert_int_equal(inet_pton(AF_INET, to, &ip.daddr), 1);
    assert_int_equal(inet_pton(AF_INET, from, &ip.saddr), 1);
    ip.check = checksum(&ip, sizeof(ip));
    frame_put(&frame, &ip, sizeof(ip));
    frame_put(&frame, &udp, sizeof(udp));
    frame_put(&frame, text, strlen(text));
    return frame;
}

static inline int packets_at(int space, const char *link)
{
    space_enter(space);
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex(link)};
    space_enter(net_home);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline void transmit(int fd, const struct frame *frame)
{
    assert_int_equal(send(fd, frame->data, frame->length, 0), (ssize_t)frame->length);
}

/* Reads frames until one has `last` in it; whether one before it has `wanted`. */
static inline bool was_seen(int fd, const char *wanted, const char *last)
{
    bool seen = false;
    for (;;) {
        uint8_t data[2048];
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        if (poll(&poller, 1, DEADLINE_MS) != 1) {
            fail_msg("no frame with '%s' came", last);
        }
        ssize_t length = recv(fd, data, sizeof(data), 0);
        assert_true(length > 0);
        seen = seen || memmem(data, (size_t)length, wanted, strlen(wanted)) != NULL;
        if (memmem(data, (size_t)length, last, strlen(last)) != NULL) {
            return seen;
        }
    }
}

#endif
