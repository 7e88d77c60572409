/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy: the root disk is a copy of the image. Works on every file system; holes stay holes. */
#include "root_disk.h"
#include "sparse.h"

#include <banger/plugin.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB INT64_C(1048576)

struct watch {
    const struct banger_host *host;
    struct banger_call *call;
    off_t length;
    bool timed_out;
};

static bool copy_goes_on(void *context, off_t done)
{
    struct watch *watch = context;
    char text[96];

    if (done > 0) {
        (void)snprintf(text, sizeof(text), "copying image (%" PRId64 " of %" PRId64 " MiB)",
                       (int64_t)done / MIB, (int64_t)watch->length / MIB);
        watch->host->progress(watch->call, text);
    }
    watch->timed_out = watch->host->remaining_ms(watch->call) == 0;
    return !watch->timed_out && !watch->host->cancelled(watch->call);
}

static int copy_fill(const struct banger_host *host, struct banger_call *call, int from, int to,
                     off_t length)
{
    struct watch watch = {.host = host, .call = call, .length = length};
    int reason = sparse_copy(from, to, length, copy_goes_on, &watch);

    if (reason == ECANCELED) {
        return host->fail(call, watch.timed_out ? BANGER_ETIMEDOUT : BANGER_ECANCELLED,
                          watch.timed_out ? "copying the image took too long"
                                          : "copying the image was cancelled");
    }
    if (reason != 0) {
        return root_disk_fail(host, call, reason, "copy the image to",
                              host->get_string(call, "vm.dir", "?"));
    }
    return 0;
}

/* Whether the disk's file system has room for what the image occupies. */
static int check_room(const struct banger_host *host, struct banger_call *call, int image)
{
    int folder = root_disk_open_folder(host, call);
    int64_t needed = sparse_occupied(image);
    struct statvfs room;
    int result = folder < 0 ? -1 : fstatvfs(folder, &room);

    if (folder >= 0) {
        (void)close(folder);
    }
    if (result < 0) {
        return folder < 0 ? -1 : 0; /* not told: the copy will find out */
    }
    if ((int64_t)room.f_bavail * (int64_t)room.f_frsize >= needed) {
        return 0;
    }
    host->hint(call, "free some space there (`banger vm prune` deletes stopped VMs)");
    return host->fail(call, BANGER_EFULL,
                      "a copy of the image needs %" PRId64 " MiB, and %s has %" PRId64 " MiB left",
                      needed / MIB + 1, host->get_string(call, "vm.dir", "?"),
                      (int64_t)room.f_bavail * (int64_t)room.f_frsize / MIB);
}

static int copy_check(const struct banger_host *host, struct banger_call *call)
{
    const char *image = host->get_string(call, "image.path", NULL);
    char path[PATH_MAX];
    int result;
    int fd;

    if (image == NULL || host->get_string(call, "vm.dir", NULL) == NULL) {
        return 0; /* about the host alone: a copy works anywhere */
    }
    if (root_disk_path(host, call, path) < 0) {
        return -1;
    }
    if (root_disk_exists(path)) {
        return 0;
    }
    fd = open(image, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return root_disk_fail(host, call, errno, "read the image", image);
    }
    result = check_room(host, call, fd);
    (void)close(fd);
    return result;
}

static int copy_create(const struct banger_host *host, struct banger_call *call)
{
    return root_disk_create(host, call, copy_fill);
}

static const char *const needs[] = {"drive:file", NULL};

static const struct banger_rootfs rootfs = {
    .size = sizeof(rootfs),
    .rank = 0,
    .needs = needs,
    .check = copy_check,
    .create = copy_create,
    .contribute = root_disk_contribute,
    .resize = root_disk_resize,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "copy",
    .version = BANGER_VERSION,
    .summary = "root disks as copies of the image, holes left out; on any file system",
    .license = "LGPL-2.1-or-later",
    .rootfs = &rootfs,
};

BANGER_PLUGIN(&plugin)
