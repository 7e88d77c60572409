/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tar as POSIX.1-2008 pax and GNU tar write it; by hand, since a guest has no library. */
#ifndef AGENT_TAR_H
#define AGENT_TAR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TAR_BLOCK 512

enum tar_type {
    TAR_FILE = '0',
    TAR_HARD_LINK = '1',
    TAR_SYMLINK = '2',
    TAR_FOLDER = '5',
};

struct tar_entry {
    char type; /* enum tar_type; any other is something that we neither make nor unpack */
    char path[PATH_MAX];
    char link[PATH_MAX]; /* target of a link */
    mode_t mode;         /* 07777 at most */
    int64_t size;        /* of a file; 0 else */
    int64_t mtime;       /* seconds */
};

/* Fills all of `data`, or fewer bytes at the end, or -1. */
typedef ssize_t (*tar_source)(void *context, void *data, size_t length);

struct tar_reader {
    tar_source source;
    void *context;
    int64_t left;    /* of the entry's data */
    size_t padding;  /* behind it */
    const char *why; /* after -1 */
};

/* 1: the next entry. 0: the end. -1: not a tar, or cut short. */
int tar_next(struct tar_reader *reader, struct tar_entry *entry);
/* The next bytes of the entry's data; 0 at its end, -1 when the archive is cut short. */
ssize_t tar_data(struct tar_reader *reader, void *data, size_t length);

/* Writes the entry's header to the descriptor, with a pax header before it where one is needed. */
int tar_write_header(int fd, const struct tar_entry *entry);
int tar_write_all(int fd, const void *data, size_t length);

#endif
