/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "context.h"
#include "digest.h"
#include "ext4.h"
#include "image_build.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ROOTFS "rootfs.ext4"
#define COPY_STEP ((off_t)64 * 1024 * 1024) /* between two looks at `cancelled` */

/* -- What every image begins and ends with ------------------------------------------------------
 */

/* Early, so that no work is done in vain; the insert is what decides. */
static int name_check_free(struct store *store, const char *name, banger_error *err)
{
    struct image_record known = {0};
    bool taken = image_find(store, name, &known, NULL) == 0 && str_equal(known.name, name);
    image_record_free(&known);
    if (taken) {
        (void)error_set(err, BANGER_EEXISTS, "an image named %s exists", name);
        return error_hint(err, "choose another name, or delete it first: banger image delete %s",
                          name);
    }
    return 0;
}

int image_build_begin(const struct image_context *context, const char *name,
                      struct staging *staging, banger_error *err)
{
    if (name_check_artifact("image name", name, err) < 0 ||
        name_check_free(context->store, name, err) < 0 || context_check(context, err) < 0) {
        return -1;
    }
    return staging_begin(context, STAGING_IMAGE, staging, err);
}

char *image_build_rootfs(const struct staging *staging)
{
    return staging_path(staging, ROOTFS);
}

static int insert_record(struct store *store, const void *record, banger_error *err)
{
    return image_insert(store, record, err);
}

static int rootfs_measure(const struct staging *staging, struct image_record *image,
                          banger_error *err)
{
    AUTO_FREE char *path = image_build_rootfs(staging);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0) {
        return error_sys(err, errno, "cannot open %s", path);
    }
    image->size_bytes = info.st_size;
    return digest_file(staging->context, fd, image->digest, err);
}

int image_build_finish(struct staging *staging, const char *name, const char *origin,
                       struct image_record *image, banger_error *err)
{
    struct image_record record = {0};
    context_progress(staging->context, "taking the digest");
    if (rootfs_measure(staging, &record, err) < 0) {
        return -1;
    }
    memcpy(record.id, staging->id, sizeof(record.id));
    (void)snprintf(record.name, sizeof(record.name), "%s", name);
    record.path = staging_target(staging, ROOTFS);
    record.origin = xstrdup(origin);
    record.created_ms = clock_wall_ms();
    if (staging_commit(staging, insert_record, &record, err) < 0) {
        image_record_free(&record);
        return -1;
    }
    *image = record;
    return 0;
}

/* -- Files of the user's ----------------------------------------------------------------------- */

/* In steps, since a copy can take seconds: each takes the holes of its stretch along. */
static int copy_steps(const struct image_context *context, int from, int to, off_t size,
                      banger_error *err)
{
    for (off_t done = 0; done < size; done += COPY_STEP) {
        off_t step = size - done < COPY_STEP ? size - done : COPY_STEP;
        if (context_check(context, err) < 0 || fd_copy_sparse(from, to, step, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int rootfs_copy(const struct staging *staging, int from, banger_error *err)
{
    AUTO_FREE char *path = image_build_rootfs(staging);
    AUTO_CLOSE int to = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct stat info;
    if (to < 0 || fstat(from, &info) < 0) {
        return error_sys(err, errno, "cannot create %s", path);
    }
    return copy_steps(staging->context, from, to, info.st_size, err);
}

/* The copy is checked too: the file may have been written to meanwhile. */
static int register_run(struct staging *staging, int from, const char *path, banger_error *err)
{
    AUTO_FREE char *rootfs = image_build_rootfs(staging);
    context_progress(staging->context, "copying %s", path);
    if (rootfs_copy(staging, from, err) < 0) {
        return error_prefix(err, "%s: ", path);
    }
    return failpoint_write("image.register", "copied", err) < 0 ? -1
                                                                : ext4_check(rootfs, path, err);
}

int image_register(struct image_context *context, const char *path, const char *name,
                   struct image_record *image, banger_error *err)
{
    AUTO_STAGING struct staging staging = STAGING_INIT;
    AUTO_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0) {
        return error_sys(err, errno, "cannot open the root file system %s", path);
    }
    AUTO_FREE char *same = str_format("/proc/self/fd/%d", from);
    AUTO_FREE char *origin = str_format("register %s", path);
    if (name_check_artifact("image name", name, err) < 0 || ext4_check(same, path, err) < 0 ||
        image_build_begin(context, name, &staging, err) < 0 ||
        register_run(&staging, from, path, err) < 0) {
        return -1;
    }
    return image_build_finish(&staging, name, origin, image, err);
}

int image_delete(struct image_context *context, const char *reference, banger_error *err)
{
    struct image_record image = {0};
    if (image_find(context->store, reference, &image, err) < 0) {
        return -1;
    }
    int result = staging_delete(context, STAGING_IMAGE, image.id, image_remove, err);
    image_record_free(&image);
    return result;
}
