/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying the overlay onto the root. The root's symbolic links are an image's, which anyone may
 * have made: they are resolved inside the root, and what is replaced is replaced, not followed. */
#include "boot.h"
#include "resolve.h"
#include "say.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 32

struct place {
    int parent; /* O_PATH of the folder in the root */
    const char *name;
};

static void close_if_open(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static int copy_file(int from_dir, const char *name, const struct stat *st, const struct place *to)
{
    int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    (void)unlinkat(to->parent, to->name, 0);
    int out =
        openat(to->parent, to->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int failed = from < 0 || out < 0;
    ssize_t sent = 1;
    while (!failed && sent > 0) {
        sent = sendfile(out, from, NULL, 1 << 20);
        failed = sent < 0;
    }
    failed =
        failed || fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0;
    int saved = errno;
    close_if_open(from);
    close_if_open(out);
    errno = saved;
    return failed ? -1 : 0;
}

static int copy_link(int from_dir, const char *name, const struct stat *st, const struct place *to)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(from_dir, name, target, sizeof(target) - 1);
    if (length < 0) {
        return -1;
    }
    target[length] = '\0';
    (void)unlinkat(to->parent, to->name, 0);
    if (symlinkat(target, to->parent, to->name) < 0) {
        return -1;
    }
    return fchownat(to->parent, to->name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

/* A folder that the image has keeps its mode and owner. */
static int make_folder(const struct stat *st, const struct place *to)
{
    if (mkdirat(to->parent, to->name, st->st_mode & 07777) < 0) {
        return errno == EEXIST ? 0 : -1;
    }
    if (fchownat(to->parent, to->name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0) {
        return -1;
    }
    return fchmodat(to->parent, to->name, st->st_mode & 07777, 0); /* what the umask took */
}

static void copy_below(int from_dir, int root, const char *path, int depth);

/* `path` is the entry's in the root. */
static void copy_entry(int from_dir, const char *name, int root, char *path, int depth)
{
    struct stat st;
    struct place to;
    int failed = fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW);
    to.parent = resolve_parent(root, path, 1, &to.name);
    if (failed == 0 && to.parent >= 0) {
        failed = S_ISREG(st.st_mode)   ? copy_file(from_dir, name, &st, &to)
                 : S_ISLNK(st.st_mode) ? copy_link(from_dir, name, &st, &to)
                 : S_ISDIR(st.st_mode) ? make_folder(&st, &to)
                                       : 0;
    }
    if (failed != 0 || to.parent < 0) {
        say("cannot write /%s: %s", path, strerror(errno));
    }
    close_if_open(to.parent);
    if (failed == 0 && S_ISDIR(st.st_mode)) {
        copy_below(openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), root,
                   path, depth + 1);
    }
}

/* Takes `from_dir`. */
static void copy_below(int from_dir, int root, const char *path, int depth)
{
    DIR *dir = from_dir >= 0 && depth < DEPTH_MAX ? fdopendir(from_dir) : NULL;
    if (dir == NULL) {
        close_if_open(from_dir);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char below[PATH_MAX];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        int length =
            snprintf(below, sizeof(below), "%s%s%s", path, *path != '\0' ? "/" : "", entry->d_name);
        if (length < (int)sizeof(below)) {
            copy_entry(dirfd(dir), entry->d_name, root, below, depth);
        }
    }
    (void)closedir(dir);
}

void boot_overlay(const char *overlay, const char *root)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        copy_below(open(overlay, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, "", 0);
        (void)close(fd);
    }
}
