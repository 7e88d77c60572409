/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define SETTLED_NS (NS_PER_S / 20)

static int64_t in_ns(const struct timespec *time)
{
    return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

static struct source_mark mark_of(const struct stat *status)
{
    return (struct source_mark){.device = status->st_dev,
                                .inode = status->st_ino,
                                .size = status->st_size,
                                .modified_ns = in_ns(&status->st_mtim),
                                .changed_ns = in_ns(&status->st_ctim)};
}

void source_mark(const char *path, struct source_mark *mark)
{
    struct stat status;

    *mark = (struct source_mark){0};
    if (stat(path, &status) == 0) {
        *mark = mark_of(&status);
    }
}

bool source_same(const struct source_mark *a, const struct source_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

bool source_settled(const struct source_mark *mark)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return in_ns(&now) - mark->changed_ns > SETTLED_NS;
}

/* What others can write they can have us execute. */
static bool is_trusted(const struct stat *status)
{
    return (status->st_uid == 0 || status->st_uid == geteuid()) && (status->st_mode & 022) == 0;
}

static int complain(char *why, size_t size, const char *path)
{
    (void)snprintf(why, size,
                   "%s must belong to root or to user %d, and be writable by nobody else", path,
                   (int)geteuid());
    return -1;
}

int source_check_folder(const char *folder, char *why, size_t size)
{
    struct stat status;

    if (stat(folder, &status) < 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return 0;
        }
        (void)snprintf(why, size, "cannot read %s: %s", folder, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(status.st_mode)) {
        (void)snprintf(why, size, "%s is no folder", folder);
        return -1;
    }
    return is_trusted(&status) ? 1 : complain(why, size, folder);
}

/* All `length` bytes, or fewer when the file has become shorter. */
static ssize_t read_all(int fd, char *text, size_t length)
{
    size_t have = 0;

    while (have < length) {
        ssize_t got = read(fd, text + have, length - have);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -1 : (ssize_t)have;
        }
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static char *read_open(int fd, const char *path, const struct stat *status, size_t *length,
                       char *why, size_t size)
{
    char *text;
    ssize_t got;

    if (!S_ISREG(status->st_mode) || status->st_size > (off_t)SOURCE_MAX) {
        (void)snprintf(why, size, "%s must be a file of at most %u bytes", path, SOURCE_MAX);
        return NULL;
    }
    if (!is_trusted(status)) {
        (void)complain(why, size, path);
        return NULL;
    }
    text = malloc((size_t)status->st_size + 1);
    got = text != NULL ? read_all(fd, text, (size_t)status->st_size) : -1;
    if (got < 0) {
        (void)snprintf(why, size, "cannot read %s: %s", path, strerror(errno));
        free(text);
        return NULL;
    }
    text[got] = '\0';
    *length = (size_t)got;
    return text;
}

char *source_read(const char *folder, const char *file, size_t *length, struct source_mark *mark,
                  char *why, size_t size)
{
    char path[PATH_MAX];
    struct stat status;
    char *text = NULL;
    int checked = source_check_folder(folder, why, size);
    int fd;

    *mark = (struct source_mark){0};
    (void)snprintf(path, sizeof(path), "%s/%s", folder, file);
    if (checked < 0) {
        return NULL;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) < 0) {
        (void)snprintf(why, size, "cannot read %s: %s", path, strerror(errno));
    } else {
        *mark = mark_of(&status);
        text = read_open(fd, path, &status, length, why, size);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return text;
}
