/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sparse.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (256 * 1024)

/* One running copy. `buffer` is made when the kernel first declines to copy by itself, and from
 * then on it is not asked again. */
struct copy {
    int from;
    int to;
    char *buffer;
};

/* Errors of copy_file_range(2) that say "not between these two files" and not "it failed". */
static bool is_unsupported(int errno_value)
{
    return errno_value == EXDEV || errno_value == EOPNOTSUPP || errno_value == ENOSYS ||
           errno_value == EINVAL || errno_value == ETXTBSY || errno_value == EPERM;
}

static int write_whole(int fd, const char *data, size_t length, off_t at)
{
    while (length > 0) {
        ssize_t wrote = pwrite(fd, data, length, at);

        if (wrote < 0 && errno != EINTR) {
            return -1;
        }
        if (wrote > 0) {
            data += wrote;
            at += wrote;
            length -= (size_t)wrote;
        }
    }
    return 0;
}

/* Some bytes at `at` through our own memory; how many, or -1. */
static ssize_t copy_by_hand(const struct copy *copy, off_t at, size_t length)
{
    size_t piece = length < BUFFER_BYTES ? length : BUFFER_BYTES;
    ssize_t got = pread(copy->from, copy->buffer, piece, at);

    if (got > 0 && write_whole(copy->to, copy->buffer, (size_t)got, at) < 0) {
        return -1;
    }
    return got;
}

static ssize_t copy_some(struct copy *copy, off_t at, size_t length)
{
    if (copy->buffer == NULL) {
        off_t from_at = at;
        off_t to_at = at;
        ssize_t got = copy_file_range(copy->from, &from_at, copy->to, &to_at, length, 0);

        if (got >= 0 || !is_unsupported(errno)) {
            return got;
        }
        copy->buffer = malloc(BUFFER_BYTES);
        if (copy->buffer == NULL) {
            return -1;
        }
    }
    return copy_by_hand(copy, at, length);
}

static int copy_piece(struct copy *copy, off_t at, size_t length)
{
    while (length > 0) {
        ssize_t got = copy_some(copy, at, length);

        if (got < 0 && errno != EINTR) {
            return errno;
        }
        if (got == 0) {
            return EIO; /* the image became shorter under our hands */
        }
        if (got > 0) {
            at += got;
            length -= (size_t)got;
        }
    }
    return 0;
}

/* The next stretch of data at or behind `at`; false: only a hole is left. A file system that knows
 * no holes reports one stretch. */
static bool next_data(int fd, off_t at, off_t length, off_t *start, off_t *end)
{
    *start = lseek(fd, at, SEEK_DATA);
    if (*start < 0) {
        *start = at;
        *end = length;
        return errno != ENXIO;
    }
    *end = lseek(fd, *start, SEEK_HOLE);
    if (*end < 0 || *end > length) {
        *end = length;
    }
    return *start < length;
}

static int copy_stretches(struct copy *copy, off_t length, sparse_watch watch, void *context)
{
    off_t at = 0;
    off_t end = 0;

    for (off_t done = 0; done < length && next_data(copy->from, done, length, &at, &end);
         done = end) {
        while (at < end) {
            size_t piece = end - at < SPARSE_PIECE ? (size_t)(end - at) : SPARSE_PIECE;
            int result = watch(context, at) ? copy_piece(copy, at, piece) : ECANCELED;

            if (result != 0) {
                return result;
            }
            at += (off_t)piece;
        }
    }
    return 0;
}

int sparse_copy(int from, int to, off_t length, sparse_watch watch, void *context)
{
    struct copy copy = {.from = from, .to = to};
    int result = ftruncate(to, length) < 0 ? errno : 0;

    if (result == 0) {
        result = copy_stretches(&copy, length, watch, context);
    }
    free(copy.buffer);
    return result;
}

int64_t sparse_occupied(int fd)
{
    struct stat status;

    return fstat(fd, &status) < 0 ? 0 : (int64_t)status.st_blocks * 512; /* stat(2)'s unit */
}
