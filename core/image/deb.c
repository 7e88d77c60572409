/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "deb.h"

#include "archive_util.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#define READ_BLOCK ((size_t)128 * 1024)
#define MEMBERS_MAX 16 /* of the ar archive; deb(5) has 3 */
#define ENTRIES_MAX 100000
#define BYTES_MAX ((int64_t)4 * 1024 * 1024 * 1024) /* unpacked: a generic kernel has 0.5 GiB */
#define CONTROL_MAX ((int64_t)1024 * 1024)

struct deb {
    const char *path;
    int fd;
    struct archive *outer; /* the ar archive, standing at the member */
    struct archive *inner; /* that member as a tar archive */
};

static void deb_close(struct deb *deb)
{
    (void)archive_read_free(deb->inner); /* first: it reads from the outer one */
    (void)archive_read_free(deb->outer);
    cleanup_close(&deb->fd);
}

static la_ssize_t member_read(struct archive *inner, void *context, const void **block)
{
    struct deb *deb = context;
    size_t length = 0;
    la_int64_t offset = 0;
    int status = archive_read_data_block(deb->outer, block, &length, &offset);
    if (status == ARCHIVE_EOF) {
        return 0;
    }
    if (status != ARCHIVE_OK) {
        archive_set_error(inner, archive_errno(deb->outer), "%s",
                          str_or(archive_error_string(deb->outer), "the data is damaged"));
        return ARCHIVE_FATAL;
    }
    return (la_ssize_t)length;
}

static int outer_open(struct deb *deb, banger_error *err)
{
    deb->fd = open(deb->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO cannot hold us */
    if (deb->fd < 0) {
        return error_sys(err, errno, "cannot open the package %s", deb->path);
    }
    deb->outer = archive_read_new();
    if (deb->outer == NULL || archive_read_support_format_ar(deb->outer) != ARCHIVE_OK) {
        return error_set(err, BANGER_EINTERNAL, "libarchive cannot start");
    }
    if (archive_read_open_fd(deb->outer, deb->fd, READ_BLOCK) != ARCHIVE_OK) {
        return archive_fail(deb->outer, err, "%s is no Debian package", deb->path);
    }
    return 0;
}

/* Stands at the member whose name starts with `prefix`. */
static int member_find(struct deb *deb, const char *prefix, banger_error *err)
{
    for (int i = 0; i < MEMBERS_MAX; i++) {
        struct archive_entry *entry = NULL;
        int status = archive_read_next_header(deb->outer, &entry);
        if (status == ARCHIVE_EOF) {
            break;
        }
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
            return archive_fail(deb->outer, err, "%s is no Debian package", deb->path);
        }
        const char *name = str_or(archive_entry_pathname(entry), "");
        if (i == 0 && !str_equal(name, "debian-binary")) {
            break;
        }
        if (str_starts(name, prefix)) {
            return 0;
        }
    }
    return error_set(err, BANGER_EINVALID, "%s is no Debian package: it holds no %s*", deb->path,
                     prefix);
}

static int inner_open(struct deb *deb, banger_error *err)
{
    deb->inner = archive_read_new();
    if (deb->inner == NULL || archive_read_support_format_tar(deb->inner) != ARCHIVE_OK) {
        return error_set(err, BANGER_EINTERNAL, "libarchive cannot start");
    }
    (void)archive_read_support_filter_xz(deb->inner);
    (void)archive_read_support_filter_zstd(deb->inner);
    (void)archive_read_support_filter_gzip(deb->inner);
    if (archive_read_open(deb->inner, deb, NULL, member_read, NULL) != ARCHIVE_OK) {
        return archive_fail(deb->inner, err, "cannot unpack %s", deb->path);
    }
    return 0;
}

static int deb_open(struct deb *deb, const char *path, const char *prefix, banger_error *err)
{
    deb->path = path;
    if (outer_open(deb, err) < 0 || member_find(deb, prefix, err) < 0) {
        return -1;
    }
    return inner_open(deb, err);
}

/* 1: `path` is the next entry's; 0: the end. */
static int deb_next(struct deb *deb, struct archive_entry **entry, const char **path,
                    banger_error *err)
{
    int status = archive_read_next_header(deb->inner, entry);
    if (status == ARCHIVE_EOF) {
        return 0;
    }
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
        return archive_fail(deb->inner, err, "cannot unpack %s", deb->path);
    }
    *path = str_or(archive_entry_pathname(*entry), "");
    *path += str_starts(*path, "./") ? 2 : 0;
    return 1;
}

int deb_read_control(const char *path, struct buf *control, banger_error *err)
{
    AUTO(deb_close) struct deb deb = {.fd = -1};
    if (deb_open(&deb, path, "control.tar", err) < 0) {
        return -1;
    }
    for (;;) {
        struct archive_entry *entry = NULL;
        const char *name = NULL;
        int more = deb_next(&deb, &entry, &name, err);
        if (more < 0) {
            return -1;
        }
        if (more == 0) {
            return error_set(err, BANGER_EINVALID, "%s has no control file", path);
        }
        la_int64_t size = archive_entry_size(entry);
        if (!str_equal(name, "control") || size < 0 || size > CONTROL_MAX) {
            continue;
        }
        buf_reserve(control, (size_t)size + 1);
        la_ssize_t got =
            archive_read_data(deb.inner, control->data + control->length, (size_t)size);
        if (got < 0) {
            return archive_fail(deb.inner, err, "cannot unpack %s", path);
        }
        control->length += (size_t)got;
        control->data[control->length] = '\0';
        return 0;
    }
}

/* -- The kernel -------------------------------------------------------------------------------- */

static const char *const kernel_paths[] = {
    "boot/vmlinuz-*",
    "lib/modules/*/vmlinuz",
    "usr/lib/modules/*/vmlinuz",
};

static bool matches_any(const char *path, const char *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fnmatch(patterns[i], path, FNM_PATHNAME) == 0) {
            return true;
        }
    }
    return false;
}

/* Where a file of the package goes below DIR; a new string, NULL: it is not needed. */
static char *place_of(const char *path)
{
    if (matches_any(path, kernel_paths, COUNT_OF(kernel_paths))) {
        return xstrdup(DEB_KERNEL);
    }
    const char *slash = strrchr(path, '/');
    if (slash == NULL || strstr(path, "lib/modules/") == NULL) {
        return NULL;
    }
    const char *name = slash + 1;
    if (modules_is_file_name(name) || str_equal(name, MODULES_BUILTIN)) {
        return str_format(DEB_MODULES "/%s", name);
    }
    return NULL;
}

static int entry_write(struct deb *deb, const char *target, int64_t *budget, banger_error *err)
{
    AUTO_CLOSE int fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == EEXIST
                   ? error_set(err, BANGER_EINVALID, "%s holds two files for %s", deb->path, target)
                   : error_sys(err, errno, "cannot create %s", target);
    }
    for (;;) {
        const void *block = NULL;
        size_t length = 0;
        la_int64_t offset = 0;
        int status = archive_read_data_block(deb->inner, &block, &length, &offset);
        if (status == ARCHIVE_EOF) {
            return 0;
        }
        if (status != ARCHIVE_OK) {
            return archive_fail(deb->inner, err, "cannot unpack %s", deb->path);
        }
        *budget -= (int64_t)length;
        if (*budget < 0) {
            return error_set(err, BANGER_EINVALID, "%s unpacks to more than %lld bytes", deb->path,
                             (long long)BYTES_MAX);
        }
        if (fd_write_all(fd, block, length, err) < 0) {
            return error_prefix(err, "%s: ", target);
        }
    }
}

static int extract_all(struct deb *deb, const struct image_context *context, const char *dir,
                       banger_error *err)
{
    int64_t budget = BYTES_MAX;
    for (int entries = 0; entries < ENTRIES_MAX; entries++) {
        struct archive_entry *entry = NULL;
        const char *path = NULL;
        int more = context_check(context, err) < 0 ? -1 : deb_next(deb, &entry, &path, err);
        if (more <= 0) {
            return more;
        }
        AUTO_FREE char *place = archive_entry_filetype(entry) == AE_IFREG ? place_of(path) : NULL;
        if (place == NULL) {
            continue;
        }
        AUTO_FREE char *target = str_format("%s/%s", dir, place);
        if (entry_write(deb, target, &budget, err) < 0) {
            return -1;
        }
    }
    return error_set(err, BANGER_EINVALID, "%s holds more than %d files", deb->path, ENTRIES_MAX);
}

int deb_extract_kernel(const struct image_context *context, const char *path, const char *dir,
                       banger_error *err)
{
    AUTO_FREE char *modules = str_format("%s/" DEB_MODULES, dir);
    AUTO_FREE char *kernel = str_format("%s/" DEB_KERNEL, dir);
    AUTO(deb_close) struct deb deb = {.fd = -1};
    if (dir_make(modules, 0700, err) < 0 || deb_open(&deb, path, "data.tar", err) < 0 ||
        extract_all(&deb, context, dir, err) < 0) {
        return -1;
    }
    if (access(kernel, F_OK) < 0) {
        return error_set(err, BANGER_ENOTFOUND, "there is no kernel in the package %s", path);
    }
    return 0;
}
