/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A server of HTTP for one test, on loopback or a unix socket: it notes each request, and answers as told. */
#ifndef TESTS_HTTP_PEER_H
#define TESTS_HTTP_PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HTTP_PEER_SEEN_MAX 16

struct http_peer {
    int listener;
    int port;
    pthread_t thread;
    atomic_bool ends;
    pthread_mutex_t lock;
    char answer[8192]; /* of every request; "": it is never answered */
    char seen[HTTP_PEER_SEEN_MAX][4096];
    int count;
};

/* Header and body, as many bytes as it announces. */
static inline int http_peer_read(int fd, char *text, size_t size)
{
    size_t have = 0;

    while (have < size - 1) {
        ssize_t got = read(fd, text + have, size - 1 - have);
        const char *body;
        const char *announced;

        if (got <= 0) {
            return -1;
        }
        have += (size_t)got;
        text[have] = '\0';
        body = strstr(text, "\r\n\r\n");
        announced = strcasestr(text, "content-length:");
        if (body != NULL && (announced == NULL || have - (size_t)(body + 4 - text) >=
                                                      strtoul(announced + 15, NULL, 10))) {
            return 0;
        }
    }
    return -1;
}

static inline void http_peer_serve(struct http_peer *peer, int fd)
{
    char text[4096];
    char answer[sizeof(peer->answer)];

    if (http_peer_read(fd, text, sizeof(text)) < 0) {
        return;
    }
    (void)pthread_mutex_lock(&peer->lock);
    (void)snprintf(peer->seen[peer->count % HTTP_PEER_SEEN_MAX], sizeof(peer->seen[0]), "%s", text);
    peer->count++;
    (void)snprintf(answer, sizeof(answer), "%s", peer->answer);
    (void)pthread_mutex_unlock(&peer->lock);
    if (answer[0] == '\0') { /* until the other side has had enough */
        struct pollfd other = {.fd = fd, .events = POLLIN};

        (void)poll(&other, 1, -1);
    } else if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) {
        perror("http_peer");
    }
}

static inline void *http_peer_run(void *pointer)
{
    struct http_peer *peer = pointer;

    while (!peer->ends) {
        int fd = accept(peer->listener, NULL, NULL);

        if (fd >= 0) {
            http_peer_serve(peer, fd);
            (void)close(fd);
        }
    }
    return NULL;
}

/* `path`: a unix socket; NULL: a port of loopback. */
static inline void http_peer_start(struct http_peer *peer, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un unix_address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);
    int result;

    memset(peer, 0, sizeof(*peer));
    (void)pthread_mutex_init(&peer->lock, NULL);
    peer->listener = socket(path != NULL ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (path != NULL) {
        (void)snprintf(unix_address.sun_path, sizeof(unix_address.sun_path), "%s", path);
        result = bind(peer->listener, (struct sockaddr *)&unix_address, sizeof(unix_address));
    } else {
        result = bind(peer->listener, (struct sockaddr *)&address, sizeof(address));
    }
    if (result < 0 || listen(peer->listener, 8) < 0) {
        perror("http_peer");
        abort();
    }
    if (path == NULL) {
        (void)getsockname(peer->listener, (struct sockaddr *)&address, &length);
        peer->port = ntohs(address.sin_port);
    }
    (void)pthread_create(&peer->thread, NULL, http_peer_run, peer);
}

static inline void http_peer_stop(struct http_peer *peer)
{
    peer->ends = true;
    (void)shutdown(peer->listener, SHUT_RDWR);
    (void)pthread_join(peer->thread, NULL);
    (void)close(peer->listener);
    (void)pthread_mutex_destroy(&peer->lock);
}

static inline void http_peer_answer(struct http_peer *peer, const char *answer)
{
    (void)pthread_mutex_lock(&peer->lock);
    (void)snprintf(peer->answer, sizeof(peer->answer), "%s", answer);
    (void)pthread_mutex_unlock(&peer->lock);
}

/* The last request, "" when there was none. In a static buffer. */
static inline const char *http_peer_last(struct http_peer *peer)
{
    static char text[4096];

    (void)pthread_mutex_lock(&peer->lock);
    (void)snprintf(text, sizeof(text), "%s",
                   peer->count > 0 ? peer->seen[(peer->count - 1) % HTTP_PEER_SEEN_MAX] : "");
    (void)pthread_mutex_unlock(&peer->lock);
    return text;
}

#endif
