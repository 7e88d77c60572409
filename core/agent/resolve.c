/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int resolve_dir(int dir, const char *path, int as_root)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_NO_MAGICLINKS |
                                      (as_root ? RESOLVE_IN_ROOT : RESOLVE_BENEATH)};
    return (int)syscall(SYS_openat2, dir, *path != '\0' ? path : ".", &how, sizeof(how));
}

int resolve_parent(int dir, char *path, int as_root, const char **name)
{
    size_t length = strlen(path);
    while (length != 0 && path[length - 1] == '/') {
        path[--length] = '\0';
    }
    char *slash = strrchr(path, '/');
    *name = slash != NULL ? slash + 1 : path;
    if (**name == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) {
        errno = EINVAL;
        return -1;
    }
    if (slash == NULL) {
        return resolve_dir(dir, ".", as_root);
    }
    *slash = '\0';
    int fd = resolve_dir(dir, path, as_root);
    *slash = '/';
    return fd;
}
