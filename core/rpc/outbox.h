/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages on their way to a socket that may not take them yet. Not locked: the owner does that. */
#ifndef RPC_OUTBOX_H
#define RPC_OUTBOX_H

#include "base/str.h"

struct outbox_message;

struct outbox {
    struct outbox_message *first;
    struct outbox_message *last;
    size_t bytes; /* not sent yet */
};

/* Queues a message with a descriptor (or -1) that travels with its first byte. Takes both. */
void outbox_push(struct outbox *outbox, struct buf message, int passed_fd);
/* Sends what the socket takes without waiting. 0, or -1 when the connection is of no use. */
int outbox_flush(struct outbox *outbox, int fd);
void outbox_clear(struct outbox *outbox);

#endif
