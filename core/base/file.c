/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

int dir_make(const char *path, mode_t mode, banger_error *err)
{
    AUTO_FREE char *copy = xstrdup(path);
    for (char *at = copy + (path[0] == '/');; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        char saved = *at;
        *at = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST) {
            return error_sys(err, errno, "cannot create the folder %s", copy);
        }
        *at = saved;
        if (saved == '\0') {
            break;
        }
    }
    struct stat info;
    if (stat(path, &info) < 0 || !S_ISDIR(info.st_mode)) {
        return error_sys(err, ENOTDIR, "cannot create the folder %s", path);
    }
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0; /* somebody else's removal is as good */
}

int dir_remove(const char *path, banger_error *err)
{
    int status = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    int saved = errno;
    struct stat info;
    if (status != 0 && (saved != ENOENT || lstat(path, &info) == 0)) {
        return error_sys(err, saved, "cannot remove the folder %s", path);
    }
    return 0;
}

int file_read(const char *path, size_t limit, struct buf *out, banger_error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open %s", path);
    }
    size_t start = out->length;
    for (;;) {
        buf_reserve(out, 65536);
        ssize_t got = fd_read_full(fd, out->data + out->length, 65536, err);
        if (got < 0) {
            out->length = start;
            return error_prefix(err, "%s: ", path);
        }
        out->length += (size_t)got;
        out->data[out->length] = '\0';
        if (out->length - start > limit) {
            out->length = start;
            return error_set(err, BANGER_EINVALID, "%s is longer than %zu bytes", path, limit);
        }
        if (got < 65536) {
            return 0;
        }
    }
}

static int sync_parent(const char *path, banger_error *err)
{
    AUTO_FREE char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        *(slash == parent ? slash + 1 : slash) = '\0';
    }
    AUTO_CLOSE int fd = open(slash != NULL ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return error_sys(err, errno, "cannot sync the folder of %s", path);
    }
    return 0;
}

static int write_and_sync(const char *path, const void *data, size_t length, mode_t mode,
                          banger_error *err)
{
    (void)unlink(path); /* of a crash: its mode and owner may be others */
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return error_sys(err, errno, "cannot create %s", path);
    }
    if (fd_write_all(fd, data, length, err) < 0) {
        return error_prefix(err, "%s: ", path);
    }
    if (fsync(fd) < 0) {
        return error_sys(err, errno, "cannot sync %s", path);
    }
    return 0;
}

int file_write_atomic(const char *path, const void *data, size_t length, mode_t mode,
                      banger_error *err)
{
    AUTO_FREE char *temporary = str_format("%s.new", path);
    if (write_and_sync(temporary, data, length, mode, err) < 0) {
        (void)unlink(temporary);
        return -1;
    }
    if (rename(temporary, path) < 0) {
        int saved = errno;
        (void)unlink(temporary);
        return error_sys(err, saved, "cannot replace %s", path);
    }
    return sync_parent(path, err);
}

int file_remove(const char *path, banger_error *err)
{
    if (unlink(path) < 0 && errno != ENOENT) {
        return error_sys(err, errno, "cannot remove %s", path);
    }
    return 0;
}

int dir_publish(const char *staging, const char *final, banger_error *err)
{
    if (rename(staging, final) < 0) {
        return error_sys(err, errno, "cannot move %s to %s", staging, final);
    }
    return sync_parent(final, err);
}

int fd_write_all(int fd, const void *data, size_t length, banger_error *err)
{
    const char *at = data;
    while (length > 0) {
        ssize_t wrote = write(fd, at, length);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return error_sys(err, errno, "cannot write");
        }
        at += wrote;
        length -= (size_t)wrote;
    }
    return 0;
}

ssize_t fd_read_full(int fd, void *data, size_t length, banger_error *err)
{
    size_t have = 0;
    while (have < length) {
        ssize_t got = read(fd, (char *)data + have, length - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_sys(err, errno, "cannot read");
        }
        if (got == 0) {
            break;
        }
        have += (size_t)got;
    }
    return (ssize_t)have;
}

#define COPY_BLOCK ((size_t)256 * 1024) /* big enough that system calls do not show */

static int copy_by_hand(int from, int to, off_t length, banger_error *err)
{
    AUTO_FREE char *block = xmalloc(COPY_BLOCK);
    while (length > 0) {
        size_t want = length < (off_t)COPY_BLOCK ? (size_t)length : COPY_BLOCK;
        ssize_t got = fd_read_full(from, block, want, err);
        if (got < 0 || fd_write_all(to, block, (size_t)got, err) < 0) {
            return -1;
        }
        if (got == 0) {
            return error_set(err, BANGER_EIO, "the file became shorter while it was copied");
        }
        length -= got;
    }
    return 0;
}

/* One run of data, from the present offsets on. */
static int copy_extent(int from, int to, off_t length, banger_error *err)
{
    while (length > 0) {
        ssize_t done = copy_file_range(from, NULL, to, NULL, (size_t)length, 0);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0 &&
            (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
            return copy_by_hand(from, to, length, err);
        }
        if (done < 0) {
            return error_sys(err, errno, "cannot copy");
        }
        if (done == 0) {
            return error_set(err, BANGER_EIO, "the file became shorter while it was copied");
        }
        length -= done;
    }
    return 0;
}

/* The next run of data in [at, end): 1 found, 0 nothing but a hole, -1. */
static int next_extent(int fd, off_t at, off_t end, off_t *data, off_t *hole, banger_error *err)
{
    *hole = end;
    *data = lseek(fd, at, SEEK_DATA);
    if (*data < 0 && errno == EINVAL) { /* the file system does not tell: all is data */
        *data = at;
        return 1;
    }
    if (*data < 0 && errno != ENXIO) {
        return error_sys(err, errno, "cannot find the data of a sparse file");
    }
    if (*data < 0 || *data >= end) {
        return 0;
    }
    off_t found = lseek(fd, *data, SEEK_HOLE);
    if (found < 0) {
        return error_sys(err, errno, "cannot find the holes of a sparse file");
    }
    *hole = found < end ? found : end;
    return 1;
}

static int copy_extents(int from, int to, off_t start, off_t end, off_t to_start, banger_error *err)
{
    off_t data;
    off_t hole;
    for (off_t at = start; at < end; at = hole) {
        int found = next_extent(from, at, end, &data, &hole, err);
        if (found <= 0) {
            return found;
        }
        if (lseek(from, data, SEEK_SET) < 0 || lseek(to, to_start + (data - start), SEEK_SET) < 0) {
            return error_sys(err, errno, "cannot seek");
        }
        if (copy_extent(from, to, hole - data, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int fd_copy_sparse(int from, int to, off_t length, banger_error *err)
{
    off_t start = lseek(from, 0, SEEK_CUR);
    off_t to_start = lseek(to, 0, SEEK_CUR);
    if (start < 0 || to_start < 0) {
        return error_sys(err, errno, "cannot seek");
    }
    off_t end = start + length;
    off_t to_end = to_start + length;
    struct stat info;
    if (fstat(from, &info) < 0 || info.st_size < end) {
        return error_set(err, BANGER_EIO, "the file is shorter than what is to be copied");
    }
    if (copy_extents(from, to, start, end, to_start, err) < 0) {
        return -1;
    }
    if (fstat(to, &info) == 0 && info.st_size < to_end && ftruncate(to, to_end) < 0) {
        return error_sys(err, errno, "cannot extend");
    }
    if (lseek(from, end, SEEK_SET) < 0 || lseek(to, to_end, SEEK_SET) < 0) {
        return error_sys(err, errno, "cannot seek");
    }
    return 0;
}
