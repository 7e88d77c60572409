/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unix.h"

#include "cleanup.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Fills the address with /proc/self/fd/N/NAME and returns N, the open folder. */
static int short_address(const char *path, struct sockaddr_un *address, banger_error *err)
{
    AUTO_FREE char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL || slash == folder) {
        return error_set(err, BANGER_EINVALID, "invalid socket path %s", path);
    }
    *slash = '\0';
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return error_sys(err, errno, "cannot open the folder %s", folder);
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", dir,
                          slash + 1);
    if (length < 0 || (size_t)length >= sizeof(address->sun_path)) {
        (void)close(dir);
        return error_set(err, BANGER_EINVALID, "the socket's name %s is too long", slash + 1);
    }
    return dir;
}

int unix_listen(const char *path, mode_t mode, banger_error *err)
{
    struct sockaddr_un address;
    AUTO_CLOSE int dir = short_address(path, &address, err);
    if (dir < 0) {
        return -1;
    }
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_sys(err, errno, "cannot create a socket");
    }
    /* The mode is set before anyone can connect: connect needs listen, which comes last. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(address.sun_path, mode) < 0 || listen(fd, SOMAXCONN) < 0) {
        return error_sys(err, errno, "cannot listen on %s", path);
    }
    return STEAL_FD(fd);
}

int unix_connect(const char *path, banger_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    AUTO_CLOSE int place = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0) {
        return error_sys(err, errno, "cannot connect to %s", path);
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", place);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_sys(err, errno, "cannot create a socket");
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return error_sys(err, errno, "cannot connect to %s", path);
    }
    return STEAL_FD(fd);
}
