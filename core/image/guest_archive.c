/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On the way of every start, hence quick: the base is copied in the kernel where the file systems
 * allow it, nothing is synced (the file is made again at the next start), and one rename shows it.
 *
 * The kernel takes several archives one after another when each begins on 4 bytes, zeros between
 * them passed over (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#include "guest_archive.h"

#include "agent/guest_conf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/name.h"
#include "cpio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 4096               /* overlay files of one VM */
#define CONF_MAX ((size_t)65536)     /* bytes of guest.conf: the agent reads it whole */
#define ID_MAX ((int64_t)0xfffffffe) /* uid_t; 0xffffffff means "unchanged" to chown(2) */
#define ARCHIVE_MODE 0600            /* may hold keys */

/* -- guest.conf -------------------------------------------------------------------------------- */

static int conf_line(struct buf *conf, const char *key, const json_t *value, banger_error *err)
{
    const char *text = json_string_value(value);
    if (key[0] == '\0' || key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0') {
        return error_set(err, BANGER_EINVALID,
                         "invalid guest configuration key '%s': use a-z, 0-9 and _", key);
    }
    if (text != NULL &&
        (strpbrk(text, "\r\n") != NULL || strlen(text) != json_string_length(value))) {
        return error_set(err, BANGER_EINVALID,
                         "the guest configuration's %s must be one line, without NUL", key);
    }
    if (text != NULL) {
        buf_printf(conf, "%s=%s\n", key, text);
    } else if (json_is_integer(value)) {
        buf_printf(conf, "%s=%lld\n", key, (long long)json_integer_value(value));
    } else {
        return error_set(err, BANGER_EINVALID,
                         "the guest configuration's %s must be a text, a whole number, or a list "
                         "of these",
                         key);
    }
    if (conf->length > CONF_MAX) {
        return error_set(err, BANGER_EINVALID, "the guest configuration has more than %zu bytes",
                         CONF_MAX);
    }
    return 0;
}

static int conf_text(const json_t *object, struct buf *conf, banger_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)object, key, value) {
        if (!json_is_array(value)) {
            if (conf_line(conf, key, value, err) < 0) {
                return -1;
            }
            continue;
        }
        size_t index = 0;
        json_t *element = NULL;
        json_array_foreach (value, index, element) {
            if (conf_line(conf, key, element, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* -- Overlay files ----------------------------------------------------------------------------- */

static int number_of(const json_t *file, const char *key, int64_t fallback, int64_t maximum,
                     int64_t *number, banger_error *err)
{
    const json_t *value = json_object_get(file, key);
    if (value != NULL && !json_is_integer(value)) {
        return error_set(err, BANGER_EINVALID, "a guest file's %s must be a whole number", key);
    }
    *number = value != NULL ? json_integer_value(value) : fallback;
    if (*number < 0 || *number > maximum) {
        return error_set(err, BANGER_EINVALID, "a guest file's %s is %lld: allowed are 0 to %lld",
                         key, (long long)*number, (long long)maximum);
    }
    return 0;
}

static int owner_of(const json_t *file, struct cpio_owner *owner, banger_error *err)
{
    int64_t mode = 0;
    int64_t uid = 0;
    int64_t gid = 0;
    if (number_of(file, "mode", 0644, 07777, &mode, err) < 0 ||
        number_of(file, "uid", 0, ID_MAX, &uid, err) < 0 ||
        number_of(file, "gid", 0, ID_MAX, &gid, err) < 0) {
        return -1;
    }
    *owner = (struct cpio_owner){.mode = (mode_t)mode, .uid = (uid_t)uid, .gid = (gid_t)gid};
    return 0;
}

static int overlay_add(struct cpio *cpio, const json_t *file, banger_error *err)
{
    const char *path = json_string_value(json_object_get(file, "path"));
    const json_t *content = json_object_get(file, "content");
    const char *source = json_string_value(json_object_get(file, "source"));
    struct cpio_owner owner;
    if (path == NULL) {
        return error_set(err, BANGER_EINVALID, "a guest file has no path");
    }
    if (name_check_path("guest file", path, err) < 0) {
        return -1;
    }
    if (path[1] == '\0') {
        return error_set(err, BANGER_EINVALID, "the guest file '/' is the root folder itself");
    }
    if (json_is_string(content) == (source != NULL)) {
        return error_set(err, BANGER_EINVALID,
                         "the guest file '%s' needs a content or a source, and not both", path);
    }
    if (owner_of(file, &owner, err) < 0) {
        return error_prefix(err, "%s: ", path);
    }
    AUTO_FREE char *inside = str_format(GUEST_CONF_OVERLAY "%s", path);
    if (source != NULL) {
        return cpio_file(cpio, inside, owner, source, err);
    }
    return cpio_data(cpio, inside, owner, json_string_value(content), json_string_length(content),
                     err);
}

static int overlay_write(struct cpio *cpio, const json_t *files, banger_error *err)
{
    if (files != NULL && !json_is_array(files)) {
        return error_set(err, BANGER_EINVALID, "the guest's files must be a list");
    }
    if (json_array_size(files) > FILES_MAX) {
        return error_set(err, BANGER_EINVALID, "%zu guest files: at most %d are allowed",
                         json_array_size(files), FILES_MAX);
    }
    size_t index = 0;
    json_t *file = NULL;
    json_array_foreach ((json_t *)files, index, file) {
        if (overlay_add(cpio, file, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* -- The archive ------------------------------------------------------------------------------- */

static int base_copy(const char *base, int to, banger_error *err)
{
    AUTO_CLOSE int from = open(base, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (from < 0 || fstat(from, &info) < 0) {
        return error_sys(err, errno, "cannot open the initramfs %s", base);
    }
    if (fd_copy_sparse(from, to, info.st_size, err) < 0) {
        return error_prefix(err, "copying %s: ", base);
    }
    off_t aligned = (info.st_size + 3) & ~(off_t)3;
    if (ftruncate(to, aligned) < 0 || lseek(to, aligned, SEEK_SET) < 0) {
        return error_sys(err, errno, "cannot align the guest's initramfs");
    }
    return 0;
}

static int guest_append(int to, const json_t *guest, banger_error *err)
{
    AUTO_BUF struct buf conf = BUF_INIT;
    AUTO(cpio_drop) struct cpio *cpio = cpio_open(to, err);
    if (cpio == NULL || conf_text(json_object_get(guest, "conf"), &conf, err) < 0) {
        return -1;
    }
    if (cpio_data(cpio, GUEST_CONF_FILE, (struct cpio_owner){.mode = 0600}, conf.data, conf.length,
                  err) < 0 ||
        overlay_write(cpio, json_object_get(guest, "files"), err) < 0) {
        return -1;
    }
    return cpio_finish(cpio, err);
}

static int archive_make(const char *base, const json_t *guest, const char *path, banger_error *err)
{
    AUTO_CLOSE int to =
        open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, ARCHIVE_MODE);
    if (to < 0) {
        return error_sys(err, errno, "cannot create %s", path);
    }
    if (base_copy(base, to, err) < 0) {
        return -1;
    }
    return guest_append(to, guest, err);
}

int guest_archive_write(const char *base_initramfs, const json_t *guest, const char *out_path,
                        banger_error *err)
{
    AUTO_FREE char *temporary = str_format("%s.new", out_path);
    if (archive_make(base_initramfs, guest, temporary, err) < 0) {
        (void)unlink(temporary);
        return -1;
    }
    if (rename(temporary, out_path) < 0) {
        int saved = errno;
        (void)unlink(temporary);
        return error_sys(err, saved, "cannot replace %s", out_path);
    }
    return 0;
}
