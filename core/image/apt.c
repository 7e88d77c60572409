/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. apt-cache says what the package is: version, dependencies, SHA-256.
 * 2. A metapackage has one dependency linux-image-...: that one is asked for instead.
 * 3. CACHE/packages/NAME_VERSION.deb with that SHA-256 is used as it is.
 * 4. Otherwise apt-get downloads into the staging folder, and the checked file moves to the cache.
 */
#include "apt.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "command.h"
#include "control.h"
#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define HOPS_MAX 4 /* linux-image-amd64 -> linux-image-6.1.0-N-amd64; one is usual */
#define LOOKUP_TIMEOUT_MS (60 * 1000)
#define DOWNLOAD_TIMEOUT_MS (15 * 60 * 1000)
#define APT_PACKAGE "apt"
#define MINIMUM_KERNEL (1024 * 1024) /* bytes: a metapackage has a few thousand */

struct apt_package {
    char *name;
    char *version;
    char *sha256;
    char *successor; /* of a metapackage; NULL: it is the kernel itself */
};

static void apt_package_free(struct apt_package *package)
{
    free(package->name);
    free(package->version);
    free(package->sha256);
    free(package->successor);
    *package = (struct apt_package){0};
}

static int not_known(const char *name, banger_error *err)
{
    (void)error_set(err, BANGER_ENOTFOUND, "apt knows no package %s", name);
    return error_hint(err, "run apt-get update as root, or look for one with: apt-cache search "
                           "--names-only ^linux-image");
}

static int package_parse(const char *name, const char *text, struct apt_package *package,
                         banger_error *err)
{
    AUTO_FREE char *shown = control_field(text, "Package");
    AUTO_FREE char *size = control_field(text, "Size");
    if (shown == NULL || !str_equal(shown, name)) {
        return not_known(name, err);
    }
    package->name = xstrdup(name);
    package->version = control_field(text, "Version");
    package->sha256 = control_field(text, "SHA256");
    if (size == NULL || strtoll(size, NULL, 10) < MINIMUM_KERNEL) {
        package->successor = control_kernel_dependency(text);
    }
    if (package->version == NULL || package->sha256 == NULL ||
        strlen(package->sha256) != DIGEST_LENGTH || strchr(package->version, '/') != NULL) {
        return error_set(err, BANGER_ENOTFOUND, "apt can download no version of %s", name);
    }
    return 0;
}

static int package_show(struct staging *staging, const char *name, struct apt_package *package,
                        banger_error *err)
{
    if (name_check_package(name, err) < 0) {
        return -1;
    }
    AUTO_BUF struct buf text = BUF_INIT;
    char *argv[] = {(char[]){"apt-cache"}, (char[]){"show"}, (char[]){"--no-all-versions"},
                    (char *)name, NULL};
    struct command command = {.staging = staging,
                              .argv = argv,
                              .package = APT_PACKAGE,
                              .timeout_ms = LOOKUP_TIMEOUT_MS,
                              .out = &text};
    banger_error why = BANGER_ERROR_INIT;
    if (command_run(&command, &why) < 0) {
        if (why.code == BANGER_EIO) { /* its status for a name that it does not know */
            return not_known(name, err);
        }
        error_join(err, &why);
        return -1;
    }
    return package_parse(name, str_or(text.data, ""), package, err);
}

static int package_resolve(struct staging *staging, const char *name, struct apt_package *package,
                           banger_error *err)
{
    AUTO_FREE char *wanted = xstrdup(name);
    for (int hop = 0; hop < HOPS_MAX; hop++) {
        apt_package_free(package);
        if (package_show(staging, wanted, package, err) < 0) {
            return -1;
        }
        if (package->successor == NULL) {
            return 0;
        }
        context_progress(staging->context, "%s stands for %s", wanted, package->successor);
        free(wanted);
        wanted = STEAL(package->successor);
    }
    return error_set(err, BANGER_EINVALID, "%s leads to more than %d other packages", name,
                     HOPS_MAX);
}

/* 1: the file is what apt's lists say. */
static int file_matches(const struct image_context *context, const char *path, const char *sha256,
                        banger_error *err)
{
    char digest[DIGEST_LENGTH + 1];
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? 0 : error_sys(err, errno, "cannot open %s", path);
    }
    if (digest_file(context, fd, digest, err) < 0) {
        return -1;
    }
    return str_equal(digest, sha256);
}

/* The one .deb of a folder that apt-get downloaded into; a new string. */
static char *downloaded_file(const char *folder, banger_error *err)
{
    AUTO_CLOSEDIR DIR *dir = opendir(folder);
    const struct dirent *entry = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (str_ends(entry->d_name, ".deb")) {
            return str_format("%s/%s", folder, entry->d_name);
        }
    }
    (void)error_set(err, BANGER_EIO, "apt-get ended well without having downloaded a package");
    return NULL;
}

static int download(struct staging *staging, const struct apt_package *package, const char *folder,
                    banger_error *err)
{
    AUTO_FREE char *wanted = str_format("%s=%s", package->name, package->version);
    char *argv[] = {(char[]){"apt-get"}, (char[]){"download"}, (char[]){"-q"}, wanted, NULL};
    struct command command = {.staging = staging,
                              .argv = argv,
                              .package = APT_PACKAGE,
                              .cwd = folder,
                              .timeout_ms = DOWNLOAD_TIMEOUT_MS};
    context_progress(staging->context, "downloading %s %s", package->name, package->version);
    if (command_run(&command, err) < 0) {
        return error_prefix(err, "downloading %s: ", package->name);
    }
    return 0;
}

static int copy_file(const char *from_path, const char *to_path, banger_error *err)
{
    AUTO_CLOSE int from = open(from_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    AUTO_CLOSE int to = open(to_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat info;
    if (from < 0 || to < 0 || fstat(from, &info) < 0) {
        return error_sys(err, errno, "cannot copy %s to %s", from_path, to_path);
    }
    return fd_copy_sparse(from, to, info.st_size, err);
}

/* The cache may be on another file system. Nobody ever sees half a file under the final name. */
static int move_to_cache(const char *file, const char *cached, banger_error *err)
{
    if (rename(file, cached) == 0) {
        return 0;
    }
    if (errno != EXDEV) {
        return error_sys(err, errno, "cannot move %s to %s", file, cached);
    }
    AUTO_FREE char *temporary = str_format("%s.new", cached);
    int result = copy_file(file, temporary, err);
    if (result == 0 && rename(temporary, cached) < 0) {
        result = error_sys(err, errno, "cannot move %s to %s", temporary, cached);
    }
    if (result < 0) {
        (void)unlink(temporary);
    }
    return result;
}

static int fetch_into(struct staging *staging, const struct apt_package *package,
                      const char *cached, banger_error *err)
{
    AUTO_FREE char *folder = staging_path(staging, "download");
    if (dir_make(folder, 0755, err) < 0 || download(staging, package, folder, err) < 0) {
        return -1;
    }
    AUTO_FREE char *file = downloaded_file(folder, err);
    int matches = file != NULL ? file_matches(staging->context, file, package->sha256, err) : -1;
    if (matches < 0) {
        return -1;
    }
    if (matches == 0) {
        return error_set(err, BANGER_ECORRUPT,
                         "the downloaded %s has not the SHA-256 of apt's list", package->name);
    }
    if (move_to_cache(file, cached, err) < 0) {
        return -1;
    }
    return dir_remove(folder, err);
}

int apt_fetch(struct staging *staging, const char *name, char **path, banger_error *err)
{
    AUTO(apt_package_free) struct apt_package package = {0};
    if (package_resolve(staging, name, &package, err) < 0) {
        return -1;
    }
    AUTO_FREE char *folder = str_format("%s/packages", staging->context->layout->cache_dir);
    AUTO_FREE char *cached = str_format("%s/%s_%s.deb", folder, package.name, package.version);
    if (dir_make(folder, 0755, err) < 0) {
        return -1;
    }
    int matches = file_matches(staging->context, cached, package.sha256, err);
    if (matches < 0 || (matches == 0 && fetch_into(staging, &package, cached, err) < 0)) {
        return -1;
    }
    *path = STEAL(cached);
    return 0;
}
