/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(char *why, size_t size)
{
    (void)snprintf(why, size, "%s", strerror(errno));
    return -1;
}

/* The folder that FOLDER/REST lies in; what is below `folder` is followed through no link: whoever may write
 * there must not lead us elsewhere. */
static int open_parent(const char *folder, const char *rest)
{
    struct open_how how = {.flags = O_DIRECTORY | O_RDONLY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    const char *slash = strrchr(rest, '/');
    char parent[PATH_MAX];
    int top = open(folder, O_DIRECTORY | O_PATH | O_CLOEXEC);
    int fd;
    int reason;

    if (top < 0 || slash == NULL) {
        return top;
    }
    if ((size_t)(slash - rest) >= sizeof(parent)) {
        (void)close(top);
        errno = ENAMETOOLONG;
        return -1;
    }
    (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - rest), rest);
    fd = (int)syscall(SYS_openat2, top, parent, &how, sizeof(how));
    reason = errno;
    (void)close(top);
    errno = reason;
    return fd;
}

static const char *last_part(const char *rest)
{
    const char *slash = strrchr(rest, '/');

    return slash != NULL ? slash + 1 : rest;
}

static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, text, length);

        if (done < 0 && errno != EINTR) {
            return -1;
        }
        text += done > 0 ? done : 0;
        length -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

/* A new file in the folder, whole and on the disk; removed again when that fails. */
static int write_new(int parent, const char *name, const char *text, size_t length, mode_t mode)
{
    int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result;
    int reason;

    if (fd < 0) {
        return -1;
    }
    result = write_all(fd, text, length);
    if (result == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0)) {
        result = -1;
    }
    reason = errno;
    (void)close(fd);
    if (result < 0) {
        (void)unlinkat(parent, name, 0);
    }
    errno = reason;
    return result;
}

static int replace(int parent, const char *name, const char *text, size_t length, mode_t mode)
{
    char fresh[NAME_MAX + 1];
    unsigned mark = 0;
    int reason;

    if (getrandom(&mark, sizeof(mark), 0) != (ssize_t)sizeof(mark)) {
        return -1;
    }
    (void)snprintf(fresh, sizeof(fresh), ".%.200s.%08x", name, mark);
    if (write_new(parent, fresh, text, length, mode) < 0) {
        return -1;
    }
    if (renameat(parent, fresh, parent, name) < 0) {
        reason = errno;
        (void)unlinkat(parent, fresh, 0);
        errno = reason;
        return -1;
    }
    return 0;
}

int place_write(const char *folder, const char *rest, const char *text, size_t length, mode_t mode,
                char *why, size_t size)
{
    int parent = open_parent(folder, rest);
    int result = parent < 0 ? -1 : replace(parent, last_part(rest), text, length, mode);

    if (result < 0) {
        (void)fail(why, size);
    }
    if (parent >= 0) {
        (void)close(parent);
    }
    return result;
}

int place_remove(const char *folder, const char *rest, char *why, size_t size)
{
    int parent = open_parent(folder, rest);
    int result = 1;

    if (parent < 0 || unlinkat(parent, last_part(rest), 0) < 0) {
        result = errno == ENOENT ? 0 : fail(why, size);
    }
    if (parent >= 0) {
        (void)close(parent);
    }
    return result;
}
