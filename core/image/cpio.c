/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpio.h"

#include "archive_util.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX ((off_t)256 * 1024 * 1024) /* an initramfs lives in the guest's memory */
#define PARENT_MODE 0755

struct cpio {
    struct archive *archive;
    json_t *seen; /* path without the leading slash: true for a folder */
};

struct cpio *cpio_open(int fd, banger_error *err)
{
    struct archive *archive = archive_write_new();
    if (archive == NULL) {
        (void)error_set(err, BANGER_EINTERNAL, "libarchive cannot start");
        return NULL;
    }
    if (archive_write_set_format_cpio_newc(archive) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
        archive_write_open_fd(archive, fd) != ARCHIVE_OK) {
        (void)archive_fail(archive, err, "cannot write a cpio archive");
        (void)archive_write_free(archive);
        return NULL;
    }
    struct cpio *cpio = xcalloc(1, sizeof(*cpio));
    cpio->archive = archive;
    cpio->seen = json_object();
    return cpio;
}

void cpio_close(struct cpio *cpio)
{
    if (cpio == NULL) {
        return;
    }
    (void)archive_write_free(cpio->archive);
    json_decref(cpio->seen);
    free(cpio);
}

int cpio_finish(struct cpio *cpio, banger_error *err)
{
    if (archive_write_close(cpio->archive) != ARCHIVE_OK) {
        return archive_fail(cpio->archive, err, "cannot finish a cpio archive");
    }
    return 0;
}

static struct archive_entry *entry_make(const char *path, mode_t type, struct cpio_owner owner,
                                        off_t size)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_mode(entry, type | (owner.mode & 07777));
    archive_entry_set_uid(entry, owner.uid);
    archive_entry_set_gid(entry, owner.gid);
    archive_entry_set_size(entry, size);
    archive_entry_set_nlink(entry, 1); /* more would make the kernel look for hard links */
    archive_entry_set_mtime(entry, 0, 0);
    return entry;
}

static int header_write(struct cpio *cpio, struct archive_entry *entry, banger_error *err)
{
    if (archive_write_header(cpio->archive, entry) != ARCHIVE_OK) {
        return archive_fail(cpio->archive, err, "cannot add %s to a cpio archive",
                            archive_entry_pathname(entry));
    }
    return 0;
}

static int folder_add(struct cpio *cpio, const char *path, struct cpio_owner owner,
                      banger_error *err)
{
    AUTO(archive_entry_drop) struct archive_entry *entry = entry_make(path, S_IFDIR, owner, 0);
    json_object_set_new(cpio->seen, path, json_true());
    return header_write(cpio, entry, err);
}

static int parents_add(struct cpio *cpio, const char *path, banger_error *err)
{
    AUTO_FREE char *copy = xstrdup(path);
    for (char *slash = strchr(copy, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const json_t *seen = json_object_get(cpio->seen, copy);
        if (seen == NULL &&
            folder_add(cpio, copy, (struct cpio_owner){.mode = PARENT_MODE}, err) < 0) {
            return -1;
        }
        if (seen != NULL && !json_is_true(seen)) {
            return error_set(err, BANGER_EINVALID,
                             "'/%s' is to be a file and the folder of '/%s' at once", copy, path);
        }
        *slash = '/';
    }
    return 0;
}

/* Notes the path, refuses it the second time, and gives it its parents. */
static int path_claim(struct cpio *cpio, const char **path, banger_error *err)
{
    *path += strspn(*path, "/");
    if (json_object_get(cpio->seen, *path) != NULL) {
        return error_set(err, BANGER_EINVALID, "'/%s' is given twice", *path);
    }
    if (parents_add(cpio, *path, err) < 0) {
        return -1;
    }
    if (json_object_set_new(cpio->seen, *path, json_false()) < 0) {
        return error_set(err, BANGER_EINVALID, "'/%s' is not UTF-8", *path);
    }
    return 0;
}

int cpio_dir(struct cpio *cpio, const char *path, struct cpio_owner owner, banger_error *err)
{
    if (path_claim(cpio, &path, err) < 0) {
        return -1;
    }
    return folder_add(cpio, path, owner, err);
}

static int content_write(struct cpio *cpio, const void *data, size_t length, banger_error *err)
{
    if (archive_write_data(cpio->archive, data, length) != (la_ssize_t)length) {
        return archive_fail(cpio->archive, err, "cannot write to a cpio archive");
    }
    return 0;
}

int cpio_data(struct cpio *cpio, const char *path, struct cpio_owner owner, const void *data,
              size_t length, banger_error *err)
{
    if (path_claim(cpio, &path, err) < 0) {
        return -1;
    }
    AUTO(archive_entry_drop)
    struct archive_entry *entry = entry_make(path, S_IFREG, owner, (off_t)length);
    if (header_write(cpio, entry, err) < 0) {
        return -1;
    }
    return length > 0 ? content_write(cpio, data, length, err) : 0;
}

static int source_open(const char *source, off_t *size, banger_error *err)
{
    AUTO_CLOSE int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO cannot hold us */
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0) {
        return error_sys(err, errno, "cannot open %s", source);
    }
    if (!S_ISREG(info.st_mode)) {
        return error_set(err, BANGER_EINVALID, "%s is not a regular file", source);
    }
    if (info.st_size > FILE_MAX) {
        return error_set(err, BANGER_EINVALID,
                         "%s has %lld bytes: at most %lld can travel in an "
                         "initramfs",
                         source, (long long)info.st_size, (long long)FILE_MAX);
    }
    *size = info.st_size;
    return STEAL_FD(fd);
}

static int content_copy(struct cpio *cpio, int fd, off_t size, const char *source,
                        banger_error *err)
{
    char block[16384];
    while (size > 0) {
        size_t want = size < (off_t)sizeof(block) ? (size_t)size : sizeof(block);
        ssize_t got = read(fd, block, want);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_sys(err, errno, "cannot read %s", source);
        }
        if (got == 0) {
            return error_set(err, BANGER_EIO, "%s became shorter while it was read", source);
        }
        if (content_write(cpio, block, (size_t)got, err) < 0) {
            return -1;
        }
        size -= got;
    }
    return 0;
}

int cpio_file(struct cpio *cpio, const char *path, struct cpio_owner owner, const char *source,
              banger_error *err)
{
    off_t size = 0;
    AUTO_CLOSE int fd = source_open(source, &size, err);
    if (fd < 0 || path_claim(cpio, &path, err) < 0) {
        return -1;
    }
    AUTO(archive_entry_drop)
    struct archive_entry *entry = entry_make(path, S_IFREG, owner, size);
    if (header_write(cpio, entry, err) < 0) {
        return -1;
    }
    return content_copy(cpio, fd, size, source, err);
}

int cpio_char_device(struct cpio *cpio, const char *path, struct cpio_owner owner,
                     unsigned int major_number, unsigned int minor_number, banger_error *err)
{
    if (path_claim(cpio, &path, err) < 0) {
        return -1;
    }
    AUTO(archive_entry_drop) struct archive_entry *entry = entry_make(path, S_IFCHR, owner, 0);
    archive_entry_set_rdevmajor(entry, major_number);
    archive_entry_set_rdevminor(entry, minor_number);
    return header_write(cpio, entry, err);
}
