/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dm-snapshot: the root disk is the image itself, and beside it a file with what the VM has changed. It
 * is made in milliseconds whatever the image's size, on any file system, and all VMs of an image share
 * its pages in the host's memory.
 *
 * 1. `create` makes sparse files (disk.h). `attach` has the host make the device over them and the
 *    image (host operation snapshot.attach), journaled, and grows the ext4 in it where the disk has
 *    become larger. `cleanup` has it removed; the files stay.
 * 2. The image is never written to, and has to stay what it is: base.c.
 * 3. A VM's own file may become full. `health` sees it, and the message says what to do.
 */
#include "disk.h"

#include "root_disk.h"

#include <banger/json.h>
#include <banger/plugin.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIB INT64_C(1048576)
#define ROW_KIND "snapshot"
#define WARN_PERCENT 80
#define WARNED "warned" /* in this run */
#define DEVICE_MAX 64

/* -- The device ------------------------------------------------------------------------------------- */

/* core/host/dm.h has the rule. */
static void device_path(const struct banger_host *host, struct banger_call *call,
                        char path[DEVICE_MAX])
{
    (void)snprintf(path, DEVICE_MAX, "/dev/mapper/banger-%.12s-%.8s",
                   host->get_string(call, "host.instance", ""),
                   host->get_string(call, "vm.short_id", ""));
}

static int snapshot_check(const struct banger_host *host, struct banger_call *call)
{
    int64_t chunk = host->get_int(call, "config.chunk", 4096);
    int64_t limit = host->get_int(call, "config.cow_size", 0);

    if ((chunk & (chunk - 1)) != 0) {
        return host->fail(call, BANGER_EINVALID, "chunk is %" PRId64 " bytes: not a power of 2",
                          chunk);
    }
    if (limit != 0 && limit < MIB) {
        return host->fail(call, BANGER_EINVALID, "cow_size is %" PRId64 " bytes: 0, or at least 1M",
                          limit);
    }
    json_auto_t *result = banger_json_host_op(host, call, "snapshot.check", json_object());
    return result != NULL ? 0 : -1;
}

static int snapshot_create(const struct banger_host *host, struct banger_call *call)
{
    struct disk disk;
    int found = disk_load(host, call, &disk);

    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    return disk_make(host, call, &disk);
}

static int make_device(const struct banger_host *host, struct banger_call *call,
                       const struct disk *disk)
{
    json_t *args =
        json_pack("{s:s, s:I, s:I, s:s, s:I}", "base", host->get_string(call, "image.path", ""),
                  "base_size", (json_int_t)disk->base_size, "base_inode",
                  (json_int_t)disk->base_inode, "cow", disk->cow, "chunk", (json_int_t)disk->chunk);

    if (disk->size > disk->base_size) {
        (void)json_object_set_new(args, "tail", json_string(disk->tail));
    }
    json_auto_t *result = banger_json_host_op(host, call, "snapshot.attach", args);
    return result != NULL ? 0 : -1;
}

/* The file system follows the disk, when both are there for the first time. */
static int fit(const struct banger_host *host, struct banger_call *call, struct disk *disk,
               const char *device)
{
    if (disk->size <= disk->base_size || disk->grown == disk->size) {
        return 0;
    }
    if (root_disk_fit(host, call, device) < 0) {
        return -1;
    }
    disk->grown = disk->size;
    return disk_save(host, call, disk);
}

static int snapshot_attach(const struct banger_host *host, struct banger_call *call)
{
    char device[DEVICE_MAX];
    struct disk disk;
    int found = disk_load(host, call, &disk);
    int64_t row;

    if (found <= 0) {
        return found < 0 ? -1 : host->fail(call, BANGER_ECORRUPT, "%s is gone", disk.record);
    }
    if (base_verify(host, call, &disk) < 0 || disk_enlarge_cow(host, call, &disk) < 0 ||
        disk_revive(host, call, &disk) < 0) {
        return -1;
    }
    device_path(host, call, device);
    row = host->resource_intend(call, ROW_KIND, device, NULL);
    if (row < 0 || make_device(host, call, &disk) < 0 || host->resource_held(call, row, NULL) < 0) {
        return -1;
    }
    return fit(host, call, &disk, device);
}

static int snapshot_contribute(const struct banger_host *host, struct banger_call *call)
{
    char device[DEVICE_MAX];

    device_path(host, call, device);
    return banger_json_contribute(host, call, "drives",
                                  json_pack("[{s:s, s:s, s:b, s:b, s:s}]", "id", "rootfs", "path",
                                            device, "root", 1, "read_only", 0, "format", "raw"));
}

static int snapshot_cleanup(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *rows = banger_json_get(host, call, "resources");
    int result = 0;
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row) {
        json_auto_t *answer = banger_json_host_op(host, call, "snapshot.detach", json_object());
        if (answer == NULL ||
            host->resource_gone(call, json_integer_value(json_object_get(row, "id"))) < 0) {
            result = -1;
        }
    }
    return result;
}

/* The files alone: the file system grows at the next attach. */
static int snapshot_resize(const struct banger_host *host, struct banger_call *call)
{
    struct disk disk;
    int found = disk_load(host, call, &disk);

    if (found <= 0) {
        return found; /* never started: create will give it the new size */
    }
    return disk_extend(host, call, &disk, host->get_int(call, "vm.disk_mib", 0) * MIB);
}

/* -- Health ----------------------------------------------------------------------------------------- */

static int fail_full(const struct banger_host *host, struct banger_call *call)
{
    struct disk disk;
    struct stat status = {0};

    if (disk_load(host, call, &disk) > 0) {
        (void)stat(disk.cow, &status);
    }
    host->hint(
        call,
        "set plugins[\"dm-snapshot\"].cow_size in config.lua to more (0: as much as the disk can "
        "need), restart the daemon and start the VM: what it wrote before is still there");
    return host->fail(call, BANGER_EFULL,
                      "its root disk is full: the %" PRId64
                      " MiB of %s, which take what it changes "
                      "of its image, are used up",
                      (int64_t)status.st_size / MIB, disk.cow);
}

static int fail_invalid(const struct banger_host *host, struct banger_call *call)
{
    host->hint(call,
               "the kernel's log has the reason; where the file system was full, free some space "
               "and start the VM: it finds its disk as after a power cut");
    return host->fail(call, BANGER_EIO,
                      "its root disk failed: the kernel could not write to rootfs.cow in %s",
                      host->get_string(call, "vm.dir", "its folder"));
}

/* Once a run. */
static int warn_filling(const struct banger_host *host, struct banger_call *call, int64_t used,
                        int64_t total)
{
    struct disk disk;
    char *data;

    if (host->get_bool(call, "runtime.dm-snapshot." WARNED, 0) ||
        disk_load(host, call, &disk) <= 0 || !disk_may_overflow(&disk)) {
        return 0;
    }
    host->log(call, BANGER_LOG_WARN,
              "the root disk of %s has used %" PRId64 " of the %" PRId64
              " MiB for what it changes of its image: cow_size gives it more at its next start",
              host->get_string(call, "vm.name", "?"), used / MIB, total / MIB);
    data = banger_json_text(
        host, call, json_pack("{s:I, s:I}", "used", (json_int_t)used, "total", (json_int_t)total));
    if (data != NULL) {
        (void)host->emit(call, "filling", data);
    }
    free(data);
    return banger_json_store(host, call, WARNED, json_true());
}

static int snapshot_health(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *status = banger_json_host_op(host, call, "snapshot.status", json_object());
    const char *state = "";
    json_int_t used = 0, total = 0;

    if (status == NULL) {
        return 0; /* not knowing is no reason to end a VM */
    }
    (void)json_unpack(status, "{s:s, s:I, s:I}", "state", &state, "used", &used, "total", &total);
    if (strcmp(state, "full") == 0) {
        return fail_full(host, call);
    }
    if (strcmp(state, "invalid") == 0) {
        return fail_invalid(host, call);
    }
    if (strcmp(state, "gone") == 0) {
        return host->fail(call, BANGER_EIO,
                          "its root disk is gone: somebody has removed its device");
    }
    return total > 0 && used * 100 >= total * WARN_PERCENT ? warn_filling(host, call, used, total)
                                                           : 0;
}

/* -- The descriptor --------------------------------------------------------------------------------- */

/* chunk: 4 KiB is ext4's block and the host's page. What the guest writes is then whole chunks, which
 * need not be copied from the image first (snapshot_map, drivers/md/dm-snap.c). Larger ones make the
 * kernel's table smaller: it has 32 bytes of memory for each chunk that was changed. */
/* clang-format off */
static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]), .type = BANGER_CONFIG_SIZE, .name = "chunk", .default_value = "4K",
     .help = "what is copied at once when the guest first writes to it; of disks made from now on",
     .minimum = 4096, .maximum = 512 * 1024},
    {.size = sizeof(keys[0]), .type = BANGER_CONFIG_SIZE, .name = "cow_size", .default_value = "0",
     .help = "how much of its image a VM may change, 1M or more; 0: all of it",
     .minimum = 0, .maximum = INT64_C(1) << 46},
};
/* clang-format on */

static const char *const needs[] = {"drive:block", NULL};

static const struct banger_rootfs rootfs = {
    .size = sizeof(rootfs),
    .rank = 200,
    .needs = needs,
    .check = snapshot_check,
    .create = snapshot_create,
    .attach = snapshot_attach,
    .contribute = snapshot_contribute,
    .cleanup = snapshot_cleanup,
    .resize = snapshot_resize,
    .health = snapshot_health,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "dm-snapshot",
    .version = BANGER_VERSION,
    .summary = "root disks that share the image's blocks on any file system (device-mapper, root)",
    .license = "LGPL-2.1-or-later",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .rootfs = &rootfs,
};

BANGER_PLUGIN(&plugin)
