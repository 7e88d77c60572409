/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of scripts: whose they must be, reading them, and whether they are still the same. */
#ifndef LUA_SOURCE_H
#define LUA_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define SOURCE_MAX (1U << 20U) /* bytes of one script */
#define SOURCE_WHY_MAX 512

/* What says that a file is as it was. All 0: there is none. */
struct source_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t modified_ns; /* mtime */
    int64_t changed_ns;  /* ctime */
};

/* The file's mark; zeroes when it cannot be looked at. */
void source_mark(const char *path, struct source_mark *mark);
bool source_same(const struct source_mark *a, const struct source_mark *b);
/* False as long as the file may change again without its times showing it: file systems count in ticks of
 * some milliseconds. */
bool source_settled(const struct source_mark *mark);

/* The whole file, malloc'ed and ended by NUL; NULL: `why` says the reason. It and its folder must belong to
 * root or to us and be writable by nobody else. */
char *source_read(const char *folder, const char *file, size_t *length, struct source_mark *mark,
                  char *why, size_t size);
/* 1: can be trusted; 0: is not there; -1: must not be, and `why` says so. */
int source_check_folder(const char *folder, char *why, size_t size);

#endif
