/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4_redo.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define PAGE 1024 /* the smallest block of ext4, and so a part of every larger one */
#define BUCKETS 4096
#define LOG_MAX ((size_t)1024 * 1024 * 1024)

/* The log: this, `disk` with its NUL, then records. Of this machine's own byte order. */
#define LOG_MAGIC "banger redo 1\n"

struct record {
    uint64_t number; /* of the page in the disk */
    unsigned char data[PAGE];
};

struct page {
    struct page *next;
    struct record record;
};

struct redo {
    int fd; /* of the disk, for reading */
    struct page *buckets[BUCKETS];
};

static struct redo *redo_of(io_channel channel)
{
    return channel->private_data;
}

/* -- Pages --------------------------------------------------------------------------------------- */

static errcode_t read_disk(const struct redo *redo, void *data, size_t length, uint64_t at)
{
    size_t have = 0;
    while (have < length) {
        ssize_t got = pread(redo->fd, (char *)data + have, length - have, (off_t)(at + have));
        if (got < 0 && errno != EINTR) {
            return errno;
        }
        if (got == 0) {
            return EXT2_ET_SHORT_READ;
        }
        have += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static struct page *page_find(const struct redo *redo, uint64_t number)
{
    struct page *page = redo->buckets[number % BUCKETS];
    while (page != NULL && page->record.number != number) {
        page = page->next;
    }
    return page;
}

/* `whole`: all of it will be written, so that what the disk has there does not matter. */
static errcode_t page_take(struct redo *redo, uint64_t number, bool whole, struct page **taken)
{
    *taken = page_find(redo, number);
    if (*taken != NULL) {
        return 0;
    }
    struct page *page = xcalloc(1, sizeof(*page));
    errcode_t code = whole ? 0 : read_disk(redo, page->record.data, PAGE, number * PAGE);
    if (code != 0) {
        free(page);
        return code;
    }
    page->record.number = number;
    page->next = redo->buckets[number % BUCKETS];
    redo->buckets[number % BUCKETS] = page;
    *taken = page;
    return 0;
}

static errcode_t redo_write(struct redo *redo, const unsigned char *data, size_t length,
                            uint64_t at)
{
    while (length > 0) {
        size_t offset = at % PAGE;
        size_t part = PAGE - offset < length ? PAGE - offset : length;
        struct page *page = NULL;
        errcode_t code = page_take(redo, at / PAGE, part == PAGE, &page);
        if (code != 0) {
            return code;
        }
        memcpy(page->record.data + offset, data, part);
        data += part;
        length -= part;
        at += part;
    }
    return 0;
}

static errcode_t redo_read(const struct redo *redo, unsigned char *data, size_t length, uint64_t at)
{
    errcode_t code = read_disk(redo, data, length, at);
    while (code == 0 && length > 0) {
        size_t offset = at % PAGE;
        size_t part = PAGE - offset < length ? PAGE - offset : length;
        const struct page *page = page_find(redo, at / PAGE);
        if (page != NULL) {
            memcpy(data, page->record.data + offset, part);
        }
        data += part;
        length -= part;
        at += part;
    }
    return code;
}

/* -- libext2fs' channel -------------------------------------------------------------------------- */

/* A negative count is one of bytes. */
static size_t length_of(io_channel channel, int count)
{
    return count < 0 ? (size_t)-count : (size_t)count * (size_t)channel->block_size;
}

static errcode_t channel_read64(io_channel channel, unsigned long long block, int count, void *data)
{
    return redo_read(redo_of(channel), data, length_of(channel, count),
                     block * (uint64_t)channel->block_size);
}

static errcode_t channel_read(io_channel channel, unsigned long block, int count, void *data)
{
    return channel_read64(channel, block, count, data);
}

static errcode_t channel_write64(io_channel channel, unsigned long long block, int count,
                                 const void *data)
{
    return redo_write(redo_of(channel), data, length_of(channel, count),
                      block * (uint64_t)channel->block_size);
}

static errcode_t channel_write(io_channel channel, unsigned long block, int count, const void *data)
{
    return channel_write64(channel, block, count, data);
}

static errcode_t channel_write_byte(io_channel channel, unsigned long offset, int count,
                                    const void *data)
{
    return redo_write(redo_of(channel), data, (size_t)count, offset);
}

static errcode_t channel_set_blksize(io_channel channel, int block_size)
{
    channel->block_size = block_size;
    return 0;
}

static errcode_t channel_flush(io_channel channel)
{
    (void)channel;
    return 0;
}

static errcode_t channel_set_option(io_channel channel, const char *option, const char *value)
{
    (void)channel;
    (void)option;
    (void)value;
    return EXT2_ET_INVALID_ARGUMENT;
}

static errcode_t channel_close(io_channel channel)
{
    if (--channel->refcount > 0) {
        return 0;
    }
    struct redo *redo = redo_of(channel);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (redo->buckets[i] != NULL) {
            struct page *page = redo->buckets[i];
            redo->buckets[i] = page->next;
            free(page);
        }
    }
    (void)close(redo->fd);
    free(redo);
    free(channel->name);
    free(channel);
    return 0;
}

static errcode_t channel_open(const char *name, int flags, io_channel *channel)
{
    (void)flags;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    struct redo *redo = xcalloc(1, sizeof(*redo));
    redo->fd = fd;
    *channel = xcalloc(1, sizeof(**channel));
    (*channel)->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    (*channel)->manager = ext4_redo_manager;
    (*channel)->name = xstrdup(name);
    (*channel)->block_size = PAGE;
    (*channel)->refcount = 1;
    (*channel)->private_data = redo;
    return 0;
}

static struct struct_io_manager manager = {
    .magic = EXT2_ET_MAGIC_IO_MANAGER,
    .name = "banger's redo manager",
    .open = channel_open,
    .close = channel_close,
    .set_blksize = channel_set_blksize,
    .read_blk = channel_read,
    .write_blk = channel_write,
    .flush = channel_flush,
    .write_byte = channel_write_byte,
    .set_option = channel_set_option,
    .read_blk64 = channel_read64,
    .write_blk64 = channel_write64,
};

io_manager ext4_redo_manager = &manager;

/* -- The log ------------------------------------------------------------------------------------- */

int ext4_redo_commit(io_channel channel, const char *disk, const char *log, banger_error *err)
{
    const struct redo *redo = redo_of(channel);
    AUTO_BUF struct buf text = BUF_INIT;
    buf_append(&text, LOG_MAGIC, strlen(LOG_MAGIC));
    buf_append(&text, disk, strlen(disk) + 1);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct page *page = redo->buckets[i]; page != NULL; page = page->next) {
            buf_append(&text, (const char *)&page->record, sizeof(page->record));
        }
    }
    if (text.length > LOG_MAX) {
        return error_set(err, BANGER_EINVALID, "the guest's files come to more than %zu MiB",
                         LOG_MAX >> 20);
    }
    return file_write_atomic(log, text.data, text.length, 0600, err);
}

static int write_record(int fd, const struct record *record, const char *disk, banger_error *err)
{
    size_t done = 0;
    while (done < PAGE) {
        ssize_t wrote =
            pwrite(fd, record->data + done, PAGE - done, (off_t)(record->number * PAGE + done));
        if (wrote < 0 && errno != EINTR) {
            return error_sys(err, errno, "cannot write to %s", disk);
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

static int apply(const char *disk, const char *records, size_t length, banger_error *err)
{
    AUTO_CLOSE int fd = open(disk, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open the disk %s", disk);
    }
    for (; length > 0; records += sizeof(struct record), length -= sizeof(struct record)) {
        struct record record;
        memcpy(&record, records, sizeof(record));
        if (write_record(fd, &record, disk, err) < 0) {
            return -1;
        }
    }
    return fsync(fd) == 0 ? 0 : error_sys(err, errno, "cannot flush %s", disk);
}

int ext4_redo_finish(const char *log, banger_error *err)
{
    AUTO_BUF struct buf text = BUF_INIT;
    if (access(log, F_OK) < 0 && errno == ENOENT) {
        return 0;
    }
    if (file_read(log, LOG_MAX, &text, err) < 0) {
        return -1;
    }
    size_t head = strlen(LOG_MAGIC);
    const char *disk = text.length > head ? text.data + head : "";
    size_t used = head + strnlen(disk, text.length - (text.length < head ? text.length : head)) + 1;
    if (text.length < used || memcmp(text.data, LOG_MAGIC, head) != 0 ||
        (text.length - used) % sizeof(struct record) != 0) {
        return error_set(err, BANGER_ECORRUPT, "%s is no log of changes to a disk", log);
    }
    return apply(disk, text.data + used, text.length - used, err) < 0 ? -1 : file_remove(log, err);
}
