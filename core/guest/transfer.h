/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A caller's side of a stream as a program uses it: bytes in, bytes out, a status. Blocking, one
 * thread, with a deadline; holds at most a window of output. */
#ifndef GUEST_TRANSFER_H
#define GUEST_TRANSFER_H

#include "base/clock.h"
#include "base/error.h"
#include "wire.h"

#include <sys/types.h>

struct transfer {
    struct wire wire;
    deadline until;
    size_t may_send;
    size_t taken; /* bytes of `out` that transfer_receive has lent out */
    struct buf out;
    struct buf err; /* stderr, then EXIT's text; cut at err_limit */
    size_t err_limit;
    bool exited;
    int status;
};

void transfer_init(struct transfer *transfer, int stream_fd, deadline until);
void transfer_free(struct transfer *transfer); /* closes the stream */

/* Waits until something has come or gone and handles it. */
int transfer_pump(struct transfer *transfer, banger_error *err);
/* Queues as much input as may be sent now; how many bytes that was. */
size_t transfer_offer(struct transfer *transfer, const void *data, size_t length);
/* Sends input; returns early, with success, when the service has ended. */
int transfer_send(struct transfer *transfer, const void *data, size_t length, banger_error *err);
void transfer_send_eof(struct transfer *transfer);
/* The output so far has been used: forgets it and lets the guest send as much again. */
void transfer_consume(struct transfer *transfer);
/* The next output, valid until the next call; 0 when the service has ended, -1 on failure. */
ssize_t transfer_receive(struct transfer *transfer, const void **data, banger_error *err);
/* Waits for the end; fails with what the service said when its status is not 0. */
int transfer_finish(struct transfer *transfer, banger_error *err);

#endif
