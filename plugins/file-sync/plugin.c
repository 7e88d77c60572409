/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file-sync: files and folders of the host's in every guest, copied at each start.
 *
 * 1. When the daemon starts, every entry is checked; a bad one ends the start and is named.
 * 2. When a machine is composed, every place in the guest must be on a disk that the VM keeps apart from
 *    its root (work-disk's), or below /root where there is none: nothing of the image is replaced.
 * 3. When the guest's agent answers, what is there on the host is copied; what is not is passed over
 *    with a warning.
 */
#include "entry.h"

#include <banger/plugin.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WITHOUT_WORK_DISK "/root"

typedef int (*entry_visit)(const struct banger_host *host, struct banger_call *call,
                           const struct entry *entry, size_t index);

static int each_entry(const struct banger_host *host, struct banger_call *call, entry_visit visit)
{
    json_auto_t *entries = banger_json_get(host, call, "config.entries");
    struct entry entry;
    size_t index;
    json_t *value;

    if (entries != NULL && !json_is_array(entries) && json_object_size(entries) > 0) {
        return host->fail(call, BANGER_EINVALID, "entries must be a list of tables");
    }
    json_array_foreach (entries, index, value) {
        if (entry_parse(host, call, value, index, &entry) < 0 ||
            visit(host, call, &entry, index) < 0) {
            return -1;
        }
    }
    return 0;
}

static int entry_is_fine(const struct banger_host *host, struct banger_call *call,
                         const struct entry *entry, size_t index)
{
    (void)host;
    (void)call;
    (void)entry;
    (void)index;
    return 0;
}

static int file_sync_start(const struct banger_host *host, struct banger_call *call)
{
    return each_entry(host, call, entry_is_fine);
}

static bool is_below(const char *path, const char *folder, size_t length)
{
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* `mount` is "DEVICE POINT TYPE FLAGS". */
static bool is_on(const char *path, const char *mount)
{
    const char *point = strchr(mount, ' ');

    return point != NULL && is_below(path, point + 1, strcspn(point + 1, " "));
}

static int check_place(const struct banger_host *host, struct banger_call *call,
                       const struct entry *entry, size_t index)
{
    json_auto_t *mounts = banger_json_get(host, call, "machine.guest.conf.mount");
    bool good = json_array_size(mounts) == 0 &&
                is_below(entry->guest, WITHOUT_WORK_DISK, strlen(WITHOUT_WORK_DISK));
    size_t i;
    json_t *mount;

    json_array_foreach (mounts, i, mount) {
        good = good || is_on(entry->guest, json_string_value(mount));
    }
    if (good) {
        return 0;
    }
    host->hint(call,
               "change plugins[\"file-sync\"].entries in config.lua, or the work disk's mount");
    return host->fail(
        call, BANGER_EINVALID, "entries[%zu]: invalid guest \"%s\": it must be below %s", index + 1,
        entry->guest,
        json_array_size(mounts) > 0 ? "the mount of the VM's work disk" : WITHOUT_WORK_DISK);
}

/* Contributes nothing: it is the first moment at which all disks are known, and `vm plan` has it too. */
static int file_sync_contribute(const struct banger_host *host, struct banger_call *call)
{
    return each_entry(host, call, check_place);
}

static int copy_entry(const struct banger_host *host, struct banger_call *call,
                      const struct entry *entry, size_t index)
{
    json_t *request;
    char text[PATH_MAX + 64];
    char *json;
    int result;

    (void)index;
    if (access(entry->host, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        (void)snprintf(text, sizeof(text), "warning: %s is not there and was passed over",
                       entry->host);
        host->progress(call, text);
        host->log(call, BANGER_LOG_WARN, "%s is not there and was passed over", entry->host);
        return 0;
    }
    request = json_pack("{s:s, s:s}", "source", entry->host, "path", entry->guest);
    if (request != NULL && entry->mode != 0) {
        json_object_set_new(request, "mode", json_integer(entry->mode));
    }
    json = banger_json_text(host, call, request);
    result = json == NULL ? -1 : host->guest_copy(call, json);
    free(json);
    if (result < 0 && host->remaining_ms(call) == 0) {
        host->hint(call, "give it more time: plugins[\"file-sync\"].timeout in config.lua");
    }
    return result;
}

static int file_sync_post_start(const struct banger_host *host, struct banger_call *call)
{
    if (!BANGER_HAS(host, guest_copy)) {
        return host->fail(call, BANGER_EUNSUPPORTED, "this banger cannot copy into guests");
    }
    return each_entry(host, call, copy_entry);
}

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_JSON,
     .name = "entries",
     .default_value = "[]",
     .help = "what is copied into guests at each start: { { host = PATH, guest = PATH, mode = "
             "\"0600\" }, ... }"},
};

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .contributeMachineConfig = file_sync_contribute,
    .postStart = file_sync_post_start,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "file-sync",
    .version = BANGER_VERSION,
    .summary = "copies files and folders of the host's into guests at each start",
    .license = "LGPL-2.1-or-later",
    .after = (const char *const[]){"work-disk?", NULL},
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
    .start = file_sync_start,
};

BANGER_PLUGIN(&plugin)
