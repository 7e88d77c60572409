/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Newline framing: bytes in, lines out. Holds memory only while a line is incomplete. */
#ifndef RPC_LINES_H
#define RPC_LINES_H

#include "base/str.h"

struct lines {
    struct buf data;
    size_t taken;   /* bytes at the front that were handed out */
    size_t scanned; /* bytes at the front known to hold no further newline */
};

void lines_add(struct lines *lines, const void *data, size_t length);
/* The next whole line without its newline, valid until the next call; NULL: none is complete. */
const char *lines_next(struct lines *lines, size_t *length);
/* Bytes of the incomplete line; to be asked after lines_next said NULL. */
size_t lines_pending(const struct lines *lines);
void lines_free(struct lines *lines);

#endif
