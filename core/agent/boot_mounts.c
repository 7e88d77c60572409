/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The disks beside the root. Without one of them the guest would write to the root what is to be kept
 * elsewhere, so that a disk that cannot be mounted ends the boot.
 */
#include "boot.h"
#include "power.h"
#include "resolve.h"
#include "say.h"
#include "uevent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* fs/ext4/ext4.h, include/uapi/linux/ext4.h since 5.19: the file system's new size in blocks. */
#define RESIZE_FS _IOW('f', 16, uint64_t)

struct disk {
    const char *device;
    const char *point; /* absolute, in the root */
    const char *type;
    const char *flags;
    bool grow;
};

/* "DEVICE POINT TYPE FLAGS [grow]", taken apart in place. */
static bool parse(char *text, struct disk *disk)
{
    *disk = (struct disk){.device = strsep(&text, " "),
                          .point = strsep(&text, " "),
                          .type = strsep(&text, " "),
                          .flags = strsep(&text, " ")};
    disk->grow = text != NULL && strcmp(text, "grow") == 0;
    return disk->flags != NULL && disk->point[0] == '/' && strlen(disk->point) < PATH_MAX;
}

/* O_PATH of the folder `point` below the root, made with its parents where it is missing; symbolic
 * links are the image's and resolved inside the root. */
static int reach(int root, const char *point)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s", point + 1);
    int fd = resolve_dir(root, path, 1);
    for (char *at = path; fd < 0 && errno == ENOENT && at != NULL;) {
        at = strchr(at, '/');
        if (at != NULL) {
            *at = '\0';
        }
        const char *name;
        int parent = resolve_parent(root, path, 1, &name);
        if (parent >= 0) {
            (void)mkdirat(parent, name, 0755);
            (void)close(parent);
        }
        if (at != NULL) {
            *at++ = '/';
        }
        fd = resolve_dir(root, path, 1);
    }
    return fd;
}

static void fd_path(int fd, char path[32])
{
    (void)snprintf(path, 32, "/proc/self/fd/%d", fd);
}

/* The disk may have become larger since its file system was made. The kernel's own growing goes through
 * the journal, so that a guest that is killed in the middle of it has lost nothing. */
static int grow(const struct disk *disk, int folder)
{
    uint64_t bytes = 0;
    struct statfs now;
    int device = open(disk->device, O_RDONLY | O_CLOEXEC);
    int failed = device < 0 || ioctl(device, BLKGETSIZE64, &bytes) < 0 || fstatfs(folder, &now) < 0;
    if (failed == 0) {
        uint64_t blocks = bytes / (uint64_t)now.f_bsize;
        failed = ioctl(folder, RESIZE_FS, &blocks) < 0;
    }
    int saved = errno;
    if (device >= 0) {
        (void)close(device);
    }
    errno = saved;
    return failed != 0 ? -1 : 0;
}

static int open_folder(int root, const char *point)
{
    char path[32];
    int at = resolve_dir(root, point + 1, 1);
    fd_path(at, path);
    int fd = at < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int saved = errno;
    if (at >= 0) {
        (void)close(at);
    }
    errno = saved;
    return fd;
}

static void grow_at(const struct disk *disk, int root)
{
    int folder = open_folder(root, disk->point);
    if (folder < 0 || grow(disk, folder) < 0) {
        say("cannot grow the file system of %s: %s", disk->device, strerror(errno));
    }
    if (folder >= 0) {
        (void)close(folder);
    }
}

static int mount_at(const struct disk *disk, int root)
{
    char data[BOOT_FLAGS_MAX];
    char path[32];
    unsigned long flags = boot_split_flags(disk->flags, data);
    int point = reach(root, disk->point);
    if (point < 0) {
        return -1;
    }
    fd_path(point, path);
    int failed = mount(disk->device, path, disk->type, flags, data);
    int saved = errno;
    (void)close(point);
    errno = saved;
    return failed;
}

static void add_disk(const char *text, int root, int uevents)
{
    struct disk disk;
    char *copy = strdup(text); /* kept: power_end needs the place */
    if (copy == NULL || !parse(copy, &disk)) {
        power_give_up("invalid mount in the guest configuration: %s", text);
    }
    if (!boot_wait_device(uevents, disk.device)) {
        power_give_up("the disk %s for %s has not appeared", disk.device, disk.point);
    }
    if (mount_at(&disk, root) < 0) {
        power_give_up("cannot mount %s (%s, %s) at %s: %s", disk.device, disk.type, disk.flags,
                      disk.point, strerror(errno));
    }
    if (disk.grow) {
        grow_at(&disk, root);
    }
    power_unmount_at_end(disk.point);
}

void boot_mounts(const struct conf *conf, const char *root, int uevents)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < conf->mount_count; i++) {
        add_disk(conf->mounts[i], fd, uevents);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}
