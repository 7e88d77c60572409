/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk.h"

#include "root_disk.h"
#include "sparse.h"

#include <banger/json.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB INT64_C(1048576)
#define MKE2FS "/sbin/mke2fs"
#define DEBUGFS "/sbin/debugfs"

/* Where the superblock has its magic number (fs/ext4/ext4.h). */
#define MAGIC_OFFSET (1024 + 0x38)
#define MAGIC 0xef53

struct watch {
    const struct banger_host *host;
    struct banger_call *call;
    off_t length;
    bool timed_out;
};

/* -- A copy of the seed ---------------------------------------------------------------------------
 */

static int open_seed(const struct banger_host *host, struct banger_call *call, const char *seed,
                     struct stat *status)
{
    uint16_t magic = 0;
    int fd = open(seed, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good;

    if (fd < 0) {
        return root_disk_fail(host, call, errno, "read the work disk's seed", seed);
    }
    good = fstat(fd, status) == 0 && S_ISREG(status->st_mode) &&
           pread(fd, &magic, sizeof(magic), MAGIC_OFFSET) == (ssize_t)sizeof(magic) &&
           le16toh(magic) == MAGIC;
    if (!good) {
        (void)close(fd);
        host->hint(call, "make one with mke2fs -t ext4 -d FOLDER FILE SIZE");
        return host->fail(call, BANGER_EINVALID,
                          "the work disk's seed %s is not an ext4 file system in a file", seed);
    }
    return fd;
}

static bool copy_goes_on(void *context, off_t done)
{
    struct watch *watch = context;
    char text[96];

    (void)snprintf(text, sizeof(text), "copying the seed (%" PRId64 " of %" PRId64 " MiB)",
                   (int64_t)done / MIB, (int64_t)watch->length / MIB);
    watch->host->progress(watch->call, text);
    watch->timed_out = watch->host->remaining_ms(watch->call) == 0;
    return !watch->timed_out && !watch->host->cancelled(watch->call);
}

static int copy_seed(const struct banger_host *host, struct banger_call *call, int from, int to,
                     off_t length)
{
    struct watch watch = {.host = host, .call = call, .length = length};
    int reason;

    if (ioctl(to, FICLONE, from) == 0) {
        return 0;
    }
    reason = sparse_copy(from, to, length, copy_goes_on, &watch);
    if (reason == ECANCELED && !watch.timed_out) {
        return host->fail(call, BANGER_ECANCELLED, "copying the work disk's seed was cancelled");
    }
    if (reason == ECANCELED) {
        host->hint(call, "give it more time: plugins[\"work-disk\"].timeout in config.lua");
        return host->fail(call, BANGER_ETIMEDOUT, "copying the work disk's seed took too long");
    }
    return reason == 0 ? 0
                       : root_disk_fail(host, call, reason, "copy the work disk's seed to",
                                        host->get_string(call, "vm.dir", "?"));
}

static int grow_file(const struct banger_host *host, struct banger_call *call, int fd,
                     int64_t bytes, const char *path)
{
    struct stat now;

    if (fstat(fd, &now) < 0 || (now.st_size < bytes && ftruncate(fd, bytes) < 0)) {
        return root_disk_fail(host, call, errno, "grow", path);
    }
    return 0;
}

static int write_from_seed(const struct banger_host *host, struct banger_call *call, void *context,
                           int to, const char *temporary)
{
    const struct work_disk *disk = context;
    struct stat seed = {0};
    int from = open_seed(host, call, disk->seed, &seed);
    int result = from < 0 ? -1 : copy_seed(host, call, from, to, seed.st_size);

    if (from >= 0) {
        (void)close(from);
    }
    return result < 0 ? -1 : grow_file(host, call, to, disk->bytes, temporary);
}

/* -- A fresh one ----------------------------------------------------------------------------------
 */

/* The file is new, so nothing in it needs zeroing, here or later by the guest's kernel. */
static int write_fresh(const struct banger_host *host, struct banger_call *call, void *context,
                       int to, const char *temporary)
{
    const struct work_disk *disk = context;

    host->progress(call, "making the work disk");
    if (grow_file(host, call, to, disk->bytes, temporary) < 0 ||
        root_disk_run(host, call,
                      json_pack("[s, s, s, s, s, s, s, s, s, s, s, s]", MKE2FS, "-q", "-F", "-t",
                                "ext4", "-b", "4096", "-m", "0", "-E",
                                "root_owner=0:0,assume_storage_prezeroed=1", temporary),
                      0) < 0) {
        return -1;
    }
    if (!disk->private) {
        return 0;
    }
    return root_disk_run(host, call,
                         json_pack("[s, s, s, s, s]", DEBUGFS, "-w", "-R",
                                   "set_inode_field <2> mode 040700", temporary),
                         0);
}

/* -- Both -----------------------------------------------------------------------------------------
 */

int disk_check(const struct banger_host *host, struct banger_call *call,
               const struct work_disk *disk)
{
    struct stat seed;
    int fd;

    if (root_disk_exists(disk->path)) {
        return 0;
    }
    if (disk->seed == NULL) {
        if (access(MKE2FS, X_OK) == 0 && access(DEBUGFS, X_OK) == 0) {
            return 0;
        }
        host->hint(call, "install the package e2fsprogs, or configure a seed");
        return host->fail(call, BANGER_EUNSUPPORTED,
                          "a work disk is made by " MKE2FS " and " DEBUGFS ": %s", strerror(errno));
    }
    fd = open_seed(host, call, disk->seed, &seed);
    return fd < 0 ? -1 : close(fd);
}

int disk_ensure(const struct banger_host *host, struct banger_call *call,
                const struct work_disk *disk)
{
    int result;
    int fd;

    if (!root_disk_exists(disk->path)) {
        return root_disk_write_new(host, call, disk->path,
                                   disk->seed != NULL ? write_from_seed : write_fresh,
                                   (void *)(uintptr_t)disk);
    }
    fd = open(disk->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return root_disk_fail(host, call, errno, "open the work disk", disk->path);
    }
    result = grow_file(host, call, fd, disk->bytes, disk->path);
    (void)close(fd);
    return result;
}
