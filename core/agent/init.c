/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "init.h"

#include "say.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

struct kernel_mount {
    const char *target;
    const char *type;
    unsigned long flags;
    const char *data;
};

#define QUIET (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct kernel_mount kernel_mounts[] = {
    {"/proc", "proc", QUIET, NULL},
    {"/sys", "sysfs", QUIET, NULL},
    {"/dev", "devtmpfs", MS_NOSUID, "mode=0755"},
};

static const struct kernel_mount system_mounts[] = {
    {"/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666"},
    {"/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
    {"/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"},
    {"/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
    {"/sys/fs/cgroup", "cgroup2", QUIET, NULL},
};

static const struct {
    const char *path;
    const char *target;
} device_links[] = {
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
};

static void mount_all(const struct kernel_mount *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct kernel_mount *one = &list[i];
        (void)mkdir(one->target, 0755);
        if (mount(one->type, one->target, one->type, one->flags, one->data) < 0 && errno != EBUSY) {
            say("cannot mount %s: %s", one->target, strerror(errno));
        }
    }
}

void init_mount_kernel(void)
{
    mount_all(kernel_mounts, sizeof(kernel_mounts) / sizeof(kernel_mounts[0]));
}

void init_prepare(void)
{
    mount_all(system_mounts, sizeof(system_mounts) / sizeof(system_mounts[0]));
    for (size_t i = 0; i < sizeof(device_links) / sizeof(device_links[0]); i++) {
        (void)symlink(device_links[i].target, device_links[i].path);
    }
    (void)reboot(RB_DISABLE_CAD);
}
