/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint8_t *queue_room(struct queue *queue, size_t more)
{
    size_t needed = queue->length + more;
    if (queue->start + needed > queue->capacity && queue->start != 0) {
        memmove(queue->data, queue->data + queue->start, queue->length);
        queue->start = 0;
    }
    if (needed > queue->capacity) {
        size_t capacity = queue->capacity != 0 ? queue->capacity : 1024;
        while (capacity < needed) {
            capacity *= 2;
        }
        uint8_t *data = realloc(queue->data, capacity);
        if (data == NULL) {
            return NULL;
        }
        queue->data = data;
        queue->capacity = capacity;
    }
    return queue->data + queue->start + queue->length;
}

void queue_commit(struct queue *queue, size_t length)
{
    queue->length += length;
}

int queue_append(struct queue *queue, const void *data, size_t length)
{
    uint8_t *room = queue_room(queue, length);
    if (room == NULL) {
        return -1;
    }
    memcpy(room, data, length);
    queue_commit(queue, length);
    return 0;
}

int queue_write(struct queue *queue, int fd)
{
    while (queue->length != 0) {
        ssize_t sent = write(fd, queue->data + queue->start, queue->length);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return -1;
        }
        queue->start += (size_t)sent;
        queue->length -= (size_t)sent;
    }
    queue->start = 0;
    return 0;
}

void queue_clear(struct queue *queue)
{
    free(queue->data);
    *queue = (struct queue){0};
}
