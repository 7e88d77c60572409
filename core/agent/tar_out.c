/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SERVICE_TAR_OUT in its child: a tar of one path on standard output. Names in it start with the
 * path's last component, so that the host can call the copy what it likes; of "FOLDER/." with ".".
 * Sockets, devices and pipes have no content and are left out. The last component is followed when
 * it is a symbolic link; none below is.
 */
#include "service.h"
#include "tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 128
#define CHUNK 65536

static int write_entry(struct tar_entry *entry, char type, const struct stat *st)
{
    entry->type = type;
    entry->mode = st->st_mode & 07777;
    entry->mtime = st->st_mtime;
    entry->size = type == TAR_FILE ? st->st_size : 0;
    return tar_write_header(STDOUT_FILENO, entry);
}

/* What the messages call the thing at hand: `path` is what was asked for, entry names are relative
 * to its last component. */
static const char *asked_path;

static const char *shown(const struct tar_entry *entry, int depth)
{
    return depth == 0 ? asked_path : entry->path;
}

static int cannot_send(const char *path)
{
    return service_fail(1, "cannot send %s: %s", path, strerror(errno));
}

/* Sends exactly the size that the header promised, whatever the file does meanwhile. */
static int send_content(int fd, int64_t size)
{
    static char chunk[CHUNK];
    int64_t left = size;
    while (left > 0) {
        size_t want = left < CHUNK ? (size_t)left : CHUNK;
        ssize_t got = read(fd, chunk, want);
        if (got <= 0) {
            memset(chunk, 0, want); /* it shrank */
            got = (ssize_t)want;
        }
        if (tar_write_all(STDOUT_FILENO, chunk, (size_t)got) < 0) {
            return -1;
        }
        left -= got;
    }
    memset(chunk, 0, TAR_BLOCK);
    return tar_write_all(STDOUT_FILENO, chunk, (size_t)(-size & (TAR_BLOCK - 1)));
}

static int send_path(int dir_fd, const char *name, struct tar_entry *entry, int flags, int depth);

/* Takes `fd`. */
static int send_folder(int fd, struct tar_entry *entry, const struct stat *st, int depth)
{
    size_t length = strlen(entry->path);
    DIR *dir = depth < DEPTH_MAX && length < PATH_MAX - 2 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        (void)close(fd);
        return service_fail(1, "%s: too deep to copy", entry->path);
    }
    entry->path[length] = '/';
    entry->path[length + 1] = '\0';
    int status = write_entry(entry, TAR_FOLDER, st) < 0 ? cannot_send(entry->path) : 0;
    struct dirent *one;
    while (status == 0 && (one = readdir(dir)) != NULL) {
        if (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0) {
            continue;
        }
        int all = snprintf(entry->path + length + 1, PATH_MAX - length - 1, "%s", one->d_name);
        status = all < (int)(PATH_MAX - length - 1)
                     ? send_path(dirfd(dir), one->d_name, entry, AT_SYMLINK_NOFOLLOW, depth + 1)
                     : service_fail(1, "%s: the path is too long", entry->path);
    }
    (void)closedir(dir);
    return status;
}

static int send_link(int dir_fd, const char *name, struct tar_entry *entry, const struct stat *st)
{
    ssize_t length = readlinkat(dir_fd, name, entry->link, sizeof(entry->link) - 1);
    if (length < 0) {
        return errno == ENOENT ? 0 : service_fail(1, "%s: %s", entry->path, strerror(errno));
    }
    entry->link[length] = '\0';
    int failed = write_entry(entry, TAR_SYMLINK, st);
    entry->link[0] = '\0';
    return failed < 0 ? cannot_send(entry->path) : 0;
}

/* `flags`: AT_SYMLINK_NOFOLLOW but for the path that was asked for. */
static int send_path(int dir_fd, const char *name, struct tar_entry *entry, int flags, int depth)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, flags) < 0) {
        bool vanished = errno == ENOENT && depth > 0;
        return vanished ? 0 : service_fail(1, "%s: %s", shown(entry, depth), strerror(errno));
    }
    if (S_ISLNK(st.st_mode)) {
        return send_link(dir_fd, name, entry, &st);
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        return depth > 0 ? 0 : service_fail(1, "%s is neither a file nor a folder", asked_path);
    }
    /* O_NONBLOCK: it may have become a pipe since. */
    int fd = openat(dir_fd, name,
                    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (flags != 0 ? O_NOFOLLOW : 0));
    if (fd < 0 || fstat(fd, &st) < 0) {
        return service_fail(1, "%s: %s", shown(entry, depth), strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return send_folder(fd, entry, &st, depth);
    }
    int failed = write_entry(entry, TAR_FILE, &st) < 0 || send_content(fd, st.st_size) < 0;
    (void)close(fd);
    return failed ? cannot_send(entry->path) : 0;
}

int tar_out_run(const char *path)
{
    static struct tar_entry entry;
    static const char end[2 * TAR_BLOCK];
    asked_path = path;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    size_t start = length;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    (void)snprintf(entry.path, sizeof(entry.path), "%.*s", (int)(length - start), path + start);
    if (entry.path[0] == '\0' || strcmp(entry.path, "..") == 0) {
        (void)strcpy(entry.path, ".");
    }
    if (*path != '/') {
        return service_fail(1, "%s: the path must be absolute", path);
    }
    int status = send_path(AT_FDCWD, path, &entry, 0, 0);
    if (status == 0 && tar_write_all(STDOUT_FILENO, end, sizeof(end)) < 0) {
        return cannot_send(path);
    }
    return status;
}
