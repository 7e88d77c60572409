/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/clock.h"
#include "copy.h"
#include "transfer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define CHUNK 65536

struct packer {
    struct transfer transfer;
    struct archive *archive;
    banger_error *err;
    banger_error failure; /* of the stream, from inside libarchive's callback */
    bool over;            /* what libarchive still wants to write at its end is dropped */
    size_t strip;         /* bytes of the source's path that entries are named without */
    const struct copy_as *as;
};

static la_ssize_t send_block(struct archive *archive, void *context, const void *data,
                             size_t length)
{
    struct packer *packer = context;
    if (packer->over) {
        return (la_ssize_t)length;
    }
    if (transfer_send(&packer->transfer, data, length, &packer->failure) < 0) {
        archive_set_error(archive, EPIPE, "the stream broke");
        return -1;
    }
    return (la_ssize_t)length;
}

static int archive_failed(const struct packer *packer, const char *path)
{
    if (packer->failure.code != 0) {
        *(packer->err != NULL ? packer->err : &(banger_error){0}) = packer->failure;
        return -1;
    }
    return error_set(packer->err, BANGER_EIO, "cannot copy %s: %s", path,
                     archive_error_string(packer->archive));
}

/* Exactly `size` bytes, as the header promised, whatever the file does meanwhile. */
static int pack_content(struct packer *packer, int fd, const char *path, int64_t size)
{
    AUTO_FREE char *chunk = xmalloc(CHUNK);
    for (int64_t left = size; left > 0 && !packer->transfer.exited;) {
        ssize_t got = read(fd, chunk, left < CHUNK ? (size_t)left : CHUNK);
        if (got < 0) {
            return error_sys(packer->err, errno, "cannot read %s", path);
        }
        if (got == 0) {
            return error_set(packer->err, BANGER_EIO, "%s shrank while it was copied", path);
        }
        if (archive_write_data(packer->archive, chunk, (size_t)got) < 0) {
            return archive_failed(packer, path);
        }
        left -= got;
    }
    return 0;
}

static int set_link(struct packer *packer, struct archive_entry *entry, const FTSENT *item)
{
    char target[PATH_MAX];
    ssize_t length = readlink(item->fts_accpath, target, sizeof(target) - 1);
    if (length < 0) {
        return error_sys(packer->err, errno, "cannot read the link %s", item->fts_path);
    }
    target[length] = '\0';
    archive_entry_set_symlink(entry, target);
    return 0;
}

static void set_name(const struct packer *packer, struct archive_entry *entry, const FTSENT *item)
{
    const char *own = item->fts_path + packer->strip;
    if (packer->as->name == NULL) {
        archive_entry_set_pathname(entry, own);
        return;
    }
    AUTO_FREE char *name = str_format("%s%s", packer->as->name, own + strcspn(own, "/"));
    archive_entry_set_pathname(entry, name);
}

static mode_t mode_of(const struct packer *packer, mode_t own)
{
    mode_t mode = packer->as->mode != 0 ? packer->as->mode : own & 0777;
    return packer->as->mode != 0 && S_ISDIR(own) ? mode | (mode & 0444) >> 2 : mode;
}

static int pack_entry(struct packer *packer, const FTSENT *item, struct archive_entry *entry)
{
    const struct stat *st = item->fts_statp;
    struct stat now;
    AUTO_CLOSE int fd = -1;
    set_name(packer, entry, item);
    archive_entry_set_mtime(entry, st->st_mtim.tv_sec, 0);
    archive_entry_set_perm(entry, mode_of(packer, st->st_mode));
    archive_entry_set_filetype(entry, st->st_mode & S_IFMT);
    if (S_ISLNK(st->st_mode) && set_link(packer, entry, item) < 0) {
        return -1;
    }
    if (S_ISREG(st->st_mode)) {
        fd = open(item->fts_accpath, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &now) < 0) {
            return error_sys(packer->err, errno, "cannot read %s", item->fts_path);
        }
        archive_entry_set_size(entry, now.st_size);
    }
    if (archive_write_header(packer->archive, entry) != ARCHIVE_OK) {
        return archive_failed(packer, item->fts_path);
    }
    return fd >= 0 ? pack_content(packer, fd, item->fts_path, now.st_size) : 0;
}

static int pack_item(struct packer *packer, const FTSENT *item)
{
    switch (item->fts_info) {
    case FTS_F:
    case FTS_D:
    case FTS_SL:
    case FTS_SLNONE: {
        struct archive_entry *entry = archive_entry_new();
        int failed = pack_entry(packer, item, entry);
        archive_entry_free(entry);
        return failed;
    }
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return error_sys(packer->err, item->fts_errno, "cannot read %s", item->fts_path);
    default:
        return 0; /* the way back up; sockets, pipes and devices */
    }
}

static int pack_text(struct packer *packer, const char *text, size_t length)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, packer->as->name);
    archive_entry_set_perm(entry, packer->as->mode);
    archive_entry_set_filetype(entry, S_IFREG);
    archive_entry_set_mtime(entry, (time_t)(clock_wall_ms() / 1000), 0);
    archive_entry_set_size(entry, (la_int64_t)length);
    int failed = archive_write_header(packer->archive, entry) != ARCHIVE_OK ||
                 archive_write_data(packer->archive, text, length) < 0;
    archive_entry_free(entry);
    return failed ? archive_failed(packer, packer->as->name) : 0;
}

/* Entries are named from the last component on; of "FOLDER/." from the dot on. */
static size_t stripped(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? (size_t)(slash + 1 - path) : 0;
}

static int pack_tree(struct packer *packer, const char *host_path)
{
    AUTO_FREE char *path = xstrdup(host_path);
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        path[--length] = '\0';
    }
    char *const roots[] = {path, NULL};
    /* NOCHDIR: the working folder is the process's, not ours. COMFOLLOW: a link that was named is
     * followed, as cp does. */
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (tree == NULL) {
        return error_sys(packer->err, errno, "cannot read %s", host_path);
    }
    packer->strip = stripped(path);
    int failed = 0;
    const FTSENT *item;
    while (failed == 0 && !packer->transfer.exited && (item = fts_read(tree)) != NULL) {
        failed = pack_item(packer, item);
    }
    (void)fts_close(tree);
    return failed;
}

/* What goes into the archive: a tree of the host's, or a text. */
struct copied {
    const char *host_path; /* NULL: the text */
    const char *text;
    size_t length;
};

static int pack(struct packer *packer, const struct copied *copied)
{
    const char *shown = copied->host_path != NULL ? copied->host_path : packer->as->name;
    (void)archive_write_set_format_pax_restricted(packer->archive);
    /* Names are bytes, whatever our locale is: nothing is to be translated. */
    (void)archive_write_set_options(packer->archive, "hdrcharset=BINARY");
    (void)archive_write_set_bytes_per_block(packer->archive, CHUNK);
    (void)archive_write_set_bytes_in_last_block(packer->archive, 1);
    if (archive_write_open(packer->archive, packer, NULL, send_block, NULL) != ARCHIVE_OK) {
        return archive_failed(packer, shown);
    }
    if ((copied->host_path != NULL ? pack_tree(packer, copied->host_path)
                                   : pack_text(packer, copied->text, copied->length)) < 0) {
        return -1;
    }
    if (!packer->transfer.exited && archive_write_close(packer->archive) != ARCHIVE_OK) {
        return archive_failed(packer, shown);
    }
    transfer_send_eof(&packer->transfer);
    /* The guest may have ended it early: then this says why. */
    return transfer_finish(&packer->transfer, packer->err);
}

static int copy(int stream_fd, const struct copied *copied, const struct copy_as *as,
                banger_error *err)
{
    struct packer packer = {.archive = archive_write_new(), .err = err, .as = as};
    transfer_init(&packer.transfer, stream_fd, as->until);
    int failed = packer.archive != NULL ? pack(&packer, copied)
                                        : error_set(err, BANGER_EINTERNAL, "out of memory");
    if (packer.archive != NULL) {
        packer.over = true;
        (void)archive_write_free(packer.archive);
    }
    transfer_free(&packer.transfer);
    return failed;
}

int copy_in(int stream_fd, const char *host_path, banger_error *err)
{
    static const struct copy_as as_it_is = {.until = DEADLINE_NONE};
    return copy_in_as(stream_fd, host_path, &as_it_is, err);
}

int copy_in_as(int stream_fd, const char *host_path, const struct copy_as *as, banger_error *err)
{
    const struct copied tree = {.host_path = host_path};
    return copy(stream_fd, &tree, as, err);
}

int copy_in_text(int stream_fd, const char *text, size_t length, const struct copy_as *as,
                 banger_error *err)
{
    const struct copied whole = {.text = text, .length = length};
    return copy(stream_fd, &whole, as, err);
}
