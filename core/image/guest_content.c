/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest_content.h"

#include "agent/guest_conf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "image/guest_hosts.h"

#include <string.h>

#define FILES_MAX 4096               /* overlay files of one VM */
#define CONF_MAX ((size_t)65536)     /* bytes of guest.conf: the agent reads it whole */
#define ID_MAX ((int64_t)0xfffffffe) /* uid_t; 0xffffffff means "unchanged" to chown(2) */

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

static int owner_of(const json_t *file, struct guest_owner *owner, banger_error *err)
{
    int64_t mode = 0;
    int64_t uid = 0;
    int64_t gid = 0;
    if (number_of(file, "mode", 0644, 07777, &mode, err) < 0 ||
        number_of(file, "uid", 0, ID_MAX, &uid, err) < 0 ||
        number_of(file, "gid", 0, ID_MAX, &gid, err) < 0) {
        return -1;
    }
    *owner = (struct guest_owner){.mode = (mode_t)mode, .uid = (uid_t)uid, .gid = (gid_t)gid};
    return 0;
}

static int overlay_add(const struct guest_sink *sink, const json_t *file, banger_error *err)
{
    const char *path = json_string_value(json_object_get(file, "path"));
    const json_t *content = json_object_get(file, "content");
    const char *source = json_string_value(json_object_get(file, "source"));
    struct guest_owner owner;
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
        return sink->file(sink->context, inside, owner, source, err);
    }
    return sink->data(sink->context, inside, owner, json_string_value(content),
                      json_string_length(content), err);
}

static int overlay_write(const struct guest_sink *sink, const json_t *files, banger_error *err)
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
        if (overlay_add(sink, file, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* -- Both ---------------------------------------------------------------------------------------- */

int guest_content_write(const json_t *guest, const struct guest_sink *sink, banger_error *err)
{
    AUTO_BUF struct buf conf = BUF_INIT;
    if (conf_text(json_object_get(guest, "conf"), &conf, err) < 0 ||
        sink->data(sink->context, GUEST_CONF_FILE, (struct guest_owner){.mode = 0600}, conf.data,
                   conf.length, err) < 0) {
        return -1;
    }
    AUTO_JSON json_t *files =
        guest_hosts_add(json_object_get(guest, "files"), json_at(guest, "conf.host"), err);
    return files != NULL ? overlay_write(sink, files, err) : -1;
}
