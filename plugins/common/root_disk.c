/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "root_disk.h"

#include <banger/json.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB INT64_C(1048576)
#define ROOM_HINT                                                                                  \
    "free some space there (`banger vm prune` deletes stopped VMs), or move banger's state to a "  \
    "larger disk"
#define DISK_MODE 0600 /* it will hold whatever the guest's user puts there */

int root_disk_fail(const struct banger_host *host, struct banger_call *call, int errno_value,
                   const char *doing, const char *path)
{
    bool full = errno_value == ENOSPC || errno_value == EDQUOT;
    bool denied = errno_value == EACCES || errno_value == EPERM;

    if (full) {
        host->hint(call, ROOM_HINT);
    }
    return host->fail(call,
                      full     ? BANGER_EFULL
                      : denied ? BANGER_EPERMISSION
                               : BANGER_EIO,
                      "cannot %s %s: %s", doing, path, strerror(errno_value));
}

int root_disk_path(const struct banger_host *host, struct banger_call *call, char path[PATH_MAX])
{
    const char *dir = host->get_string(call, "vm.dir", NULL);

    if (dir == NULL) {
        return host->fail(call, BANGER_EINTERNAL, "the VM has no folder");
    }
    if (snprintf(path, PATH_MAX, "%s/rootfs.img", dir) >= PATH_MAX) {
        return host->fail(call, BANGER_EINVALID, "the path of the VM's folder is too long: %s",
                          dir);
    }
    return 0;
}

bool root_disk_exists(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISREG(status.st_mode);
}

int root_disk_open_folder(const struct banger_host *host, struct banger_call *call)
{
    const char *folder = host->get_string(call, "vm.dir", NULL);
    char path[PATH_MAX];
    int fd;

    if (folder == NULL) {
        folder = host->get_string(call, "host.state_dir", "/");
    }
    if (snprintf(path, sizeof(path), "%s", folder) >= (int)sizeof(path)) {
        return host->fail(call, BANGER_EINVALID, "the path is too long: %s", folder);
    }
    for (;;) {
        char *slash = strrchr(path, '/');

        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT || slash == NULL || slash[1] == '\0') {
            break;
        }
        slash[slash == path] = '\0';
    }
    return fd >= 0 ? fd : root_disk_fail(host, call, errno, "open", path);
}

/* What a program of e2fsprogs has to say: its first line may only be its version. */
static const char *complaint_of(const char *program, const char *output)
{
    const char *slash = strrchr(program, '/');
    const char *name = slash != NULL ? slash + 1 : program;
    size_t length = strlen(name);
    const char *second = output + strcspn(output, "\n");

    return strncmp(output, name, length) == 0 && output[length] == ' ' && *second != '\0'
               ? second + 1
               : output;
}

int root_disk_run(const struct banger_host *host, struct banger_call *call, json_t *argv,
                  int highest_good)
{
    char program[32];
    json_auto_t *result = NULL;
    const char *output = "";
    int status = -1;
    bool full;

    (void)snprintf(program, sizeof(program), "%s", json_string_value(json_array_get(argv, 0)));
    result = banger_json_run(host, call, argv);
    if (result == NULL) {
        return -1;
    }
    (void)json_unpack(result, "{s:i, s:s}", "status", &status, "stderr", &output);
    if (status >= 0 && status <= highest_good) {
        return 0;
    }
    full = strstr(output, strerror(ENOSPC)) != NULL;
    output = complaint_of(program, output);
    if (full) {
        host->hint(call, ROOM_HINT);
    }
    return host->fail(call, full ? BANGER_EFULL : BANGER_EIO, "%s failed with status %d: %.*s",
                      program, status, (int)strcspn(output, "\n"), output);
}

int root_disk_fit(const struct banger_host *host, struct banger_call *call, const char *path)
{
    host->progress(call, "growing the root disk");
    /* resize2fs asks for a check unless the last one is younger than the last mount. */
    if (root_disk_run(host, call, json_pack("[s, s, s, s]", "/sbin/e2fsck", "-f", "-p", path), 1) <
        0) {
        return -1;
    }
    return root_disk_run(host, call, json_pack("[s, s]", "/sbin/resize2fs", path), 0);
}

/* Grows the file, then the ext4 in it. Can be repeated after an interruption at any point. */
static int grow(const struct banger_host *host, struct banger_call *call, const char *path,
                int64_t bytes)
{
    if (truncate(path, bytes) < 0) {
        return root_disk_fail(host, call, errno, "grow", path);
    }
    return root_disk_fit(host, call, path);
}

static int64_t wanted_bytes(const struct banger_host *host, struct banger_call *call)
{
    return host->get_int(call, "vm.disk_mib", 0) * MIB;
}

/* What root_disk_create fills a new disk with. */
struct filling {
    root_disk_fill fill;
    int from;
};

static int fill_from_image(const struct banger_host *host, struct banger_call *call, void *context,
                           int to, const char *temporary)
{
    const struct filling *filling = context;
    int64_t wanted = wanted_bytes(host, call);
    struct stat image;

    if (fstat(filling->from, &image) < 0) {
        return root_disk_fail(host, call, errno, "read the image for", temporary);
    }
    if (!S_ISREG(image.st_mode) || image.st_size == 0) {
        return host->fail(call, BANGER_ECORRUPT, "the image %s is not a file with content",
                          host->get_string(call, "image.path", "?"));
    }
    if (filling->fill(host, call, filling->from, to, image.st_size) < 0) {
        return -1;
    }
    if (wanted > image.st_size && grow(host, call, temporary, wanted) < 0) {
        return -1;
    }
    if (wanted < image.st_size) {
        host->log(call, BANGER_LOG_DEBUG, "the root disk is as large as its image, %" PRId64 " MiB",
                  (int64_t)image.st_size / MIB);
    }
    return 0;
}

/* Makes the rename durable. */
static int sync_folder(const struct banger_host *host, struct banger_call *call)
{
    int fd = root_disk_open_folder(host, call);
    int result = fd < 0 ? -1 : fsync(fd);

    if (fd >= 0) {
        if (result < 0) {
            (void)root_disk_fail(host, call, errno, "flush", "the VM's folder");
        }
        (void)close(fd);
    }
    return result;
}

int root_disk_write_new(const struct banger_host *host, struct banger_call *call, const char *path,
                        root_disk_write write, void *context)
{
    char temporary[PATH_MAX + 8];
    int result;
    int to;

    (void)snprintf(temporary, sizeof(temporary), "%s.new", path);
    (void)unlink(temporary);
    to = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, DISK_MODE);
    if (to < 0) {
        return root_disk_fail(host, call, errno, "create", temporary);
    }
    result = write(host, call, context, to, temporary);
    if (result == 0 && fsync(to) < 0) {
        result = root_disk_fail(host, call, errno, "flush", temporary);
    }
    if (result == 0 && rename(temporary, path) < 0) {
        result = root_disk_fail(host, call, errno, "create", path);
    }
    if (result < 0) {
        (void)unlink(temporary);
    }
    (void)close(to);
    return result < 0 ? -1 : sync_folder(host, call);
}

int root_disk_create(const struct banger_host *host, struct banger_call *call, root_disk_fill fill)
{
    const char *image = host->get_string(call, "image.path", NULL);
    struct filling filling = {.fill = fill};
    char path[PATH_MAX];
    int result;

    if (root_disk_path(host, call, path) < 0) {
        return -1;
    }
    if (root_disk_exists(path)) {
        return 0;
    }
    if (image == NULL) {
        return host->fail(call, BANGER_EINTERNAL, "the VM has no image");
    }
    filling.from = open(image, O_RDONLY | O_CLOEXEC);
    if (filling.from < 0) {
        return root_disk_fail(host, call, errno, "read the image", image);
    }
    result = root_disk_write_new(host, call, path, fill_from_image, &filling);
    (void)close(filling.from);
    return result;
}

int root_disk_resize(const struct banger_host *host, struct banger_call *call)
{
    int64_t wanted = wanted_bytes(host, call);
    char path[PATH_MAX];
    struct stat disk;

    if (root_disk_path(host, call, path) < 0) {
        return -1;
    }
    if (!root_disk_exists(path)) {
        return 0; /* never started: create will give it the new size */
    }
    if (stat(path, &disk) < 0) {
        return root_disk_fail(host, call, errno, "read", path);
    }
    if (wanted < disk.st_size) {
        host->hint(call, "a disk only grows; a new VM can have a smaller one");
        return host->fail(call, BANGER_EINVALID,
                          "the root disk has %" PRId64 " MiB and cannot shrink to %" PRId64 " MiB",
                          (int64_t)disk.st_size / MIB, wanted / MIB);
    }
    return grow(host, call, path, wanted);
}

int root_disk_contribute(const struct banger_host *host, struct banger_call *call)
{
    char path[PATH_MAX];

    if (root_disk_path(host, call, path) < 0) {
        return -1;
    }
    return banger_json_contribute(host, call, "drives",
                                  json_pack("[{s:s, s:s, s:b, s:b, s:s}]", "id", "rootfs", "path",
                                            path, "root", 1, "read_only", 0, "format", "raw"));
}
