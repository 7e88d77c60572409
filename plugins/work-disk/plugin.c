/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * work-disk: a second disk for what people work on. The root may be replaced with the next image; what
 * lies here is the VM's own until it is deleted. There is one where `size` or `seed` is configured.
 *
 * Its size is the larger of `size` and the VM's --disk-size: both disks take only what is written to
 * them, so that one number a VM says how much it may keep, and no second option is needed for what
 * nobody would set differently. It is applied at the next start and never falls.
 */
#include "disk.h"

#include <banger/json.h>
#include <banger/plugin.h>
#include <stdio.h>
#include <string.h>

#define MIB INT64_C(1048576)
#define BLOCK INT64_C(4096)
#define POINT_MAX 255

/* -- Where it is mounted --------------------------------------------------------------------------
 */

static bool is_plain_path(const char *path)
{
    if (path[0] != '/' || strlen(path) > POINT_MAX) {
        return false;
    }
    for (const char *at = path; *at != '\0';) {
        size_t length = strcspn(at + 1, "/");

        if (length == 0 || strncmp(at, "/.", length + 1) == 0 ||
            strncmp(at, "/..", length + 1) == 0) {
            return false;
        }
        at += 1 + length;
    }
    for (const char *at = path; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f) {
            return false; /* guest.conf separates by blanks */
        }
    }
    return true;
}

/* Why nothing can be mounted there; NULL: it can. */
static const char *reason_against(const char *point)
{
    static const struct {
        const char *path;
        bool below; /* what lies below it neither */
        const char *reason;
    } rows[] = {
        {"/proc", true, "the kernel's files are there"},
        {"/sys", true, "the kernel's files are there"},
        {"/dev", true, "the devices are there"},
        {"/run", true, "what every boot makes anew is there"},
        {"/tmp", true, "what every boot makes anew is there"},
        {"/banger", true, "the agent's own files are there"},
        {"/etc", false, "it would hide the image's own files"},
        {"/usr", false, "it would hide the image's own files"},
        {"/bin", false, "it would hide the image's own files"},
        {"/sbin", false, "it would hide the image's own files"},
        {"/lib", false, "it would hide the image's own files"},
        {"/lib64", false, "it would hide the image's own files"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t length = strlen(rows[i].path);

        if (strncmp(point, rows[i].path, length) == 0 &&
            (point[length] == '\0' || (rows[i].below && point[length] == '/'))) {
            return rows[i].reason;
        }
    }
    return NULL;
}

static int check_point(const struct banger_host *host, struct banger_call *call)
{
    const char *point = host->get_string(call, "config.mount", "");
    const char *reason;

    if (!is_plain_path(point)) {
        return host->fail(call, BANGER_EINVALID,
                          "invalid mount '%.*s': it must be an absolute path such as /root, other "
                          "than /, without '.', '..', blanks and a '/' at its end",
                          POINT_MAX, point);
    }
    reason = reason_against(point);
    return reason == NULL
               ? 0
               : host->fail(call, BANGER_EINVALID, "invalid mount '%s': %s", point, reason);
}

/* -- The hooks ------------------------------------------------------------------------------------
 */

static bool is_on(const struct banger_host *host, struct banger_call *call)
{
    return host->get_int(call, "config.size", 0) > 0 ||
           *host->get_string(call, "config.seed", "") != '\0';
}

static int work_disk_start(const struct banger_host *host, struct banger_call *call)
{
    const char *seed = host->get_string(call, "config.seed", "");

    if (*seed != '\0' && *seed != '/') {
        return host->fail(call, BANGER_EINVALID,
                          "invalid seed '%.255s': it must be an absolute path", seed);
    }
    return check_point(host, call);
}

static int describe(const struct banger_host *host, struct banger_call *call,
                    struct work_disk *disk)
{
    const char *dir = host->get_string(call, "vm.dir", NULL);
    int64_t configured = host->get_int(call, "config.size", 0);
    int64_t asked = host->get_int(call, "vm.disk_mib", 0) * MIB;

    disk->seed = host->get_string(call, "config.seed", NULL);
    disk->seed = disk->seed != NULL && *disk->seed != '\0' ? disk->seed : NULL;
    disk->bytes = configured > asked ? configured : asked;
    disk->bytes -= disk->bytes % BLOCK;
    disk->private = strcmp(host->get_string(call, "config.mount", ""), "/root") == 0;
    if (dir == NULL) {
        return host->fail(call, BANGER_EINTERNAL, "the VM has no folder");
    }
    if (snprintf(disk->path, sizeof(disk->path), "%s/work.img", dir) >= (int)sizeof(disk->path)) {
        return host->fail(call, BANGER_EINVALID, "the path of the VM's folder is too long: %s",
                          dir);
    }
    return 0;
}

static int work_disk_check(const struct banger_host *host, struct banger_call *call)
{
    struct work_disk disk;

    if (!is_on(host, call) || host->get_string(call, "vm.dir", NULL) == NULL) {
        return 0;
    }
    return describe(host, call, &disk) < 0 ? -1 : disk_check(host, call, &disk);
}

static int work_disk_prepare(const struct banger_host *host, struct banger_call *call)
{
    struct work_disk disk;

    if (!is_on(host, call)) {
        return 0;
    }
    return describe(host, call, &disk) < 0 ? -1 : disk_ensure(host, call, &disk);
}

/* VMMs give the guest the root drive first and then the others in the order of their contribution, so
 * that those before this one tell its letter. */
static int device_letter(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *drives = banger_json_get(host, call, "machine.drives");
    size_t before = json_array_size(drives);

    if (before == 0 || before > 25) {
        return host->fail(call, BANGER_EINTERNAL, "there are %zu drives before the work disk",
                          before);
    }
    return 'a' + (int)before;
}

static int work_disk_contribute(const struct banger_host *host, struct banger_call *call)
{
    struct work_disk disk;
    int letter;

    if (!is_on(host, call)) {
        return 0;
    }
    letter = device_letter(host, call);
    if (letter < 0 || describe(host, call, &disk) < 0 ||
        banger_json_contribute(host, call, "drives",
                               json_pack("[{s:s, s:s, s:b, s:s}]", "id", "work", "path", disk.path,
                                         "read_only", 0, "format", "raw")) < 0) {
        return -1;
    }
    return banger_json_contribute(
        host, call, "guest.conf",
        json_pack("{s:[o]}", "mount",
                  json_sprintf("/dev/vd%c %s ext4 rw grow", letter,
                               host->get_string(call, "config.mount", ""))));
}

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_SIZE,
     .name = "size",
     .minimum = 64 * MIB, /* mke2fs gives smaller ones no journal worth its name */
     .maximum = INT64_C(64) << 40,
     .help =
         "gives each VM a work disk of at least this size, sparse; --disk-size makes it larger"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_STRING,
     .name = "seed",
     .help = "gives each VM a work disk: a copy of this ext4 file; without it they begin empty"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_STRING,
     .name = "mount",
     .default_value = "/root",
     .help = "where guests have it"},
};

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .check = work_disk_check,
    .prepare = work_disk_prepare,
    .contributeMachineConfig = work_disk_contribute,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "work-disk",
    .version = BANGER_VERSION,
    .summary = "a second disk, at /root or elsewhere, that is kept until the VM is deleted",
    .license = "LGPL-2.1-or-later",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
    .start = work_disk_start,
};

BANGER_PLUGIN(&plugin)
