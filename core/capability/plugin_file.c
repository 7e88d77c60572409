/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plugin_file.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

/* Whoever can write to it can run code as us: only root and we ourselves may. */
static int check_owner(const char *path, mode_t type, banger_error *err)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        return error_sys(err, errno, "cannot look at %s", path);
    }
    if ((status.st_mode & S_IFMT) != type) {
        return error_set(err, BANGER_EINVALID, "%s is not a %s", path,
                         type == S_IFDIR ? "folder" : "regular file");
    }
    if (status.st_uid != 0 && status.st_uid != geteuid()) {
        return error_set(err, BANGER_EPERMISSION,
                         "%s belongs to user %u; plugins must belong to root or to user %u", path,
                         (unsigned)status.st_uid, (unsigned)geteuid());
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        (void)error_set(err, BANGER_EPERMISSION,
                        "%s can be written by others than its owner (mode %04o)", path,
                        (unsigned)(status.st_mode & 07777));
        return error_hint(err, "chmod go-w %s", path);
    }
    return 0;
}

int plugin_file_check_dir(const char *dir, banger_error *err)
{
    return check_owner(dir, S_IFDIR, err);
}

char *plugin_file_find(const char *path, banger_error *err)
{
    AUTO_FREE char *target = realpath(path, NULL);
    if (target == NULL) {
        (void)error_sys(err, errno, "cannot find %s", path);
        return NULL;
    }
    AUTO_FREE char *copy = xstrdup(target);
    if (check_owner(dirname(copy), S_IFDIR, err) < 0 || check_owner(target, S_IFREG, err) < 0) {
        return NULL;
    }
    return STEAL(target);
}
