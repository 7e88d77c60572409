/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying the overlay onto the root. The root's symbolic links are an image's, which anyone may
 * have made: they are resolved inside the root, and what is replaced is replaced, not followed. */
#include "boot.h"
#include "boot_keys.h"
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

/* A name beside the file, so that it is there as it was or as it is to be. */
#define FRESH ".banger-new"

static int fill_file(int from, int out, const struct stat *st, const struct place *to)
{
    ssize_t sent = 1;
    if (from < 0 || out < 0) {
        return -1;
    }
    while (sent > 0) {
        sent = sendfile(out, from, NULL, 1 << 20);
    }
    if (sent < 0 ||
        (strcmp(to->name, BOOT_KEYS_FILE) == 0 && boot_keys_keep(out, to->parent, to->name) < 0)) {
        return -1;
    }
    return fchown(out, st->st_uid, st->st_gid) < 0 ? -1 : fchmod(out, st->st_mode & 07777);
}

static int copy_file(int from_dir, const char *name, const struct stat *st, const struct place *to)
{
    int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    (void)unlinkat(to->parent, FRESH, 0);
    int out = openat(to->parent, FRESH, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int failed = fill_file(from, out, st, to);
    if (failed == 0) {
        failed = renameat(to->parent, FRESH, to->parent, to->name);
    }
    int saved = errno;
    if (failed != 0) {
        (void)unlinkat(to->parent, FRESH, 0);
    }
    close_if_open(from);
    close_if_open(out);
    errno = saved;
    return failed;
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
    /* ssh's is for its owner's eyes (ssh(1), FILES); the archive says nothing of folders. */
    mode_t mode = strcmp(to->name, BOOT_KEYS_FOLDER) == 0 ? 0700 : st->st_mode & 07777;
    if (mkdirat(to->parent, to->name, mode) < 0) {
        return errno == EEXIST ? 0 : -1;
    }
    if (fchownat(to->parent, to->name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0) {
        return -1;
    }
    return fchmodat(to->parent, to->name, mode, 0); /* what the umask took */
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
