/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "outbox.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct outbox_message {
    struct buf data;
    size_t sent;
    int passed_fd; /* -1: none, or it has been sent */
    struct outbox_message *next;
};

void outbox_push(struct outbox *outbox, struct buf message, int passed_fd)
{
    struct outbox_message *added = xcalloc(1, sizeof(*added));
    *added = (struct outbox_message){.data = message, .passed_fd = passed_fd};
    if (outbox->last != NULL) {
        outbox->last->next = added;
    } else {
        outbox->first = added;
    }
    outbox->last = added;
    outbox->bytes += message.length;
}

static void drop_first(struct outbox *outbox)
{
    struct outbox_message *message = outbox->first;
    outbox->first = message->next;
    if (outbox->first == NULL) {
        outbox->last = NULL;
    }
    outbox->bytes -= message->data.length - message->sent;
    cleanup_close(&message->passed_fd);
    buf_free(&message->data);
    free(message);
}

void outbox_clear(struct outbox *outbox)
{
    while (outbox->first != NULL) {
        drop_first(outbox);
    }
}

static ssize_t send_part(const struct outbox_message *message, int fd)
{
    struct iovec part = {.iov_base = message->data.data + message->sent,
                         .iov_len = message->data.length - message->sent};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    if (message->passed_fd >= 0) {
        header.msg_control = control.space;
        header.msg_controllen = sizeof(control.space);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &message->passed_fd, sizeof(int));
    }
    return sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int outbox_flush(struct outbox *outbox, int fd)
{
    while (outbox->first != NULL) {
        struct outbox_message *message = outbox->first;
        ssize_t sent = send_part(message, fd);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN ? 0 : -1;
        }
        if (message->passed_fd >= 0) {
            (void)close(STEAL_FD(message->passed_fd));
        }
        message->sent += (size_t)sent;
        outbox->bytes -= (size_t)sent;
        if (message->sent == message->data.length) {
            drop_first(outbox);
        }
    }
    return 0;
}
