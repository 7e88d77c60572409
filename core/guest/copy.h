/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copying between host and guest, as cp -r does: a destination that is a folder gets the copy
 * inside, else the copy gets the destination's name, whose parent must exist. "FOLDER/." copies
 * what is in it. Owners are not kept (the copy is the copying user's), nor are set-id bits, devices
 * and sockets. Each takes the stream's descriptor over.
 */
#ifndef GUEST_COPY_H
#define GUEST_COPY_H

#include "base/clock.h"
#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

#define COPY_ENTRIES_MAX 4000000

/* From a stream of SERVICE_TAR_OUT to `host_path`. Fails when it would come to more than
 * `bytes_max` bytes: what a guest sends must not fill the host. What it sends cannot land outside
 * of the destination. */
int copy_out(int stream_fd, const char *host_path, int64_t bytes_max, banger_error *err);
/* From `host_path` to a stream of SERVICE_TAR_IN, whose request names the guest's destination. */
int copy_in(int stream_fd, const char *host_path, banger_error *err);

struct copy_as {
    const char *name; /* what the copy is called; NULL: as the source */
    mode_t mode; /* of every file; folders can be searched by whom it lets read. 0: as they are */
    deadline until;
};
int copy_in_as(int stream_fd, const char *host_path, const struct copy_as *as, banger_error *err);
/* A file of that content, which lies in memory only; its name and mode must be given. */
int copy_in_text(int stream_fd, const char *text, size_t length, const struct copy_as *as,
                 banger_error *err);

#endif
