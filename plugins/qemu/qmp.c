/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QMP, as much as is needed to run one command without arguments (QEMU's docs/interop/qmp-spec).
 *
 * 1. QEMU greets: {"QMP": {...}}.  2. We send qmp_capabilities and get {"return": {}}.
 * 3. We send the command and get {"return": ...} or {"error": {"desc": ...}}; events may come
 *    between and are passed over.
 *
 * The peer has a hostile guest inside and may be stopped, hung or taken over: every read waits
 * under one deadline, a line is at most the buffer, and the number of lines is bounded. QEMU serves
 * one client at a time, and a second one's connect succeeds without a greeting: the deadline covers
 * it.
 */
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define LINES_MAX 256 /* events that may come before an answer */

const char *qmp_result_text(enum qmp_result result)
{
    switch (result) {
    case QMP_OK:
        return "done";
    case QMP_ABSENT:
        return "QEMU does not listen on its control socket";
    case QMP_TIMEOUT:
        return "QEMU does not answer on its control socket";
    case QMP_BROKEN:
        return "QEMU's control socket broke, or does not speak QMP";
    case QMP_REFUSED:
        return "QEMU refused the command";
    }
    return "unknown";
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t qmp_patience_ms(const struct banger_host *host, struct banger_call *call)
{
    int64_t left = host->remaining_ms(call);

    return left >= 0 && left < PATIENCE_MS ? left : PATIENCE_MS;
}

/* Waits until the socket is ready for `events` or the deadline passes. */
static enum qmp_result wait_for(const struct qmp *qmp, short events)
{
    struct pollfd entry = {.fd = qmp->fd, .events = events};

    for (;;) {
        int64_t left = qmp->until_ms - now_ms();
        int ready = left <= 0 ? 0 : poll(&entry, 1, (int)left);

        if (ready > 0) {
            return QMP_OK;
        }
        if (ready == 0) {
            return QMP_TIMEOUT;
        }
        if (errno != EINTR) {
            return QMP_BROKEN;
        }
    }
}

/* Adds what has come to the line buffer. */
static enum qmp_result receive(struct qmp *qmp)
{
    enum qmp_result result = wait_for(qmp, POLLIN);
    ssize_t got;

    if (result != QMP_OK) {
        return result;
    }
    if (qmp->used == sizeof(qmp->line)) {
        return QMP_BROKEN; /* a line longer than any that QMP has for us */
    }
    got = recv(qmp->fd, qmp->line + qmp->used, sizeof(qmp->line) - qmp->used, MSG_DONTWAIT);
    if (got > 0) {
        qmp->used += (size_t)got;
        return QMP_OK;
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? QMP_OK : QMP_BROKEN;
}

/* The next line as an object; a new reference. */
static enum qmp_result next_message(struct qmp *qmp, json_t **message)
{
    char *end;
    size_t length;

    while ((end = memchr(qmp->line, '\n', qmp->used)) == NULL) {
        enum qmp_result result = receive(qmp);

        if (result != QMP_OK) {
            return result;
        }
    }
    length = (size_t)(end - qmp->line) + 1;
    *message = json_loadb(qmp->line, length, 0, NULL);
    qmp->used -= length;
    memmove(qmp->line, qmp->line + length, qmp->used);
    if (json_is_object(*message)) {
        return QMP_OK;
    }
    json_decref(*message);
    *message = NULL;
    return QMP_BROKEN;
}

static enum qmp_result send_all(struct qmp *qmp, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(qmp->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        enum qmp_result result;

        if (sent >= 0) {
            text += sent;
            length -= (size_t)sent;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return QMP_BROKEN;
        }
        result = wait_for(qmp, POLLOUT);
        if (result != QMP_OK) {
            return result;
        }
    }
    return QMP_OK;
}

/* Passes over events until the answer comes. */
static enum qmp_result read_answer(struct qmp *qmp, json_t **answer)
{
    for (int i = 0; i < LINES_MAX; i++) {
        json_auto_t *message = NULL;
        enum qmp_result result = next_message(qmp, &message);

        if (result != QMP_OK) {
            return result;
        }
        if (json_object_get(message, "error") != NULL) {
            return QMP_REFUSED;
        }
        if (json_object_get(message, "return") != NULL) {
            if (answer != NULL) {
                *answer = json_incref(json_object_get(message, "return"));
            }
            return QMP_OK;
        }
    }
    return QMP_BROKEN;
}

enum qmp_result qmp_command(struct qmp *qmp, const char *command, json_t **answer)
{
    char text[128];
    int length = snprintf(text, sizeof(text), "{\"execute\":\"%s\"}\n", command);
    enum qmp_result result = send_all(qmp, text, (size_t)length);

    return result == QMP_OK ? read_answer(qmp, answer) : result;
}

/* Through /proc/self/fd: the folder's own path may be longer than sun_path. */
static int connect_below(const char *run_dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int folder = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = folder < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0) {
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder,
                       QEMU_QMP_SOCKET);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    if (folder >= 0) {
        (void)close(folder);
    }
    return fd;
}

static enum qmp_result negotiate(struct qmp *qmp)
{
    json_auto_t *greeting = NULL;
    enum qmp_result result = next_message(qmp, &greeting);

    if (result == QMP_OK && json_object_get(greeting, "QMP") == NULL) {
        result = QMP_BROKEN;
    }
    return result == QMP_OK ? qmp_command(qmp, "qmp_capabilities", NULL) : result;
}

enum qmp_result qmp_open(struct qmp *qmp, const char *run_dir, int64_t patience_ms)
{
    enum qmp_result result;

    qmp->used = 0;
    qmp->until_ms = now_ms() + patience_ms;
    qmp->fd = connect_below(run_dir);
    if (qmp->fd < 0) {
        return QMP_ABSENT;
    }
    result = negotiate(qmp);
    if (result != QMP_OK) {
        qmp_close(qmp);
    }
    return result;
}

void qmp_close(struct qmp *qmp)
{
    if (qmp->fd >= 0) {
        (void)close(qmp->fd);
    }
    qmp->fd = -1;
}
