/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. A free number is asked for, opened, and configured. Between any two of these another process may
 *    take the number (EBUSY) or remove it (ENOENT, ENXIO): then everything is tried again.
 * 2. A shared device is found again by the device and inode of its file, its flags, its size and our
 *    mark, never by its number or a path. It is looked at through an open descriptor, so that it can
 *    no longer go away, and its number no longer mean another file.
 * 3. Where an image's device was last is remembered: with a thousand VMs there are two thousand loop
 *    devices to look through.
 */
#include "host/loop_device.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define CONTROL "/dev/loop-control"
#define FREE_TIMEOUT_MS 5000 /* others may be faster than us, but not for that long */
#define MARK_BASE "base"
#define MARK_OWN "own"

/* -- Make ------------------------------------------------------------------------------------------- */

static int control_failed(int errno_value, banger_error *err)
{
    if (errno_value == ENOENT || errno_value == ENODEV || errno_value == ENXIO) {
        (void)error_set(err, BANGER_EUNSUPPORTED, "this host has no loop devices: no " CONTROL);
        return error_hint(err, "load the kernel module `loop`");
    }
    (void)error_sys(err, errno_value, "cannot open " CONTROL);
    return errno_value == EPERM || errno_value == EACCES ? error_hint(err, "run bangerd as root")
                                                         : -1;
}

static int open_control(banger_error *err)
{
    int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
    return fd >= 0 ? fd : control_failed(errno, err);
}

int loop_device_check(banger_error *err)
{
    AUTO_CLOSE int control = open_control(err);
    return control < 0 ? -1 : 0;
}

void loop_device_close(struct loop_device *device)
{
    if (device->fd >= 0) {
        (void)close(STEAL_FD(device->fd));
    }
}

static void mark_format(const struct host *host, const char *purpose, char mark[LO_NAME_SIZE])
{
    (void)snprintf(mark, LO_NAME_SIZE, "banger:%s:%s", host->instance, purpose);
}

static int open_number(int number, int flags, struct loop_device *device)
{
    (void)snprintf(device->path, sizeof(device->path), "/dev/loop%d", number);
    device->fd = open(device->path, flags | O_CLOEXEC);
    return device->fd;
}

/* One attempt: 0, or an errno. `*number` is the device's. */
static int configure_free(int control, const struct loop_config *config, struct loop_device *device,
                          int *number)
{
    bool read_only = (config->info.lo_flags & LO_FLAGS_READ_ONLY) != 0;
    *number = ioctl(control, LOOP_CTL_GET_FREE);
    if (*number < 0 || open_number(*number, read_only ? O_RDONLY : O_RDWR, device) < 0) {
        return errno;
    }
    if (ioctl(device->fd, LOOP_CONFIGURE, config) == 0) {
        return 0;
    }
    int failure = errno;
    loop_device_close(device);
    return failure;
}

static bool is_race(int failure)
{
    return failure == EBUSY || failure == ENOENT || failure == ENXIO;
}

static int configure(const struct host *host, int file, uint32_t flags, const char *purpose,
                     struct loop_device *device, int *number, banger_error *err)
{
    struct loop_config config = {.fd = (uint32_t)file, .info = {.lo_flags = flags}};
    mark_format(host, purpose, (char *)config.info.lo_file_name);
    AUTO_CLOSE int control = open_control(err);
    if (control < 0) {
        return -1;
    }
    deadline until = deadline_in(FREE_TIMEOUT_MS);
    int failure = configure_free(control, &config, device, number);
    while (is_race(failure) && deadline_left_ms(until) > 0) {
        (void)poll(NULL, 0, 1);
        failure = configure_free(control, &config, device, number);
    }
    if (failure == EINVAL || failure == ENOTTY) {
        (void)error_sys(err, failure, "the kernel does not make a loop device at once");
        return error_hint(err, "LOOP_CONFIGURE needs Linux 5.8");
    }
    return failure == 0 ? 0 : error_sys(err, failure, "cannot make a loop device");
}

int loop_device_make(const struct host *host, int file, struct loop_device *device,
                     banger_error *err)
{
    int number = -1;
    return configure(host, file, LO_FLAGS_AUTOCLEAR, MARK_OWN, device, &number, err);
}

/* -- Share ------------------------------------------------------------------------------------------ */

/* `device` is open. */
static bool is_base_of(const struct host *host, const struct loop_device *device,
                       const struct stat *file)
{
    const uint32_t flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
    struct loop_info64 info;
    uint64_t bytes = 0;
    char mark[LO_NAME_SIZE];
    mark_format(host, MARK_BASE, mark);
    return ioctl(device->fd, LOOP_GET_STATUS64, &info) == 0 && info.lo_device == file->st_dev &&
           info.lo_inode == file->st_ino && (info.lo_flags & flags) == flags &&
           info.lo_offset == 0 && info.lo_sizelimit == 0 &&
           strncmp((const char *)info.lo_file_name, mark, LO_NAME_SIZE) == 0 &&
           ioctl(device->fd, BLKGETSIZE64, &bytes) == 0 && bytes == (uint64_t)file->st_size;
}

static bool take_if_base(const struct host *host, int number, const struct stat *file,
                         struct loop_device *device)
{
    if (open_number(number, O_RDONLY, device) >= 0 && is_base_of(host, device, file)) {
        return true;
    }
    loop_device_close(device);
    return false;
}

/* Only a read-only one that is in use has both of these attributes so; the others are not opened. */
static bool may_be_base(int sys_block, const char *name)
{
    char path[64];
    char read_only = '0';
    (void)snprintf(path, sizeof(path), "%.20s/loop/backing_file", name);
    if (faccessat(sys_block, path, F_OK, 0) < 0) {
        return false;
    }
    (void)snprintf(path, sizeof(path), "%.20s/ro", name);
    AUTO_CLOSE int fd = openat(sys_block, path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &read_only, 1) == 1 && read_only == '1';
}

/* Its number, or -1. */
static int find_base(const struct host *host, const struct stat *file, struct loop_device *device)
{
    AUTO_CLOSEDIR DIR *dir = opendir("/sys/block");
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        const char *digits = entry->d_name + strlen("loop");
        if (!str_starts(entry->d_name, "loop") || !isdigit((unsigned char)digits[0]) ||
            !may_be_base(dirfd(dir), entry->d_name)) {
            continue;
        }
        int number = (int)strtol(digits, NULL, 10);
        if (take_if_base(host, number, file, device)) {
            return number;
        }
    }
    return -1;
}

/* The place of a file in the host's memory of shared devices. */
static struct loop_memo *memo_of(struct host *host, const struct stat *file)
{
    return &host->bases[file->st_ino % HOST_BASES];
}

static int remembered(struct host *host, const struct stat *file)
{
    (void)pthread_mutex_lock(&host->lock);
    const struct loop_memo *memo = memo_of(host, file);
    bool known = memo->device == file->st_dev && memo->inode == file->st_ino;
    int number = known ? memo->number : -1;
    (void)pthread_mutex_unlock(&host->lock);
    return number;
}

static void remember(struct host *host, const struct stat *file, int number)
{
    (void)pthread_mutex_lock(&host->lock);
    *memo_of(host, file) = (struct loop_memo){file->st_dev, file->st_ino, number};
    (void)pthread_mutex_unlock(&host->lock);
}

int loop_device_share(struct host *host, int file, struct loop_device *device, banger_error *err)
{
    struct stat status;
    if (fstat(file, &status) < 0) {
        return error_sys(err, errno, "cannot read a file for a loop device");
    }
    int number = remembered(host, &status);
    if (number >= 0 && take_if_base(host, number, &status, device)) {
        return 0;
    }
    number = find_base(host, &status, device);
    /* Two threads may make one each: that costs a device, and harms nobody. */
    if (number < 0 && configure(host, file, LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR, MARK_BASE,
                                device, &number, err) < 0) {
        return -1;
    }
    remember(host, &status, number);
    return 0;
}
