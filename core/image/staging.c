/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "staging.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#define STAGING_SUFFIX ".staging"
#define DIR_MODE 0700 /* a root file system holds what its guests may not show to others */

static const char *const kind_names[] = {
    [STAGING_IMAGE] = "image",
    [STAGING_KERNEL] = "kernel",
};

static char *final_dir(const struct layout *layout, enum staging_kind kind, const char *id)
{
    return kind == STAGING_IMAGE ? layout_image_dir(layout, id) : layout_kernel_dir(layout, id);
}

static char *staging_dir(const char *final)
{
    return str_format("%s" STAGING_SUFFIX, final);
}

static json_t *staging_attrs(enum staging_kind kind, const char *id)
{
    return json_pack("{s:s, s:s}", "type", kind_names[kind], "id", id);
}

static int staging_make(struct staging *staging, banger_error *err)
{
    AUTO_FREE char *parent = xstrdup(staging->dir);
    *strrchr(parent, '/') = '\0';
    if (dir_make(parent, DIR_MODE, err) < 0) {
        return -1;
    }
    if (mkdir(staging->dir, DIR_MODE) < 0) {
        return error_sys(err, errno, "cannot create the folder %s", staging->dir);
    }
    if (failpoint_write("staging", "made", err) < 0) {
        return -1;
    }
    return journal_held(staging->context->store, staging->journal_id, NULL, err);
}

int staging_begin(const struct image_context *context, enum staging_kind kind,
                  struct staging *staging, banger_error *err)
{
    *staging = (struct staging){.context = context, .kind = kind};
    id_new(staging->id);
    staging->final = final_dir(context->layout, kind, staging->id);
    staging->dir = staging_dir(staging->final);
    AUTO_JSON json_t *attrs = staging_attrs(kind, staging->id);
    int64_t row = journal_intend(context->store, NULL, STAGING_OWNER, STAGING_RESOURCE,
                                 staging->final, attrs, err);
    if (row < 0) {
        return -1;
    }
    staging->journal_id = row;
    return staging_make(staging, err);
}

char *staging_path(const struct staging *staging, const char *name)
{
    return str_format("%s/%s", staging->dir, name);
}

char *staging_target(const struct staging *staging, const char *name)
{
    return str_format("%s/%s", staging->final, name);
}

int staging_worker(struct staging *staging, const struct process_id *process, banger_error *err)
{
    AUTO_JSON json_t *attrs = staging_attrs(staging->kind, staging->id);
    json_t *worker = json_pack("{s:i, s:I, s:s}", "pid", (int)process->pid, "start_ticks",
                               (json_int_t)process->start_ticks, "boot_id", process->boot_id);
    json_object_set_new(attrs, "worker", worker);
    return journal_held(staging->context->store, staging->journal_id, attrs, err);
}

/* The record must never be there before its files are: after a power cut too. */
static int sync_folder(const char *path, banger_error *err)
{
    AUTO_CLOSEDIR DIR *dir = opendir(path);
    if (dir == NULL) {
        return error_sys(err, errno, "cannot open the folder %s", path);
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        AUTO_CLOSE int fd =
            openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 || fsync(fd) < 0) {
            return error_sys(err, errno, "cannot sync %s/%s", path, entry->d_name);
        }
    }
    if (fsync(dirfd(dir)) < 0) {
        return error_sys(err, errno, "cannot sync the folder %s", path);
    }
    return 0;
}

static int commit_record(struct staging *staging, staging_insert_fn insert, const void *record,
                         banger_error *err)
{
    struct store *store = staging->context->store;
    if (store_begin(store, err) < 0) {
        return -1;
    }
    if (insert(store, record, err) < 0 || failpoint_write("staging", "recorded", err) < 0 ||
        journal_gone(store, staging->journal_id, err) < 0) {
        store_rollback(store);
        return -1;
    }
    if (store_commit(store, err) < 0) { /* it has rolled back */
        return -1;
    }
    failpoint_kill("staging", "committed");
    staging->journal_id = 0;
    return 0;
}

int staging_commit(struct staging *staging, staging_insert_fn insert, const void *record,
                   banger_error *err)
{
    if (failpoint_write("staging", "written", err) < 0 || sync_folder(staging->dir, err) < 0 ||
        failpoint("staging", "synced", err) < 0 ||
        dir_publish(staging->dir, staging->final, err) < 0 ||
        failpoint("staging", "published", err) < 0) {
        return -1;
    }
    return commit_record(staging, insert, record, err);
}

/* Removes both names of a folder, then its row; a row that stays is seen to at the next start. */
static int remove_folders(struct store *store, int64_t journal_id, const char *final,
                          banger_error *err)
{
    AUTO_FREE char *dir = staging_dir(final);
    if (failpoint("staging", "removing", err) < 0 || dir_remove(dir, err) < 0 ||
        dir_remove(final, err) < 0 || failpoint("staging", "removed", err) < 0) {
        return -1;
    }
    return journal_gone(store, journal_id, err);
}

void staging_end(struct staging *staging)
{
    banger_error err = BANGER_ERROR_INIT;
    if (staging->journal_id > 0 &&
        remove_folders(staging->context->store, staging->journal_id, staging->final, &err) < 0) {
        log_warn("cleaning up %s: %s", staging->final, err.message);
    }
    free(staging->dir);
    free(staging->final);
    *staging = STAGING_INIT;
}

static int64_t journal_and_remove(const struct image_context *context, enum staging_kind kind,
                                  const char *id, const char *final, staging_remove_fn remove,
                                  banger_error *err)
{
    AUTO_JSON json_t *attrs = staging_attrs(kind, id);
    if (store_begin(context->store, err) < 0) {
        return -1;
    }
    int64_t row =
        journal_intend(context->store, NULL, STAGING_OWNER, STAGING_RESOURCE, final, attrs, err);
    if (row < 0 || remove(context->store, id, err) < 0) {
        store_rollback(context->store);
        return -1;
    }
    return store_commit(context->store, err) < 0 ? -1 : row;
}

int staging_delete(const struct image_context *context, enum staging_kind kind, const char *id,
                   staging_remove_fn remove, banger_error *err)
{
    AUTO_FREE char *final = final_dir(context->layout, kind, id);
    int64_t row = journal_and_remove(context, kind, id, final, remove, err);
    if (row < 0) {
        return -1;
    }
    if (remove_folders(context->store, row, final, err) < 0) {
        (void)error_prefix(err, "the %s is deleted, but not its files: ", kind_names[kind]);
        return error_hint(err, "the daemon's next start (banger daemon stop) tries again");
    }
    return 0;
}

/* -- After a crash ----------------------------------------------------------------------------- */

static int parse_row(const struct resource *resource, const struct layout *layout,
                     enum staging_kind *kind, const char **id, banger_error *err)
{
    const char *type = json_get_string(resource->attrs, "type", "");
    *id = json_get_string(resource->attrs, "id", "");
    *kind = str_equal(type, kind_names[STAGING_KERNEL]) ? STAGING_KERNEL : STAGING_IMAGE;
    bool sound = str_equal(type, kind_names[*kind]) && strlen(*id) == ID_LENGTH &&
                 strspn(*id, "0123456789abcdef") == ID_LENGTH;
    AUTO_FREE char *final = sound ? final_dir(layout, *kind, *id) : NULL;
    if (!sound || !str_equal(final, resource->key)) {
        return error_set(err, BANGER_ECORRUPT,
                         "the journal names %s as an unfinished image or kernel: that is no folder "
                         "of ours, it is left alone",
                         resource->key);
    }
    return 0;
}

static int has_record(struct store *store, enum staging_kind kind, const char *id,
                      banger_error *err)
{
    banger_error why = BANGER_ERROR_INIT;
    int found = -1;
    if (kind == STAGING_IMAGE) {
        struct image_record image = {0};
        found = image_find(store, id, &image, &why);
        image_record_free(&image);
    } else {
        struct kernel_record kernel = {0};
        found = kernel_find(store, id, &kernel, &why);
        kernel_record_free(&kernel);
    }
    if (found == 0) {
        return 1;
    }
    if (why.code == BANGER_ENOTFOUND) {
        return 0;
    }
    error_join(err, &why);
    return -1;
}

#define WORKER_TERM_MS 5000 /* mmdebstrap unmounts and removes its own folder when asked to end */

static void end_worker(const json_t *worker)
{
    struct process_id process = {
        .pid = (pid_t)json_get_int(worker, "pid", 0),
        .start_ticks = (uint64_t)json_get_int(worker, "start_ticks", 0),
    };
    (void)snprintf(process.boot_id, sizeof(process.boot_id), "%s",
                   json_get_string(worker, "boot_id", ""));
    if (process.pid <= 1) {
        return;
    }
    AUTO_CLOSE int pidfd = process_open(&process, NULL);
    if (pidfd < 0) {
        return; /* it has ended, or the PID is a stranger's */
    }
    (void)pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
    if (process_wait(pidfd, deadline_in(WORKER_TERM_MS), NULL, NULL) < 0) {
        (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        (void)process_wait(pidfd, deadline_in(WORKER_TERM_MS), NULL, NULL);
    }
}

int staging_release(struct store *store, const struct layout *layout,
                    const struct resource *resource, banger_error *err)
{
    enum staging_kind kind = STAGING_IMAGE;
    const char *id = NULL;
    if (parse_row(resource, layout, &kind, &id, err) < 0) {
        return -1;
    }
    int recorded = has_record(store, kind, id, err);
    if (recorded < 0) {
        return -1;
    }
    if (recorded > 0) {
        return journal_gone(store, resource->id, err);
    }
    end_worker(json_object_get(resource->attrs, "worker"));
    return remove_folders(store, resource->id, resource->key, err);
}
