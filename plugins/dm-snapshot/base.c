/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A copy-on-write file means nothing without the very image that it was made over: over another one the
 * guest would see a mixture of both. So that is looked at before each attach.
 *
 * 1. Size, inode and time of change as recorded: it is the image. That costs one stat.
 * 2. Otherwise it may have been restored from a backup, or moved to another disk: its digest says.
 */
#include "disk.h"

#include "root_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 1048576 /* bytes read at once */

int64_t base_mtime(const struct stat *status)
{
    return (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
}

static int feed(const struct banger_host *host, struct banger_call *call, EVP_MD_CTX *state,
                const char *path, int fd)
{
    char *block = malloc(BLOCK);
    int result = block != NULL ? 0 : host->fail(call, BANGER_EINTERNAL, "out of memory");

    while (result == 0) {
        ssize_t got = read(fd, block, BLOCK);
        if (got < 0) {
            result = root_disk_fail(host, call, errno, "read the image", path);
        } else if (got == 0) {
            break;
        } else if (host->cancelled(call)) {
            result = host->fail(call, BANGER_ECANCELLED, "cancelled while the image was read");
        } else if (EVP_DigestUpdate(state, block, (size_t)got) != 1) {
            result = host->fail(call, BANGER_EINTERNAL, "no digest can be computed");
        }
    }
    free(block);
    return result;
}

static int take_digest(const struct banger_host *host, struct banger_call *call, const char *path,
                       char digest[DIGEST_LENGTH + 1])
{
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int result = fd < 0 ? root_disk_fail(host, call, errno, "read the image", path) : 0;

    if (result == 0 && (state == NULL || EVP_DigestInit_ex(state, EVP_sha256(), NULL) != 1)) {
        result = host->fail(call, BANGER_EINTERNAL, "no digest can be computed");
    }
    if (result == 0) {
        result = feed(host, call, state, path, fd);
    }
    if (result == 0 && EVP_DigestFinal_ex(state, raw, &length) != 1) {
        result = host->fail(call, BANGER_EINTERNAL, "no digest can be computed");
    }
    for (unsigned int i = 0; result == 0 && i < length && 2 * i < DIGEST_LENGTH; i++) {
        (void)snprintf(digest + 2 * i, 3, "%02x", raw[i]);
    }
    EVP_MD_CTX_free(state);
    if (fd >= 0) {
        (void)close(fd);
    }
    return result;
}

static int refuse(const struct banger_host *host, struct banger_call *call, const struct disk *disk,
                  const char *path, const char *found)
{
    host->hint(
        call,
        "put the file back whose SHA-256 is %.16s..., or delete the VM: its disk is of no use "
        "without it",
        disk->digest);
    return host->fail(call, BANGER_ECORRUPT,
                      "the image %s was replaced after the VM's disk was made over it (%s)", path,
                      found);
}

int base_verify(const struct banger_host *host, struct banger_call *call, struct disk *disk)
{
    const char *path = host->get_string(call, "image.path", "");
    char digest[DIGEST_LENGTH + 1] = "";
    struct stat status;

    if (lstat(path, &status) < 0) {
        return root_disk_fail(host, call, errno, "read the image", path);
    }
    if (!S_ISREG(status.st_mode) || status.st_size != disk->base_size) {
        return refuse(host, call, disk, path, "it has another size");
    }
    if ((int64_t)status.st_ino == disk->base_inode && base_mtime(&status) == disk->base_mtime_ns) {
        return 0;
    }
    host->progress(call, "the image's file was changed: comparing its content");
    if (take_digest(host, call, path, digest) < 0) {
        return -1;
    }
    if (strcmp(digest, disk->digest) != 0) {
        return refuse(host, call, disk, path, "it has another content");
    }
    disk->base_inode = (int64_t)status.st_ino;
    disk->base_mtime_ns = base_mtime(&status);
    return disk_save(host, call, disk);
}
