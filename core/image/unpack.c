/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unpack.h"

#include "archive_util.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>

#define READ_BLOCK ((size_t)128 * 1024)

struct range_reader {
    int fd;
    off_t at;
    off_t end;
    char block[READ_BLOCK];
};

static la_ssize_t range_read(struct archive *archive, void *context, const void **block)
{
    struct range_reader *reader = context;
    off_t left = reader->end - reader->at;
    size_t want = left < (off_t)READ_BLOCK ? (size_t)left : READ_BLOCK;
    ssize_t got = 0;
    do {
        got = pread(reader->fd, reader->block, want, reader->at);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        archive_set_error(archive, errno, "cannot read");
        return ARCHIVE_FATAL;
    }
    reader->at += got;
    *block = reader->block;
    return got;
}

static struct archive *unpack_open(const struct unpack_source *source, struct range_reader *reader,
                                   banger_error *err)
{
    reader->fd = source->fd;
    reader->at = source->start;
    reader->end = source->start + source->length;
    struct archive *archive = archive_read_new();
    if (archive == NULL) {
        (void)error_set(err, BANGER_EINTERNAL, "libarchive cannot start");
        return NULL;
    }
    /* Each returns a warning where libarchive would have to run a program: then it is not used. */
    (void)archive_read_support_filter_lz4(archive);
    (void)archive_read_support_filter_xz(archive);
    (void)archive_read_support_filter_lzma(archive);
    (void)archive_read_support_filter_zstd(archive);
    (void)archive_read_support_filter_gzip(archive);
    (void)archive_read_support_filter_bzip2(archive);
    (void)archive_read_support_format_raw(archive);
    struct archive_entry *entry = NULL;
    if (archive_read_open(archive, reader, NULL, range_read, NULL) != ARCHIVE_OK ||
        archive_read_next_header(archive, &entry) != ARCHIVE_OK) {
        (void)archive_fail(archive, err, "cannot unpack %s", source->what);
        (void)archive_read_free(archive);
        return NULL;
    }
    return archive;
}

off_t unpack_range(const struct unpack_source *source, int to, off_t limit, banger_error *err)
{
    if (source->length <= 0) {
        return error_set(err, BANGER_EINVALID, "%s is empty", source->what);
    }
    AUTO_FREE struct range_reader *reader = xmalloc(sizeof(*reader));
    AUTO(archive_reader_free) struct archive *archive = unpack_open(source, reader, err);
    if (archive == NULL) {
        return -1;
    }
    off_t total = 0;
    for (;;) {
        const void *block = NULL;
        size_t length = 0;
        la_int64_t offset = 0;
        int status = archive_read_data_block(archive, &block, &length, &offset);
        if (status == ARCHIVE_EOF) {
            return total;
        }
        if (status != ARCHIVE_OK) {
            return archive_fail(archive, err, "cannot unpack %s", source->what);
        }
        total += (off_t)length;
        if (total > limit) {
            return error_set(err, BANGER_EINVALID, "%s unpacks to more than %lld bytes",
                             source->what, (long long)limit);
        }
        if (fd_write_all(to, block, length, err) < 0) {
            return error_prefix(err, "unpacking %s: ", source->what);
        }
    }
}
