/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two threads with plain blocking reads and writes, one a direction: our input and output are shared
 * with who knows whom, so their O_NONBLOCK is not ours to set. The end of a direction's input ends
 * its output and nothing else. SIGPIPE is blocked for the one that writes to the socket; the other's
 * reader may end us by it, as it would cat(1).
 */
#include "tcp.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CHUNK 65536
#define CONNECT_SECONDS 3 /* a guest on this machine answers at once, or is asked another way */

int tcp_connect(const char *address, unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = CONNECT_SECONDS};
    struct timeval none = {0};
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
        return -1;
    }
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* connect(2) keeps to the limit of sending, socket(7). */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)) < 0) {
        return -1;
    }
    return STEAL_FD(fd);
}

/* Returns bytes, 0 at the end of the input, or -1 with errno. */
static ssize_t copy_some(int from, int to)
{
    char chunk[CHUNK];
    ssize_t got = 0;
    do {
        got = read(from, chunk, sizeof(chunk));
    } while (got < 0 && errno == EINTR);
    return got > 0 && fd_write_all(to, chunk, (size_t)got, NULL) < 0 ? -1 : got;
}

/* False: the connection has gone, and nothing that is typed will change that. */
static bool wait_for_input(int in, int socket)
{
    struct pollfd polls[] = {{in, POLLIN, 0}, {socket, 0, 0}};
    int count = 0;
    do {
        count = poll(polls, COUNT_OF(polls), -1);
    } while (count < 0 && errno == EINTR);
    return count > 0 && polls[1].revents == 0;
}

struct outward {
    int from;
    int to;
    int failed;
};

static void *carry_out(void *context)
{
    struct outward *lane = context;
    ssize_t got = 1;
    while (got > 0) {
        got = copy_some(lane->from, lane->to);
    }
    lane->failed = got < 0 ? errno : 0;
    (void)shutdown(lane->to, SHUT_WR); /* ENOTSOCK for all others */
    (void)close(lane->to);
    return NULL;
}

int tcp_carry(int fd, int in, int out, banger_error *err)
{
    AUTO_CLOSE int socket = fd;
    struct outward lane = {.from = fd, .to = out};
    pthread_t thread;
    if (pthread_create(&thread, NULL, carry_out, &lane) != 0) {
        (void)close(out);
        return error_set(err, BANGER_EIO, "cannot start a thread");
    }
    sigset_t pipe;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    /* A peer that reads no more may still have something to say. */
    while (wait_for_input(in, socket) && copy_some(in, socket) > 0) {
    }
    (void)shutdown(socket, SHUT_WR);
    (void)pthread_join(thread, NULL);
    return lane.failed != 0 ? error_sys(err, lane.failed, "the connection broke") : 0;
}
