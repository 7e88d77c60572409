/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reflink: the root disk shares the image's blocks until the guest writes to them (FICLONE, on
 * btrfs, xfs and others): made in well under a millisecond whatever its size.
 */
#include "root_disk.h"

#include <banger/plugin.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* At least one block of any file system: an empty file could be cloned anywhere. */
#define PROBE_BYTES 65536

static int reflink_fill(const struct banger_host *host, struct banger_call *call, int from, int to,
                        off_t length)
{
    (void)length;
    if (ioctl(to, FICLONE, from) == 0) {
        return 0;
    }
    return root_disk_fail(host, call, errno, "clone the image to",
                          host->get_string(call, "vm.dir", "?"));
}

/* What FICLONE says about two nameless files of that folder: 0 or an errno. */
static int try_clone(int folder)
{
    static const char block[PROBE_BYTES];
    int from = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int to = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int result = 0;

    if (from < 0 || to < 0 || write(from, block, sizeof(block)) != (ssize_t)sizeof(block) ||
        ioctl(to, FICLONE, from) < 0) {
        result = errno;
    }
    if (from >= 0) {
        (void)close(from);
    }
    if (to >= 0) {
        (void)close(to);
    }
    return result;
}

/* The same with the image itself, which may lie on another file system than the VM. */
static int try_clone_image(int folder, const char *image)
{
    int from = open(image, O_RDONLY | O_CLOEXEC);
    int to = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int result = from < 0 || to < 0 || ioctl(to, FICLONE, from) < 0 ? errno : 0;

    if (from >= 0) {
        (void)close(from);
    }
    if (to >= 0) {
        (void)close(to);
    }
    return result;
}

static int reflink_check(const struct banger_host *host, struct banger_call *call)
{
    const char *image = host->get_string(call, "image.path", NULL);
    const char *where = host->get_string(call, "host.state_dir", "banger's state folder");
    int folder = root_disk_open_folder(host, call);
    int reason;

    if (folder < 0) {
        return -1;
    }
    reason = try_clone(folder);
    if (reason == 0 && image != NULL) {
        reason = try_clone_image(folder, image);
    }
    (void)close(folder);
    if (reason == 0) {
        return 0;
    }
    host->hint(call,
               "a btrfs, or an xfs with reflink=1, at %s makes disks at once; the `copy` "
               "driver works anywhere",
               where);
    return host->fail(call, BANGER_EUNSUPPORTED, "files cannot share blocks at %s: FICLONE: %s",
                      where, strerror(reason));
}

static int reflink_create(const struct banger_host *host, struct banger_call *call)
{
    return root_disk_create(host, call, reflink_fill);
}

static const char *const needs[] = {"drive:file", NULL};

static const struct banger_rootfs rootfs = {
    .size = sizeof(rootfs),
    .rank = 100,
    .needs = needs,
    .check = reflink_check,
    .create = reflink_create,
    .contribute = root_disk_contribute,
    .resize = root_disk_resize,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "reflink",
    .version = BANGER_VERSION,
    .summary = "root disks that share the image's blocks (FICLONE on btrfs, xfs)",
    .license = "LGPL-2.1-or-later",
    .rootfs = &rootfs,
};

BANGER_PLUGIN(&plugin)
