/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pair is made under names of its own and moved into place, the private half last: where that is,
 * the pair is whole. Under the lock, so that VMs that start at the same time get one pair.
 */
#include "known_hosts.h"

#include <banger/json.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool key_read(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    bool good = false;

    if (file == NULL) {
        return false;
    }
    errno = 0;
    if (fgets(line, (int)size, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        good = *line != '\0' && strchr(line, ' ') != NULL;
    }
    (void)fclose(file);
    return good;
}

/* What a power cut must not leave: names without their content. */
static int sync_path(const struct banger_host *host, struct banger_call *call, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 ? -1 : fsync(fd);

    if (failed < 0) {
        (void)host->fail(call, BANGER_EIO, "cannot sync %s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return failed;
}

static int keygen_run(const struct banger_host *host, struct banger_call *call, const char *path)
{
    json_t *result =
        banger_json_run(host, call,
                        json_pack("[s, s, s, s, s, s, s, s, s, s]", ssh_keygen(), "-q", "-t",
                                  "ed25519", "-N", "", "-C", "banger", "-f", path));
    if (result == NULL) {
        return -1;
    }
    int failed = 0;
    if (json_integer_value(json_object_get(result, "status")) != 0) {
        failed = host->fail(call, BANGER_EIO, "ssh-keygen cannot make a key: %.300s",
                            json_string_value(json_object_get(result, "stderr")));
    }
    json_decref(result);
    return failed;
}

static int move(const struct banger_host *host, struct banger_call *call, const char *from,
                const char *to)
{
    if (sync_path(host, call, from) < 0) {
        return -1;
    }
    return rename(from, to) == 0
               ? 0
               : host->fail(call, BANGER_EIO, "cannot make %s: %s", to, strerror(errno));
}

static int key_make(const struct banger_host *host, struct banger_call *call,
                    const struct ssh_files *files)
{
    char fresh[PATH_MAX];
    char fresh_public[PATH_MAX];

    if (ssh_path(host, call, fresh, "%s.new", files->key) < 0 ||
        ssh_path(host, call, fresh_public, "%s.new.pub", files->key) < 0) {
        return -1;
    }
    (void)unlink(fresh); /* of a crash: ssh-keygen would ask whether to overwrite it */
    (void)unlink(fresh_public);
    if (keygen_run(host, call, fresh) < 0 || move(host, call, fresh_public, files->public) < 0 ||
        move(host, call, fresh, files->key) < 0) {
        return -1;
    }
    return sync_path(host, call, files->folder);
}

int key_ensure(const struct banger_host *host, struct banger_call *call,
               const struct ssh_files *files)
{
    if (access(files->key, F_OK) == 0) {
        return 0;
    }
    int lock = ssh_lock(host, call, files);
    if (lock < 0) {
        return -1;
    }
    int failed = access(files->key, F_OK) == 0 ? 0 : key_make(host, call, files);
    (void)close(lock);
    return failed;
}
