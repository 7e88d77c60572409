/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a daemon may be killed, and what is then there:
 *
 * 1. With the loop devices made and no table: nothing; they end with our descriptors.
 * 2. While or after the table is made: a device with the VM's UUID, which its journal knows, and which
 *    the next snapshot_attach or snapshot_detach takes away, and the loop devices with it.
 *
 * The snapshot is of the kind "PO" (Documentation/admin-guide/device-mapper/snapshot.rst): persistent,
 * since a VM's disk stays when the VM or the host stops; and with overflow, so that a full one only
 * refuses further writes. Without the O the kernel would drop all that was written.
 */
#include "host/snapshot.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/str.h"
#include "host/dm.h"
#include "host/loop_device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define TARGET "snapshot"
#define SECTOR 512
#define KIND "PO"

int snapshot_check(banger_error *err)
{
    return loop_device_check(err) < 0 ? -1 : dm_check(TARGET, err);
}

/* -- Files ------------------------------------------------------------------------------------------ */

/* Opens a file below a folder of ours, with no symbolic link on the way from there. */
static int open_below(const char *folder, const char *path, int flags, struct stat *status,
                      banger_error *err)
{
    size_t length = strlen(folder);
    if (strncmp(path, folder, length) != 0 || path[length] != '/') {
        return error_set(err, BANGER_EINVALID, "'%s' is not below %s", path, folder);
    }
    AUTO_CLOSE int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    /* O_NONBLOCK: a FIFO does not hold us up. */
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC | O_NONBLOCK),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path + length + 1, &how, sizeof(how));
    if (fd < 0 || fstat(fd, status) < 0) {
        (void)error_sys(err, errno, "cannot open %s", path);
    } else if (!S_ISREG(status->st_mode)) {
        (void)error_set(err, BANGER_EINVALID, "'%s' is not a regular file", path);
    } else {
        return fd;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

static int open_base(const struct host *host, const struct snapshot_plan *plan, banger_error *err)
{
    struct stat status = {0};
    AUTO_CLOSE int fd = open_below(host->state_dir, plan->base, O_RDONLY, &status, err);
    if (fd < 0) {
        return -1;
    }
    if ((uint64_t)status.st_size != plan->base_size || status.st_ino != plan->base_inode) {
        return error_set(err, BANGER_ECORRUPT, "%s is another file than it was", plan->base);
    }
    if (status.st_size == 0 || status.st_size % SECTOR != 0) {
        return error_set(err, BANGER_ECORRUPT, "%s does not consist of whole sectors", plan->base);
    }
    return STEAL_FD(fd);
}

/* A file of this VM: below its own folder. */
static int open_own(const struct host *host, const char *vm_id, const char *path, uint64_t *sectors,
                    banger_error *err)
{
    AUTO_FREE char *folder = str_format("%s/vms/%s", host->state_dir, vm_id);
    struct stat status = {0};
    int fd = open_below(folder, path, O_RDWR, &status, err);
    *sectors = fd >= 0 ? (uint64_t)status.st_size / SECTOR : 0;
    return fd;
}

/* -- Attach and detach ------------------------------------------------------------------------------ */

/* What a device is made of: descriptors of the files, and loop devices over them. */
struct parts {
    int base_file;
    int cow_file;
    int tail_file; /* -1: none */
    uint64_t tail_sectors;
    struct loop_device base;
    struct loop_device cow;
    struct loop_device tail;
};

#define PARTS_INIT                                                                                 \
    ((struct parts){-1, -1, -1, 0, LOOP_DEVICE_INIT, LOOP_DEVICE_INIT, LOOP_DEVICE_INIT})

static void parts_close(struct parts *parts)
{
    loop_device_close(&parts->base);
    loop_device_close(&parts->cow);
    loop_device_close(&parts->tail);
    cleanup_close(&parts->base_file);
    cleanup_close(&parts->cow_file);
    cleanup_close(&parts->tail_file);
}

static int open_files(const struct host *host, const char *vm_id, const struct snapshot_plan *plan,
                      struct parts *parts, banger_error *err)
{
    uint64_t cow_sectors = 0;
    parts->base_file = open_base(host, plan, err);
    if (parts->base_file < 0) {
        return -1;
    }
    parts->cow_file = open_own(host, vm_id, plan->cow, &cow_sectors, err);
    if (parts->cow_file < 0 || plan->tail == NULL) {
        return parts->cow_file < 0 ? -1 : 0;
    }
    parts->tail_file = open_own(host, vm_id, plan->tail, &parts->tail_sectors, err);
    return parts->tail_file < 0 ? -1 : 0;
}

static int make_loops(struct host *host, struct parts *parts, banger_error *err)
{
    if (loop_device_share(host, parts->base_file, &parts->base, err) < 0 ||
        loop_device_make(host, parts->cow_file, &parts->cow, err) < 0) {
        return -1;
    }
    return parts->tail_sectors > 0 ? loop_device_make(host, parts->tail_file, &parts->tail, err)
                                   : 0;
}

static int make_table(const struct host *host, const char *vm_id, const struct snapshot_plan *plan,
                      const struct parts *parts, banger_error *err)
{
    uint64_t base_sectors = plan->base_size / SECTOR;
    AUTO_FREE char *snapshot = str_format("%s %s " KIND " %" PRIu64, parts->base.path,
                                          parts->cow.path, plan->chunk / SECTOR);
    AUTO_FREE char *linear = str_format("%s 0", parts->tail.path);
    const struct dm_row rows[] = {
        {0, base_sectors, TARGET, snapshot},
        {base_sectors, parts->tail_sectors, "linear", linear},
    };
    return dm_create(host, vm_id, rows, parts->tail_sectors > 0 ? 2 : 1, err);
}

int snapshot_attach(struct host *host, const char *vm_id, const struct snapshot_plan *plan,
                    banger_error *err)
{
    AUTO(parts_close) struct parts parts = PARTS_INIT;
    if (open_files(host, vm_id, plan, &parts, err) < 0 || dm_remove(host, vm_id, err) < 0 ||
        make_loops(host, &parts, err) < 0 || failpoint("snapshot.attach", "loops-made", err) < 0) {
        return -1;
    }
    return make_table(host, vm_id, plan, &parts, err);
}

int snapshot_detach(const struct host *host, const char *vm_id, banger_error *err)
{
    return dm_remove(host, vm_id, err);
}

/* -- Status ----------------------------------------------------------------------------------------- */

/* "USED/TOTAL METADATA" in sectors, or a word (snapshot_status, drivers/md/dm-snap.c). */
static int read_status(const char *text, struct snapshot_status *status, banger_error *err)
{
    static const struct {
        const char *word;
        enum snapshot_state state;
    } words[] = {
        {"Overflow", SNAPSHOT_FULL},
        {"Invalid", SNAPSHOT_INVALID},
        {"Merge failed", SNAPSHOT_INVALID},
    };
    *status = (struct snapshot_status){.state = SNAPSHOT_OK};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(text, words[i].word) == 0) {
            status->state = words[i].state;
            return 0;
        }
    }
    if (sscanf(text, "%" SCNu64 "/%" SCNu64, &status->used, &status->total) != 2) {
        return error_set(err, BANGER_EIO, "a snapshot says '%.64s' of itself", text);
    }
    status->used *= SECTOR;
    status->total *= SECTOR;
    return 0;
}

int snapshot_status(const struct host *host, const char *vm_id, struct snapshot_status *status,
                    banger_error *err)
{
    AUTO_FREE char *text = NULL;
    banger_error failure = BANGER_ERROR_INIT;
    if (dm_status(host, vm_id, TARGET, &text, &failure) == 0) {
        return read_status(text, status, err);
    }
    if (failure.code == BANGER_ENOTFOUND) {
        *status = (struct snapshot_status){.state = SNAPSHOT_GONE};
        return 0;
    }
    error_join(err, &failure);
    return -1;
}
