/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tar.h"
#include "tar_header.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OCTAL_MAX INT64_C(077777777777) /* eleven digits: what size and mtime hold */

int tar_write_all(int fd, const void *data, size_t length)
{
    const char *at = data;
    while (length != 0) {
        ssize_t sent = write(fd, at, length);
        if (sent < 0 && errno != EINTR) {
            return -1;
        }
        at += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

/* As many octal digits as the field has room for before its NUL. */
static void put_octal(char *field, size_t size, uint64_t value)
{
    field[--size] = '\0';
    while (size != 0) {
        field[--size] = (char)('0' + (value & 7));
        value >>= 3;
    }
}

static int write_block(int fd, char type, const char *name, const char *link,
                       const struct tar_entry *entry, int64_t size)
{
    struct tar_header header = {.type = type, .magic = "ustar", .version = {'0', '0'}};
    memcpy(header.name, name, strnlen(name, sizeof(header.name)));
    memcpy(header.link, link, strnlen(link, sizeof(header.link)));
    put_octal(header.mode, sizeof(header.mode), entry->mode);
    put_octal(header.uid, sizeof(header.uid), 0);
    put_octal(header.gid, sizeof(header.gid), 0);
    put_octal(header.size, sizeof(header.size), size <= OCTAL_MAX ? (uint64_t)size : 0);
    put_octal(header.mtime, sizeof(header.mtime),
              entry->mtime >= 0 && entry->mtime <= OCTAL_MAX ? (uint64_t)entry->mtime : 0);
    (void)snprintf(header.checksum, sizeof(header.checksum), "%06o", tar_checksum(&header));
    return tar_write_all(fd, &header, sizeof(header));
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts its own digits too. */
static size_t put_record(char *out, size_t room, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3; /* blank, equals sign, newline */
    size_t all = rest;
    char digits[24];
    do {
        all = rest + (size_t)snprintf(digits, sizeof(digits), "%zu", all);
    } while (strlen(digits) != (size_t)snprintf(digits, sizeof(digits), "%zu", all));
    return all < room ? (size_t)snprintf(out, room, "%zu %s=%s\n", all, key, value) : 0;
}

static int write_pax(int fd, const struct tar_entry *entry, bool long_path, bool long_link)
{
    char text[2 * PATH_MAX + 128];
    char size[24];
    size_t used = 0;
    if (long_path) {
        used += put_record(text + used, sizeof(text) - used, "path", entry->path);
    }
    if (long_link) {
        used += put_record(text + used, sizeof(text) - used, "linkpath", entry->link);
    }
    if (entry->size > OCTAL_MAX) {
        (void)snprintf(size, sizeof(size), "%lld", (long long)entry->size);
        used += put_record(text + used, sizeof(text) - used, "size", size);
    }
    if (used == 0) {
        return 0;
    }
    static const char zeros[TAR_BLOCK];
    struct tar_entry header = {.mode = 0644};
    if (write_block(fd, TAR_PAX, "pax", "", &header, (int64_t)used) < 0 ||
        tar_write_all(fd, text, used) < 0) {
        return -1;
    }
    return tar_write_all(fd, zeros, -used & (TAR_BLOCK - 1));
}

int tar_write_header(int fd, const struct tar_entry *entry)
{
    size_t name_max = sizeof(((struct tar_header *)0)->name);
    bool long_path = strlen(entry->path) > name_max;
    bool long_link = strlen(entry->link) > name_max;
    if (write_pax(fd, entry, long_path, long_link) < 0) {
        return -1;
    }
    return write_block(fd, entry->type, entry->path, entry->link, entry, entry->size);
}
