/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SERVICE_CONNECT in its child: a connection to a port of the guest's loopback.
 *
 * 1. 127.0.0.1, then ::1: what listens on all addresses, or on the loopback's, is reached.
 * 2. Two lanes, standard input to the socket and the socket to standard output, each with one buffer
 * that is filled when it is empty: a slow reader stops its own lane, and with it its writer.
 * 3. The end of a lane's input ends its output, and nothing of the other lane. The service ends when
 * both have ended, or when the connection has broken, which a socket tells by POLLERR.
 */
#include "service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LANE_BUFFER 65536  /* what a pipe holds, pipe(7) */
#define CONNECT_SECONDS 10 /* a loopback answers at once, unless its listener's queue is full */

struct lane {
    int from;
    int to;
    bool ended; /* `to` has been told that nothing more comes */
    size_t start;
    size_t end; /* the bytes from `start` up to here wait for `to` */
    char data[LANE_BUFFER];
};

enum { POLL_SOCKET, POLL_STDIN, POLL_STDOUT, POLLS };

/* -- Connecting -------------------------------------------------------------------------------- */

static int connect_to(const struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = CONNECT_SECONDS};
    if (fd < 0) {
        return -1;
    }
    /* connect(2) keeps to it too, socket(7). */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, address, length) < 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved == EINPROGRESS ? ETIMEDOUT : saved;
        return -1;
    }
    return fd;
}

/* A refusal says more than that there is no IPv6, so the first error counts. */
static int connect_loopback(unsigned port)
{
    struct sockaddr_in four = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                               .sin6_port = htons((uint16_t)port),
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = connect_to((struct sockaddr *)&four, sizeof(four));
    if (fd < 0) {
        int first = errno;
        fd = connect_to((struct sockaddr *)&six, sizeof(six));
        errno = first;
    }
    return fd;
}

/* -- Carrying ---------------------------------------------------------------------------------- */

static bool lane_is_full(const struct lane *lane)
{
    return lane->start != lane->end;
}

/* A socket keeps its other direction; a pipe has only the one. */
static void lane_end(struct lane *lane)
{
    if (!lane->ended && shutdown(lane->to, SHUT_WR) < 0) {
        (void)close(lane->to);
    }
    lane->start = lane->end = 0;
    lane->ended = true;
}

static void lane_fill(struct lane *lane)
{
    ssize_t got = read(lane->from, lane->data, sizeof(lane->data));
    if (got > 0) {
        lane->end = (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        lane_end(lane);
    }
}

static void lane_empty(struct lane *lane)
{
    ssize_t put = write(lane->to, lane->data + lane->start, lane->end - lane->start);
    if (put > 0) {
        lane->start += (size_t)put;
    } else if (errno != EAGAIN && errno != EINTR) {
        lane_end(lane);
    }
    if (!lane_is_full(lane)) {
        lane->start = lane->end = 0;
    }
}

static short wanted(const struct lane *lane, bool full, short events)
{
    return !lane->ended && lane_is_full(lane) == full ? events : 0;
}

/* What is not waited for is left out: poll reports its end regardless. */
static int fd_if(int fd, bool waited)
{
    return waited ? fd : -1;
}

static void carry_once(struct lane *in, struct lane *out)
{
    short fill_in = wanted(in, false, POLLIN);
    short empty_out = wanted(out, true, POLLOUT);
    short on_socket = (short)(wanted(in, true, POLLOUT) | wanted(out, false, POLLIN));
    struct pollfd polls[POLLS] = {
        [POLL_SOCKET] = {fd_if(in->to, on_socket != 0 || !in->ended), on_socket, 0},
        [POLL_STDIN] = {fd_if(in->from, fill_in != 0), fill_in, 0},
        [POLL_STDOUT] = {fd_if(out->to, empty_out != 0), empty_out, 0},
    };
    if (poll(polls, POLLS, -1) < 0) {
        return;
    }
    bool broken = (polls[POLL_SOCKET].revents & (POLLERR | POLLHUP)) != 0;
    if (polls[POLL_STDOUT].revents != 0) {
        lane_empty(out);
    }
    if (polls[POLL_STDIN].revents != 0) {
        lane_fill(in);
    }
    if (broken) {
        lane_end(in); /* nobody is left to read it; what has come is delivered all the same */
    }
    if ((on_socket & POLLIN) != 0 && (broken || (polls[POLL_SOCKET].revents & POLLIN) != 0)) {
        lane_fill(out);
    }
    if (!broken && (polls[POLL_SOCKET].revents & POLLOUT) != 0) {
        lane_empty(in);
    }
}

static int unblock(int fd)
{
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int connect_run(unsigned port)
{
    static struct lane in;
    static struct lane out;
    (void)signal(SIGPIPE, SIG_IGN);
    int fd = connect_loopback(port);
    if (fd < 0) {
        return errno == ECONNREFUSED
                   ? service_fail(1, "nothing listens on port %u in the guest", port)
                   : service_fail(1, "cannot connect to port %u in the guest: %s", port,
                                  strerror(errno));
    }
    in.from = STDIN_FILENO;
    out.to = STDOUT_FILENO;
    in.to = out.from = fd;
    if (unblock(fd) < 0 || unblock(STDIN_FILENO) < 0 || unblock(STDOUT_FILENO) < 0) {
        return service_fail(1, "cannot use the connection: %s", strerror(errno));
    }
    while (!in.ended || !out.ended) {
        carry_once(&in, &out);
    }
    return 0;
}
