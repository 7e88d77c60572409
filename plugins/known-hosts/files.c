/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "known_hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_STEP_MS 20 /* between two tries */

int ssh_path(const struct banger_host *host, struct banger_call *call, char path[PATH_MAX],
             const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(path, PATH_MAX, format, args);
    va_end(args);
    return length < PATH_MAX
               ? 0
               : host->fail(call, BANGER_EINVALID, "too long a path: %.200s...", path);
}

int ssh_files_of(const struct banger_host *host, struct banger_call *call, struct ssh_files *files)
{
    const char *state = host->get_string(call, "host.state_dir", NULL);
    const char *key = host->get_string(call, "config.key", "");

    if (state == NULL) {
        return host->fail(call, BANGER_EINTERNAL, "the host has no state folder");
    }
    if (*key != '\0' && *key != '/') {
        return host->fail(call, BANGER_EINVALID,
                          "plugins[\"known-hosts\"].key '%.200s' is not an absolute path", key);
    }
    files->own = *key == '\0';
    if (ssh_path(host, call, files->folder, "%s/ssh", state) < 0 ||
        ssh_path(host, call, files->hosts, "%s/ssh/known_hosts", state) < 0) {
        return -1;
    }
    int failed = files->own ? ssh_path(host, call, files->key, "%s/ssh/id_ed25519", state)
                            : ssh_path(host, call, files->key, "%s", key);
    return failed < 0 ? -1 : ssh_path(host, call, files->public, "%s.pub", files->key);
}

const char *ssh_keygen(void)
{
    static const char *const places[] = {"/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], X_OK) == 0) {
            return places[i];
        }
    }
    return NULL;
}

int ssh_lock(const struct banger_host *host, struct banger_call *call,
             const struct ssh_files *files)
{
    char path[PATH_MAX];

    if (mkdir(files->folder, 0700) < 0 && errno != EEXIST) {
        return host->fail(call, BANGER_EIO, "cannot make %s: %s", files->folder, strerror(errno));
    }
    if (ssh_path(host, call, path, "%s/.lock", files->folder) < 0) {
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return host->fail(call, BANGER_EIO, "cannot open %s: %s", path, strerror(errno));
    }
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int64_t left = host->remaining_ms(call);

        if (errno != EWOULDBLOCK || (left >= 0 && left <= LOCK_STEP_MS)) {
            (void)close(fd);
            return host->fail(call, BANGER_ETIMEDOUT, "%s is held by another", path);
        }
        (void)poll(NULL, 0, LOCK_STEP_MS);
    }
    return fd;
}
