/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lines.h"

#include <string.h>

void lines_add(struct lines *lines, const void *data, size_t length)
{
    buf_append(&lines->data, data, length);
}

/* Once a batch, not once a line: moving the rest for each of many short lines is quadratic. */
static void drop_taken(struct lines *lines)
{
    buf_consume(&lines->data, lines->taken);
    lines->taken = 0;
    lines->scanned = lines->data.length;
    if (lines->data.length == 0) {
        buf_free(&lines->data);
    }
}

const char *lines_next(struct lines *lines, size_t *length)
{
    size_t left = lines->data.length - lines->scanned;
    const char *newline = left != 0 ? memchr(lines->data.data + lines->scanned, '\n', left) : NULL;
    if (newline == NULL) {
        drop_taken(lines);
        return NULL;
    }
    const char *line = lines->data.data + lines->taken;
    *length = (size_t)(newline - line);
    lines->taken += *length + 1;
    lines->scanned = lines->taken;
    return line;
}

size_t lines_pending(const struct lines *lines)
{
    return lines->data.length - lines->taken;
}

void lines_free(struct lines *lines)
{
    buf_free(&lines->data);
    *lines = (struct lines){.taken = 0};
}
