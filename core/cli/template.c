/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "template.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/layout.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

#define TEMPLATE_MAX ((size_t)64 * 1024)

/* The name with what no identifier may have replaced, each letter as `letter` makes it; new. */
static char *identifier_of(const char *name, int (*letter)(int))
{
    char *identifier = xstrdup(name);
    for (char *at = identifier; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : (char)letter((unsigned char)*at);
    }
    return identifier;
}

/* Copies `text` with its marks replaced. */
static void fill(const char *text, const char *name, struct buf *out)
{
    AUTO_FREE char *identifier = identifier_of(name, tolower);
    AUTO_FREE char *variable = identifier_of(name, toupper);
    const struct {
        const char *mark;
        const char *value;
    } marks[] = {{"@NAME@", name},
                 {"@IDENT@", identifier},
                 {"@ENV@", variable},
                 {"@VERSION@", BANGER_VERSION}};
    while (*text != '\0') {
        size_t plain = strcspn(text + 1, "@") + 1;
        const char *value = NULL;
        for (size_t i = 0; i < COUNT_OF(marks) && value == NULL; i++) {
            if (str_starts(text, marks[i].mark)) {
                value = marks[i].value;
                plain = strlen(marks[i].mark);
            }
        }
        buf_append(out, value != NULL ? value : text, value != NULL ? strlen(value) : plain);
        text += plain;
    }
}

int template_read(const char *source, const char *name, struct buf *out, banger_error *err)
{
    struct layout layout;
    if (layout_load(&layout, err) < 0) {
        return -1;
    }
    AUTO_FREE char *path =
        str_format("%s/templates/%s", str_or(layout.share_dir, "/usr/local/share/banger"), source);
    layout_free(&layout);
    AUTO_BUF struct buf text = BUF_INIT;
    if (file_read(path, TEMPLATE_MAX, &text, err) < 0) {
        return error_hint(err,
                          "it is a part of banger's installation: 'make install' puts it there");
    }
    fill(str_or(text.data, ""), name, out);
    return 0;
}

int template_write_file(const char *path, const struct buf *text, banger_error *err)
{
    AUTO_FREE char *copy = xstrdup(path);
    const char *folder = dirname(copy);
    struct stat there;
    if (stat(folder, &there) < 0 && dir_make(folder, 0755, err) < 0) {
        return -1;
    }
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) {
        return error_set(err, BANGER_EEXISTS, "%s is there already", path);
    }
    if (fd < 0) {
        return error_sys(err, errno, "cannot create %s", path);
    }
    if (fd_write_all(fd, text->data, text->length, err) < 0) {
        (void)unlink(path);
        return error_prefix(err, "%s: ", path);
    }
    return 0;
}

static int write_one(const struct template_file *file, const char *folder, const char *name,
                     banger_error *err)
{
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_BUF struct buf path = BUF_INIT;
    buf_printf(&path, "%s/", folder);
    fill(file->target, name, &path);
    if (template_read(file->source, name, &text, err) < 0) {
        return -1;
    }
    return template_write_file(path.data, &text, err);
}

int template_write_folder(const struct template_file *files, const char *folder, const char *name,
                          banger_error *err)
{
    if (mkdir(folder, 0777) < 0) { /* as the user's umask says, like all that the user makes */
        return errno == EEXIST ? error_set(err, BANGER_EEXISTS, "%s is there already", folder)
                               : error_sys(err, errno, "cannot create the folder %s", folder);
    }
    for (; files->source != NULL; files++) {
        if (write_one(files, folder, name, err) < 0) {
            (void)dir_remove(folder, NULL);
            return -1;
        }
    }
    return 0;
}

int template_check_name(const char *name, banger_error *err)
{
    struct layout layout;
    if (layout_load(&layout, err) < 0) {
        return -1;
    }
    AUTO_FREE char *path = str_format("%s/%s.so", layout.plugin_dir, name);
    layout_free(&layout);
    if (access(path, F_OK) < 0) {
        return 0;
    }
    (void)error_set(err, BANGER_EEXISTS, "a plugin of banger's own is called '%s'", name);
    return error_hint(err, "choose another name: all that is loaded has different ones");
}
