/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "isolate/child.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "capability/isolate_wire.h"

#include <errno.h>
#include <sys/socket.h>

#define READ_SIZE 65536

static int link_fd = -1;
static struct buf input;

void link_open(int socket)
{
    link_fd = socket;
}

static void send_all(const struct buf *out)
{
    for (size_t sent = 0; sent < out->length;) {
        ssize_t wrote = send(link_fd, out->data + sent, out->length - sent, MSG_NOSIGNAL);
        if (wrote < 0 && errno != EINTR) {
            _exit(0); /* nobody is left to tell */
        }
        sent += wrote > 0 ? (size_t)wrote : 0;
    }
}

int link_send(json_t *message)
{
    AUTO_BUF struct buf out = BUF_INIT;
    int result = message != NULL ? wire_put(&out, message) : -1;
    json_decref(message);
    if (result == 0) {
        send_all(&out);
    }
    return result;
}

json_t *link_receive(bool soon)
{
    for (;;) {
        size_t length = 0;
        int there = wire_look(&input, &length);
        if (there != 0) {
            return there > 0 ? wire_take(&input, length) : NULL;
        }
        if (soon) {
            wire_wait_awake(link_fd);
        }
        buf_reserve(&input, READ_SIZE);
        ssize_t got = recv(link_fd, input.data + input.length, READ_SIZE - 1, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return NULL;
        }
        input.length += got > 0 ? (size_t)got : 0;
        input.data[input.length] = '\0';
    }
}
