/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tar_tree.h"

#include "archive_util.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "context.h"

#include <string.h>
#include <sys/stat.h>

#define READ_BLOCK ((size_t)256 * 1024)
#define ENTRIES_MAX 2000000

static struct archive *tar_open(const char *path, banger_error *err)
{
    struct archive *archive = archive_read_new();
    if (archive == NULL || archive_read_support_format_tar(archive) != ARCHIVE_OK) {
        (void)archive_read_free(archive);
        (void)error_set(err, BANGER_EINTERNAL, "libarchive cannot start");
        return NULL;
    }
    if (archive_read_open_filename(archive, path, READ_BLOCK) != ARCHIVE_OK) {
        (void)archive_fail(archive, err, "cannot read %s", path);
        (void)archive_read_free(archive);
        return NULL;
    }
    return archive;
}

/* A file's pieces. Between two of them a sparse tar may leave a gap: it is handed out as zeros. */
struct tar_source {
    struct archive *archive;
    la_int64_t at;
    const void *pending;
    size_t pending_length;
    la_int64_t pending_at;
};

static const char zeros[65536];

static int tar_next(void *context, const void **data, size_t *length, banger_error *err)
{
    struct tar_source *source = context;
    if (source->pending == NULL) {
        int status = archive_read_data_block(source->archive, &source->pending,
                                             &source->pending_length, &source->pending_at);
        if (status == ARCHIVE_EOF) {
            *length = 0;
            return 0;
        }
        if (status != ARCHIVE_OK) {
            return archive_fail(source->archive, err, "cannot unpack the tar archive");
        }
    }
    la_int64_t gap = source->pending_at - source->at;
    if (gap > 0) {
        *data = zeros;
        *length = gap < (la_int64_t)sizeof(zeros) ? (size_t)gap : sizeof(zeros);
    } else {
        *data = STEAL(source->pending);
        *length = source->pending_length;
    }
    source->at += (la_int64_t)*length;
    return 0;
}

static struct ext4_attr attr_of(struct archive_entry *entry)
{
    return (struct ext4_attr){
        .mode = archive_entry_perm(entry),
        .uid = (uid_t)archive_entry_uid(entry),
        .gid = (gid_t)archive_entry_gid(entry),
        .mtime = archive_entry_mtime(entry),
    };
}

static int entry_copy(struct archive *archive, struct archive_entry *entry, struct ext4 *fs,
                      const char *path, banger_error *err)
{
    struct ext4_attr attr = attr_of(entry);
    const char *target = archive_entry_hardlink(entry);
    if (target != NULL) {
        return ext4_hardlink(fs, path, target + (str_starts(target, "./") ? 2 : 0), err);
    }
    mode_t type = archive_entry_filetype(entry);
    struct tar_source source = {.archive = archive};
    switch (type) {
    case AE_IFDIR:
        return ext4_dir(fs, path, attr, err);
    case AE_IFREG:
        return ext4_file(fs, path, attr, tar_next, &source, err);
    case AE_IFLNK:
        return ext4_symlink(fs, path, attr, str_or(archive_entry_symlink(entry), ""), err);
    default:
        return ext4_node(fs, path, attr, type, archive_entry_rdev(entry), err);
    }
}

int tar_tree_copy(const struct image_context *context, const char *tar, struct ext4 *fs,
                  bool (*skip)(const char *path), banger_error *err)
{
    AUTO(archive_reader_free) struct archive *archive = tar_open(tar, err);
    if (archive == NULL) {
        return -1;
    }
    for (int entries = 0; entries < ENTRIES_MAX; entries++) {
        struct archive_entry *entry = NULL;
        int status = archive_read_next_header(archive, &entry);
        if (status == ARCHIVE_EOF) {
            return 0;
        }
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
            return archive_fail(archive, err, "cannot unpack the tar archive");
        }
        const char *path = str_or(archive_entry_pathname(entry), "");
        path += str_starts(path, "./") ? 2 : 0;
        if (context_check(context, err) < 0) {
            return -1;
        }
        if ((skip == NULL || !skip(path)) && entry_copy(archive, entry, fs, path, err) < 0) {
            return -1;
        }
    }
    return error_set(err, BANGER_EINVALID, "the tar archive holds more than %d files", ENTRIES_MAX);
}
