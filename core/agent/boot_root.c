/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot.h"
#include "power.h"
#include "say.h"
#include "uevent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE_SECONDS 30
#define DEPTH_MAX 32

static bool is_there(const void *path)
{
    return access(path, F_OK) == 0;
}

unsigned long boot_split_flags(const char *flags, char data[BOOT_FLAGS_MAX])
{
    static const struct {
        const char *name;
        unsigned long flag;
    } known[] = {
        {"ro", MS_RDONLY},         {"rw", 0},
        {"noatime", MS_NOATIME},   {"relatime", MS_RELATIME},
        {"nodev", MS_NODEV},       {"nosuid", MS_NOSUID},
        {"sync", MS_SYNCHRONOUS},  {"noexec", MS_NOEXEC},
        {"lazytime", MS_LAZYTIME}, {"nodiratime", MS_NODIRATIME},
    };
    unsigned long result = 0;
    char copy[BOOT_FLAGS_MAX];
    (void)snprintf(copy, sizeof(copy), "%s", flags);
    data[0] = '\0';
    char *rest = copy;
    for (char *flag = strsep(&rest, ","); flag != NULL; flag = strsep(&rest, ",")) {
        size_t i = 0;
        while (i < sizeof(known) / sizeof(known[0]) && strcmp(flag, known[i].name) != 0) {
            i++;
        }
        if (i < sizeof(known) / sizeof(known[0])) {
            result |= known[i].flag;
        } else if (*flag != '\0') {
            size_t used = strlen(data);
            (void)snprintf(data + used, BOOT_FLAGS_MAX - used, "%s%s", used != 0 ? "," : "", flag);
        }
    }
    return result;
}

bool boot_wait_device(int uevents, const char *device)
{
    return uevent_wait(uevents, DEVICE_SECONDS, is_there, device);
}

void boot_root_mount(const struct conf *conf, int uevents)
{
    char data[BOOT_FLAGS_MAX];
    unsigned long flags = boot_split_flags(conf->root_flags, data);
    if (!boot_wait_device(uevents, conf->root)) {
        power_give_up("the root device %s has not appeared within %d s", conf->root,
                      DEVICE_SECONDS);
    }
    (void)mkdir(BOOT_NEW_ROOT, 0755);
    if (mount(conf->root, BOOT_NEW_ROOT, conf->root_type, flags, data) < 0) {
        power_give_up("cannot mount %s (%s, %s) as the root: %s", conf->root, conf->root_type,
                      conf->root_flags, strerror(errno));
    }
}

static void remove_below(int dir_fd, dev_t device, int depth);

static void remove_entry(int dir_fd, const char *name, dev_t device, int depth)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != device) {
        return; /* a mount: the new root must not be emptied */
    }
    if (!S_ISDIR(st.st_mode)) {
        (void)unlinkat(dir_fd, name, 0);
        return;
    }
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        remove_below(fd, device, depth + 1);
    }
    (void)unlinkat(dir_fd, name, AT_REMOVEDIR);
}

/* Takes the descriptor. */
static void remove_below(int dir_fd, dev_t device, int depth)
{
    DIR *dir = depth < DEPTH_MAX ? fdopendir(dir_fd) : NULL;
    if (dir == NULL) {
        (void)close(dir_fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            remove_entry(dirfd(dir), entry->d_name, device, depth);
        }
    }
    (void)closedir(dir);
}

static void carry_mount(const char *path)
{
    char target[64];
    (void)snprintf(target, sizeof(target), BOOT_NEW_ROOT "%s", path);
    (void)mkdir(target, 0755);
    if (mount(path, target, NULL, MS_MOVE, NULL) < 0) {
        say("cannot move %s to the root: %s", path, strerror(errno));
    }
}

void boot_root_enter(void)
{
    carry_mount("/dev");
    carry_mount("/proc");
    carry_mount("/sys");
    int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (chdir(BOOT_NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
        chdir("/") < 0) {
        power_give_up("cannot enter the root: %s", strerror(errno));
    }
    if (old >= 0 && fstat(old, &st) == 0) {
        remove_below(old, st.st_dev, 0); /* the initramfs is memory */
    }
}
