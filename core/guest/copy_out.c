/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unpacking what a guest sent, which may be anything.
 *
 * 1. The destination's real path is found once; every entry's name is checked here (relative, no
 * "..") and put behind it.
 * 2. libarchive then refuses to go through symbolic links on the way (SECURE_SYMLINKS), so that the
 * archive cannot first make one and then write through it.
 * 3. Only files, folders, symbolic and hard links are made; no set-id bits, no owners, no more than
 * the caller's number of bytes.
 */
#include "base/cleanup.h"
#include "copy.h"
#include "transfer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define UNPACK_FLAGS                                                                               \
    (ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_UNLINK |                        \
     ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT)

struct unpacker {
    struct transfer transfer;
    struct archive *in;
    struct archive *out;
    banger_error *err;
    banger_error failure; /* of the stream, from inside libarchive's callback */
    char *folder;         /* where the copy goes; a real path */
    const char *rename;   /* the top entry's new name; NULL: its own */
    int64_t bytes_left;
    int64_t bytes_max;
    unsigned entries;
};

static la_ssize_t receive_block(struct archive *archive, void *context, const void **data)
{
    struct unpacker *unpacker = context;
    ssize_t got = transfer_receive(&unpacker->transfer, data, &unpacker->failure);
    if (got < 0) {
        archive_set_error(archive, EPIPE, "the stream broke");
    }
    return got;
}

/* What the guest says comes before what the archive lacks because of it. */
static int archive_failed(struct unpacker *unpacker, struct archive *archive)
{
    if (unpacker->failure.code != 0) {
        *(unpacker->err != NULL ? unpacker->err : &(banger_error){0}) = unpacker->failure;
        return -1;
    }
    if (unpacker->transfer.exited && unpacker->transfer.status != 0) {
        return transfer_finish(&unpacker->transfer, unpacker->err);
    }
    const char *why = archive_error_string(archive);
    AUTO_FREE char *text = str_printable(str_or(why, ""), strlen(str_or(why, "")));
    return error_set(unpacker->err, archive == unpacker->in ? BANGER_EGUEST : BANGER_EIO,
                     "cannot copy from the guest: %s", text);
}

static bool is_safe(const char *name)
{
    if (name == NULL || *name == '/' || *name == '\0') {
        return false;
    }
    while (*name != '\0') {
        size_t length = strcspn(name, "/");
        if (length == 2 && name[0] == '.' && name[1] == '.') {
            return false;
        }
        name += length + strspn(name + length, "/");
    }
    return true;
}

/* The entry's path on the host, or NULL when its name is one that a copy does not have. A new
 * string. */
static char *destination(const struct unpacker *unpacker, const char *name)
{
    if (!is_safe(name)) {
        return NULL;
    }
    if (unpacker->rename == NULL) {
        return str_format("%s/%s", unpacker->folder, name);
    }
    return str_format("%s/%s%s", unpacker->folder, unpacker->rename, name + strcspn(name, "/"));
}

static int refuse(struct unpacker *unpacker, const char *what, const char *name)
{
    AUTO_FREE char *text = str_printable(str_or(name, ""), strlen(str_or(name, "")));
    return error_set(unpacker->err, BANGER_EGUEST, "the guest sent %s: '%s'", what, text);
}

/* Puts the entry where it goes. 1: to be unpacked. 0: to be left out. */
static int redirect(struct unpacker *unpacker, struct archive_entry *entry)
{
    AUTO_FREE char *name = xstrdup(str_or(archive_entry_pathname(entry), ""));
    AUTO_FREE char *path = destination(unpacker, name);
    const char *link = archive_entry_hardlink(entry);
    if (path == NULL) {
        return refuse(unpacker, "a name that leaves the destination", name);
    }
    if (link != NULL) {
        AUTO_FREE char *target = destination(unpacker, link);
        if (target == NULL) {
            return refuse(unpacker, "a hard link that leaves the destination", link);
        }
        archive_entry_copy_hardlink(entry, target);
    }
    mode_t type = archive_entry_filetype(entry);
    archive_entry_copy_pathname(entry, path);
    archive_entry_set_perm(entry, archive_entry_perm(entry) & 0777);
    return link != NULL || type == AE_IFREG || type == AE_IFDIR || type == AE_IFLNK;
}

static int too_much(struct unpacker *unpacker)
{
    return error_set(unpacker->err, BANGER_EFULL,
                     "the copy from the guest is larger than the %lld bytes allowed",
                     (long long)unpacker->bytes_max);
}

static int unpack_content(struct unpacker *unpacker)
{
    const void *data;
    size_t length;
    la_int64_t offset;
    int got;
    while ((got = archive_read_data_block(unpacker->in, &data, &length, &offset)) == ARCHIVE_OK) {
        unpacker->bytes_left -= (int64_t)length;
        if (unpacker->bytes_left < 0) {
            return too_much(unpacker);
        }
        if (archive_write_data_block(unpacker->out, data, length, offset) < ARCHIVE_OK) {
            return archive_failed(unpacker, unpacker->out);
        }
    }
    return got == ARCHIVE_EOF ? 0 : archive_failed(unpacker, unpacker->in);
}

static int unpack_entry(struct unpacker *unpacker, struct archive_entry *entry)
{
    int wanted = redirect(unpacker, entry);
    if (wanted <= 0) {
        return wanted;
    }
    if (archive_entry_size(entry) > unpacker->bytes_left) {
        return too_much(unpacker);
    }
    if (archive_write_header(unpacker->out, entry) < ARCHIVE_OK) {
        return archive_failed(unpacker, unpacker->out);
    }
    if (archive_entry_size(entry) > 0 && unpack_content(unpacker) < 0) {
        return -1;
    }
    return archive_write_finish_entry(unpacker->out) < ARCHIVE_OK
               ? archive_failed(unpacker, unpacker->out)
               : 0;
}

static int unpack_all(struct unpacker *unpacker)
{
    struct archive_entry *entry;
    int got;
    if (archive_read_open(unpacker->in, unpacker, NULL, receive_block, NULL) != ARCHIVE_OK) {
        return archive_failed(unpacker, unpacker->in);
    }
    while ((got = archive_read_next_header(unpacker->in, &entry)) == ARCHIVE_OK) {
        if (++unpacker->entries > COPY_ENTRIES_MAX) {
            return refuse(unpacker, "too many entries", archive_entry_pathname(entry));
        }
        if (unpack_entry(unpacker, entry) < 0) {
            return -1;
        }
    }
    if (got != ARCHIVE_EOF) {
        return archive_failed(unpacker, unpacker->in);
    }
    /* Folders get their times and modes now. */
    if (archive_write_close(unpacker->out) != ARCHIVE_OK) {
        return archive_failed(unpacker, unpacker->out);
    }
    return transfer_finish(&unpacker->transfer, unpacker->err);
}

/* Decides between "into that folder" and "under that name"; `path` is taken apart and has to stay
 * while the unpacker is used. */
static int find_folder(struct unpacker *unpacker, char *path)
{
    struct stat st;
    size_t length = strlen(path);
    bool folder_meant = length != 0 && path[length - 1] == '/';
    while (length > 1 && path[length - 1] == '/') {
        path[--length] = '\0';
    }
    char *slash = strrchr(path, '/');
    const char *folder = path;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
        if (folder_meant) {
            return error_set(unpacker->err, BANGER_ENOTFOUND, "%s is not a folder", path);
        }
        unpacker->rename = slash != NULL ? slash + 1 : path;
        folder = slash == NULL ? "." : slash == path ? "/" : path;
        if (slash != NULL && slash != path) {
            *slash = '\0';
        }
    }
    unpacker->folder = realpath(folder, NULL);
    return unpacker->folder != NULL
               ? 0
               : error_sys(unpacker->err, errno, "cannot copy to the folder %s", folder);
}

int copy_out(int stream_fd, const char *host_path, int64_t bytes_max, banger_error *err)
{
    AUTO_FREE char *path = xstrdup(host_path);
    struct unpacker unpacker = {.in = archive_read_new(),
                                .out = archive_write_disk_new(),
                                .err = err,
                                .bytes_left = bytes_max,
                                .bytes_max = bytes_max};
    transfer_init(&unpacker.transfer, stream_fd, DEADLINE_NONE);
    int failed = find_folder(&unpacker, path);
    if (failed == 0) {
        (void)archive_read_support_format_tar(unpacker.in);
        (void)archive_read_set_options(unpacker.in, "hdrcharset=BINARY");
        (void)archive_write_disk_set_options(unpacker.out, UNPACK_FLAGS);
        failed = unpack_all(&unpacker);
    }
    (void)archive_read_free(unpacker.in);
    (void)archive_write_free(unpacker.out);
    transfer_free(&unpacker.transfer);
    free(unpacker.folder);
    return failed;
}
