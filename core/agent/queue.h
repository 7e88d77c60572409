/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A byte queue: bytes go in at the end and out at the front. Its memory stays for the next bytes
 * until queue_clear: fresh pages for each would cost more than the bytes. The owner bounds it. */
#ifndef AGENT_QUEUE_H
#define AGENT_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct queue {
    uint8_t *data;
    size_t start;
    size_t length;
    size_t capacity;
};

/* Room for `more` bytes behind the last one, or NULL when memory is out. */
uint8_t *queue_room(struct queue *queue, size_t more);
void queue_commit(struct queue *queue, size_t length); /* bytes written into that room */
int queue_append(struct queue *queue, const void *data, size_t length);
/* Writes what the descriptor takes; -1 with errno when it takes no more (EAGAIN) or broke. */
int queue_write(struct queue *queue, int fd);
void queue_clear(struct queue *queue);

#endif
