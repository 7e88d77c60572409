/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SERVICE_TAR_IN in its child: unpacks standard input.
 *
 * 1. The destination is a folder, or a new name in one: then the archive's top entry gets that name
 * (as with cp and docker cp).
 * 2. Every name is resolved below that folder by the kernel (RESOLVE_BENEATH): "..", an absolute
 * name or a symbolic link, whether the archive's or there before, leads nowhere else.
 * 3. What is in the way is replaced, never written through. Devices and the like are refused.
 * 4. Folders get their modes and times last, in reverse: a folder without w can still be filled,
 * and filling it does not change its time.
 */
#include "resolve.h"
#include "service.h"
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536

struct folder {
    struct folder *next;
    mode_t mode;
    int64_t mtime;
    char path[];
};

struct unpack {
    int dir;            /* the folder that nothing gets out of */
    const char *rename; /* the top entry's new name; NULL: it keeps its own */
    struct folder *folders;
};

static void set_times(int dir, const char *name, int64_t mtime, int flags)
{
    const struct timespec times[2] = {{.tv_sec = (time_t)mtime}, {.tv_sec = (time_t)mtime}};
    (void)utimensat(dir, name, times, flags);
}

static int write_file(struct tar_reader *reader, const struct tar_entry *entry, int parent,
                      const char *name)
{
    static char chunk[CHUNK];
    (void)unlinkat(parent, name, 0);
    int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -1;
    }
    ssize_t got;
    int failed = 0;
    while (!failed && (got = tar_data(reader, chunk, sizeof(chunk))) != 0) {
        failed = got < 0 || tar_write_all(fd, chunk, (size_t)got) < 0;
    }
    failed |= fchmod(fd, entry->mode) < 0;
    set_times(parent, name, entry->mtime, AT_SYMLINK_NOFOLLOW);
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return failed ? -1 : 0;
}

static int make_symlink(const struct tar_entry *entry, int parent, const char *name)
{
    (void)unlinkat(parent, name, 0);
    if (symlinkat(entry->link, parent, name) < 0) {
        return -1;
    }
    set_times(parent, name, entry->mtime, AT_SYMLINK_NOFOLLOW);
    return 0;
}

static int remember_folder(struct unpack *unpack, const struct tar_entry *entry, const char *path)
{
    size_t size = strlen(path) + 1;
    struct folder *folder = malloc(sizeof(*folder) + size);
    if (folder == NULL) {
        return -1;
    }
    *folder = (struct folder){unpack->folders, entry->mode, entry->mtime};
    memcpy(folder->path, path, size);
    unpack->folders = folder;
    return 0;
}

/* A folder that is there already keeps its mode. */
static int make_folder(struct unpack *unpack, const struct tar_entry *entry, int parent,
                       const char *name, const char *path)
{
    if (mkdirat(parent, name, 0700) == 0) {
        return remember_folder(unpack, entry, path);
    }
    struct stat st;
    if (errno == EEXIST && fstatat(parent, name, &st, 0) == 0 && !S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
    }
    return errno == EEXIST ? 0 : -1;
}

/* The entry's name in the destination. When that is a new name it stands for the archive's top
 * component, which may be "." (a copy of "FOLDER/."). False: the destination itself. */
static bool destination(const struct unpack *unpack, const char *path, char out[PATH_MAX])
{
    const char *top = unpack->rename != NULL ? unpack->rename : "";
    const char *rest = path;
    if (unpack->rename != NULL || strcmp(path, ".") == 0 || strncmp(path, "./", 2) == 0) {
        rest += strcspn(rest, "/");
        rest += strspn(rest, "/");
    }
    int length =
        snprintf(out, PATH_MAX, "%s%s%s", top, *top != '\0' && *rest != '\0' ? "/" : "", rest);
    return length > 0 && length < PATH_MAX;
}

static int make_hard_link(const struct unpack *unpack, const struct tar_entry *entry, int parent,
                          const char *name)
{
    char target[PATH_MAX];
    const char *last;
    if (!destination(unpack, entry->link, target)) {
        errno = EINVAL;
        return -1;
    }
    int from = resolve_parent(unpack->dir, target, 0, &last);
    if (from < 0) {
        return -1;
    }
    struct stat old;
    struct stat new;
    int failed = fstatat(from, last, &old, AT_SYMLINK_NOFOLLOW);
    if (failed == 0 && (fstatat(parent, name, &new, AT_SYMLINK_NOFOLLOW) < 0 ||
                        old.st_dev != new.st_dev || old.st_ino != new.st_ino)) {
        (void)unlinkat(parent, name, 0);
        failed = linkat(from, last, parent, name, 0);
    }
    int saved = errno;
    (void)close(from);
    errno = saved;
    return failed;
}

static int unpack_entry(struct unpack *unpack, struct tar_reader *reader,
                        const struct tar_entry *entry)
{
    char path[PATH_MAX];
    const char *name;
    if (entry->path[0] == '/' || !destination(unpack, entry->path, path)) {
        errno = EINVAL;
        return entry->path[0] == '/' ? -1 : 0;
    }
    int parent = resolve_parent(unpack->dir, path, 0, &name);
    if (parent < 0) {
        return -1;
    }
    int failed = -1;
    switch (entry->type) {
    case TAR_FILE:
        failed = write_file(reader, entry, parent, name);
        break;
    case TAR_FOLDER:
        failed = make_folder(unpack, entry, parent, name, path);
        break;
    case TAR_SYMLINK:
        failed = make_symlink(entry, parent, name);
        break;
    case TAR_HARD_LINK:
        failed = make_hard_link(unpack, entry, parent, name);
        break;
    default:
        errno = EPERM;
        break;
    }
    int saved = errno;
    (void)close(parent);
    errno = saved;
    return failed;
}

static void finish_folders(struct unpack *unpack)
{
    while (unpack->folders != NULL) {
        struct folder *folder = unpack->folders;
        unpack->folders = folder->next;
        const char *name;
        int parent = resolve_parent(unpack->dir, folder->path, 0, &name);
        int fd =
            parent < 0 ? -1 : openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) {
            (void)fchmod(fd, folder->mode);
            set_times(parent, name, folder->mtime, AT_SYMLINK_NOFOLLOW);
            (void)close(fd);
        }
        if (parent >= 0) {
            (void)close(parent);
        }
        free(folder);
    }
}

static ssize_t read_stdin(void *context, void *data, size_t length)
{
    (void)context;
    size_t used = 0;
    while (used < length) {
        ssize_t got = read(STDIN_FILENO, (char *)data + used, length - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    return (ssize_t)used;
}

/* mkdir -p of the FOLDER of "FOLDER/."; what cannot be made cannot be opened, which then says why. */
static void make_missing(char *path)
{
    size_t length = strlen(path);
    if (length < 3 || strcmp(path + length - 2, "/.") != 0) {
        return;
    }
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0755);
        *slash = '/';
    }
}

/* Opens the destination, or its parent when it is to be created; `path` is taken apart. */
static int open_destination(struct unpack *unpack, char *path)
{
    make_missing(path);
    unpack->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t length = strlen(path);
    if (unpack->dir >= 0 || errno == EACCES || path[length - 1] == '/') {
        return unpack->dir;
    }
    char *slash = strrchr(path, '/');
    unpack->rename = slash + 1;
    *slash = '\0';
    unpack->dir = open(slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return unpack->dir;
}

int tar_in_run(const char *path)
{
    struct unpack unpack = {.dir = -1};
    struct tar_reader reader = {.source = read_stdin};
    static struct tar_entry entry;
    char *copy = strdup(path);
    if (*path != '/' || copy == NULL || open_destination(&unpack, copy) < 0) {
        free(copy);
        return service_fail(1, "cannot copy to %s: %s", path,
                            *path != '/' ? "the path must be absolute" : strerror(errno));
    }
    (void)umask(0);
    int status = 0;
    int got;
    while (status == 0 && (got = tar_next(&reader, &entry)) != 0) {
        if (got < 0 || unpack_entry(&unpack, &reader, &entry) < 0) {
            const char *why = reader.why != NULL ? reader.why : strerror(errno);
            status = service_fail(1, "cannot unpack %s: %s", got < 0 ? path : entry.path, why);
        }
    }
    finish_folders(&unpack);
    (void)close(unpack.dir);
    free(copy);
    return status;
}
