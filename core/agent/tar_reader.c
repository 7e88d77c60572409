/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tar.h"
#include "tar_header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXTENDED_MAX (64 * 1024) /* a pax header or a GNU long name */
#define SIZE_LIMIT (INT64_C(1) << 50)

/* What extended headers say about the entry that follows. */
struct extended {
    bool has_path, has_link, has_size, has_mtime;
    int64_t size, mtime;
};

static int fail(struct tar_reader *reader, const char *why)
{
    reader->why = why;
    return -1;
}

unsigned tar_checksum(const struct tar_header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(*header); i++) {
        bool own = i >= offsetof(struct tar_header, checksum) &&
                   i < offsetof(struct tar_header, checksum) + sizeof(header->checksum);
        sum += own ? ' ' : bytes[i];
    }
    return sum;
}

/* Octal digits, or GNU's base 256; -1 when it is neither or too big. */
static int64_t get_number(const char *field, size_t length)
{
    uint64_t value = 0;
    size_t i = 0;
    if ((unsigned char)field[0] == 0x80) {
        for (i = 1; i < length; i++) {
            if (value > (uint64_t)SIZE_LIMIT) {
                return -1;
            }
            value = value << 8 | (unsigned char)field[i];
        }
        return (int64_t)value;
    }
    while (i < length && field[i] == ' ') {
        i++;
    }
    for (; i < length && field[i] >= '0' && field[i] <= '7'; i++) {
        value = value << 3 | (uint64_t)(field[i] - '0');
    }
    return i == length || field[i] == '\0' || field[i] == ' ' ? (int64_t)value : -1;
}

static int read_block(struct tar_reader *reader, struct tar_header *header)
{
    ssize_t got = reader->source(reader->context, header, TAR_BLOCK);
    if (got == 0) {
        return 0; /* the two zero blocks at the end are often missing */
    }
    return got == TAR_BLOCK ? 1 : fail(reader, "the archive is cut short");
}

ssize_t tar_data(struct tar_reader *reader, void *data, size_t length)
{
    if ((int64_t)length > reader->left) {
        length = (size_t)reader->left;
    }
    if (length == 0) {
        return 0;
    }
    if (reader->source(reader->context, data, length) != (ssize_t)length) {
        return fail(reader, "the archive is cut short");
    }
    reader->left -= (int64_t)length;
    return (ssize_t)length;
}

static int skip_data(struct tar_reader *reader)
{
    char drop[4096];
    ssize_t got;
    while ((got = tar_data(reader, drop, sizeof(drop))) > 0) {
    }
    if (got < 0) {
        return -1;
    }
    reader->left = (int64_t)reader->padding;
    reader->padding = 0;
    while ((got = tar_data(reader, drop, sizeof(drop))) > 0) {
    }
    return (int)got;
}

static void expect_data(struct tar_reader *reader, int64_t size)
{
    reader->left = size;
    reader->padding = (size_t)(-size & (TAR_BLOCK - 1));
}

static bool copy_text(char *out, const char *text, size_t length)
{
    if (length >= PATH_MAX || memchr(text, '\0', length) != NULL) {
        return false;
    }
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

/* One "KEY=VALUE" of a pax header, without the newline. */
static bool take_record(char *key, size_t length, struct tar_entry *entry, struct extended *more)
{
    char *equals = memchr(key, '=', length);
    if (equals == NULL) {
        return false;
    }
    *equals = '\0';
    const char *value = equals + 1;
    size_t value_length = length - (size_t)(value - key);
    if (strcmp(key, "path") == 0) {
        return more->has_path = copy_text(entry->path, value, value_length);
    }
    if (strcmp(key, "linkpath") == 0) {
        return more->has_link = copy_text(entry->link, value, value_length);
    }
    if (strcmp(key, "size") == 0) {
        more->size = strtoll(value, NULL, 10); /* the newline behind it ends the number */
        more->has_size = true;
        return more->size >= 0 && more->size < SIZE_LIMIT;
    }
    if (strcmp(key, "mtime") == 0) {
        more->mtime = strtoll(value, NULL, 10);
        more->has_mtime = true;
    }
    return strncmp(key, "GNU.sparse.", 11) != 0; /* its data is not the file's */
}

/* "LENGTH KEY=VALUE\n"..., where LENGTH counts all of its record. `text` is NUL-terminated. */
static bool take_pax(char *text, size_t length, struct tar_entry *entry, struct extended *more)
{
    while (length != 0) {
        char *key;
        unsigned long size = strtoul(text, &key, 10);
        if (key == text || *key != ' ' || size > length || size < (size_t)(key - text) + 2 ||
            text[size - 1] != '\n') {
            return false;
        }
        key++;
        if (!take_record(key, size - 1 - (size_t)(key - text), entry, more)) {
            return false;
        }
        text += size;
        length -= size;
    }
    return true;
}

static int read_extended(struct tar_reader *reader, char type, int64_t size,
                         struct tar_entry *entry, struct extended *more)
{
    if (size > EXTENDED_MAX) {
        return fail(reader, "an extended header is too long");
    }
    expect_data(reader, size);
    char *text = calloc(1, (size_t)size + 1);
    if (text == NULL || tar_data(reader, text, (size_t)size) != size) {
        free(text);
        return fail(reader, "the archive is cut short");
    }
    bool good = true;
    if (type == TAR_PAX) {
        good = take_pax(text, (size_t)size, entry, more);
    } else if (type == TAR_GNU_LONG_NAME) {
        good = more->has_path = copy_text(entry->path, text, strlen(text));
    } else if (type == TAR_GNU_LONG_LINK) {
        good = more->has_link = copy_text(entry->link, text, strlen(text));
    }
    free(text);
    return good ? skip_data(reader) : fail(reader, "an extended header is malformed");
}

static bool is_zero(const struct tar_header *header)
{
    static const struct tar_header zero;
    return memcmp(header, &zero, sizeof(zero)) == 0;
}

static void take_names(const struct tar_header *header, struct tar_entry *entry,
                       const struct extended *more)
{
    if (!more->has_path) {
        size_t prefix = strnlen(header->prefix, sizeof(header->prefix));
        char *at = entry->path;
        if (memcmp(header->magic, "ustar", 6) == 0 && prefix != 0) {
            memcpy(at, header->prefix, prefix);
            at[prefix] = '/';
            at += prefix + 1;
        }
        size_t length = strnlen(header->name, sizeof(header->name));
        memcpy(at, header->name, length);
        at[length] = '\0';
    }
    if (!more->has_link) {
        size_t length = strnlen(header->link, sizeof(header->link));
        memcpy(entry->link, header->link, length);
        entry->link[length] = '\0';
    }
}

static int take_header(struct tar_reader *reader, const struct tar_header *header,
                       struct tar_entry *entry, const struct extended *more)
{
    int64_t size = more->has_size ? more->size : get_number(header->size, sizeof(header->size));
    int64_t mode = get_number(header->mode, sizeof(header->mode));
    int64_t mtime = get_number(header->mtime, sizeof(header->mtime));
    take_names(header, entry, more);
    entry->type = header->type == '\0' || header->type == '7' ? TAR_FILE : header->type;
    size_t length = strlen(entry->path);
    if (entry->type == TAR_FILE && length != 0 && entry->path[length - 1] == '/') {
        entry->type = TAR_FOLDER; /* as tar before POSIX marked them */
    }
    if (size < 0 || size >= SIZE_LIMIT || mode < 0) {
        return fail(reader, "a header's number is malformed");
    }
    entry->size = entry->type == TAR_FILE ? size : 0;
    entry->mode = (mode_t)mode & 07777;
    entry->mtime = more->has_mtime ? more->mtime : mtime;
    expect_data(reader, entry->type == TAR_HARD_LINK || entry->type == TAR_SYMLINK ? 0 : size);
    return 1;
}

int tar_next(struct tar_reader *reader, struct tar_entry *entry)
{
    struct extended more = {0};
    if (skip_data(reader) < 0) {
        return -1;
    }
    for (;;) {
        struct tar_header header;
        int got = read_block(reader, &header);
        if (got <= 0 || is_zero(&header)) {
            return got < 0 ? -1 : 0;
        }
        if (get_number(header.checksum, sizeof(header.checksum)) != tar_checksum(&header)) {
            return fail(reader, "not a tar archive");
        }
        if (header.type != TAR_PAX && header.type != TAR_PAX_GLOBAL &&
            header.type != TAR_GNU_LONG_NAME && header.type != TAR_GNU_LONG_LINK) {
            return take_header(reader, &header, entry, &more);
        }
        int64_t size = get_number(header.size, sizeof(header.size));
        if (size < 0 || read_extended(reader, header.type, size, entry, &more) < 0) {
            return size < 0 ? fail(reader, "a header's number is malformed") : -1;
        }
    }
}
