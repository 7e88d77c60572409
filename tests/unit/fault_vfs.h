/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A layer over SQLite's file system that has the Nth write or flush from now on go wrong, in one of the
 * ways of `enum fault_kind`, and that counts flushes. It keeps the unix VFS's own file objects and
 * replaces two functions in copies of their method tables, of which there is one a locking style.
 *
 * What a cut of the power does: whatever was written since a file's last flush may be there or not, by
 * sectors. So until the flush what each write replaces is kept, and the cut puts back the sectors that
 * `seed` loses.
 */
#ifndef TESTS_FAULT_VFS_H
#define TESTS_FAULT_VFS_H

#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULT_SECTOR 512

enum fault_kind {
    FAULT_NONE,
    FAULT_FULL,  /* a write fails as on a full disk, and so does every later one */
    FAULT_SHORT, /* the same, when half of it is written */
    FAULT_FLUSH, /* a flush fails, once */
    FAULT_KILL,  /* the process ends in front of a write, */
    FAULT_TORN,  /* in the middle of one */
    FAULT_CUT,   /* the power fails in front of a write or a flush, and so the process ends */
};

/* A write that has not been flushed. */
struct fault_write {
    struct fault_write *older;
    char *path; /* its own: the file may be closed by then */
    sqlite3_int64 offset;
    int length;
    char before[];
};

static struct {
    enum fault_kind kind;
    int left; /* writes or flushes before the fault */
    unsigned seed;
    bool pretends; /* flushes are counted, and not done: for what only ever dies by our hand */
    bool happened;
    int flushes;
    struct fault_write *unflushed; /* newest first; only for FAULT_CUT */
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    struct {
        const sqlite3_io_methods *real;
        sqlite3_io_methods methods;
    } tables[4];
    struct {
        const sqlite3_file *file;
        const char *path;
    } files[16]; /* a ring: of two with one address the later one is open */
    unsigned opened;
} fault;

static const sqlite3_io_methods *fault_real(const sqlite3_file *file)
{
    for (size_t i = 0; i < sizeof(fault.tables) / sizeof(fault.tables[0]); i++) {
        if (file->pMethods == &fault.tables[i].methods) {
            return fault.tables[i].real;
        }
    }
    abort();
}

/* SQLite keeps the name as long as the connection. */
static const char *fault_path(const sqlite3_file *file)
{
    for (unsigned i = fault.opened; i-- > 0 && fault.opened - i <= 16;) {
        if (fault.files[i % 16].file == file) {
            return fault.files[i % 16].path;
        }
    }
    abort();
}

static void fault_remember(sqlite3_file *file, int length, sqlite3_int64 offset)
{
    struct fault_write *one = calloc(1, sizeof(*one) + (size_t)length); /* zeros: past the end */
    if (one == NULL) {
        abort();
    }
    *one = (struct fault_write){fault.unflushed, strdup(fault_path(file)), offset, length};
    (void)fault_real(file)->xRead(file, one->before, length, offset);
    fault.unflushed = one;
}

static void fault_forget(const char *path)
{
    for (struct fault_write **at = &fault.unflushed; *at != NULL;) {
        struct fault_write *one = *at;
        if (strcmp(one->path, path) == 0) {
            *at = one->older;
            free(one->path);
            free(one);
        } else {
            at = &one->older;
        }
    }
}

/* Seed 0 loses all. The same sector has one fate, however often it was written. */
static bool fault_loses(const char *path, sqlite3_int64 sector)
{
    unsigned hash = fault.seed;
    hash = (hash ^ (unsigned)sector) * 2654435761u;
    hash = (hash ^ (unsigned char)path[strlen(path) - 1]) * 2654435761u;
    return fault.seed == 0 || (hash >> 16) % 2 == 0;
}

static void fault_cut(void)
{
    for (const struct fault_write *one = fault.unflushed; one != NULL; one = one->older) {
        int fd = open(one->path, O_WRONLY | O_CLOEXEC);
        for (sqlite3_int64 at = 0; at < one->length;) {
            sqlite3_int64 sector = (one->offset + at) / FAULT_SECTOR;
            sqlite3_int64 end = (sector + 1) * FAULT_SECTOR - one->offset;
            sqlite3_int64 stop = end < one->length ? end : one->length;
            if (fault_loses(one->path, sector) &&
                pwrite(fd, one->before + at, (size_t)(stop - at), one->offset + at) < 0) {
                abort();
            }
            at = stop;
        }
        (void)close(fd);
    }
    _exit(1);
}

static int fault_write(sqlite3_file *file, const void *data, int length, sqlite3_int64 offset)
{
    const sqlite3_io_methods *real = fault_real(file);
    bool counts = fault.kind != FAULT_NONE && fault.kind != FAULT_FLUSH;
    if (counts && fault.left == 0) {
        bool first = !fault.happened;
        fault.happened = true;
        if (fault.kind == FAULT_CUT) {
            fault_cut();
        }
        if (first && (fault.kind == FAULT_SHORT || fault.kind == FAULT_TORN)) {
            (void)real->xWrite(file, data, length / 2, offset);
        }
        if (fault.kind == FAULT_KILL || fault.kind == FAULT_TORN) {
            _exit(1);
        }
        return SQLITE_FULL; /* and so does every later one: the disk stays full */
    }
    fault.left -= counts;
    if (fault.kind == FAULT_CUT) {
        fault_remember(file, length, offset);
    }
    return real->xWrite(file, data, length, offset);
}

static int fault_sync(sqlite3_file *file, int flags)
{
    bool counts = fault.kind == FAULT_FLUSH || fault.kind == FAULT_CUT;
    fault.flushes++;
    if (counts && fault.left == 0 && fault.kind == FAULT_CUT) {
        fault_cut();
    }
    if (counts && fault.left-- == 0) {
        fault.happened = true;
        return SQLITE_IOERR_FSYNC;
    }
    if (fault.kind == FAULT_CUT) {
        fault_forget(fault_path(file));
    }
    return fault.pretends ? SQLITE_OK : fault_real(file)->xSync(file, flags);
}

static void fault_patch(sqlite3_file *file)
{
    for (size_t i = 0; i < sizeof(fault.tables) / sizeof(fault.tables[0]); i++) {
        if (fault.tables[i].real == NULL) {
            fault.tables[i].real = file->pMethods;
            fault.tables[i].methods = *file->pMethods;
            fault.tables[i].methods.xWrite = fault_write;
            fault.tables[i].methods.xSync = fault_sync;
        }
        if (fault.tables[i].real == file->pMethods) {
            file->pMethods = &fault.tables[i].methods;
            return;
        }
    }
    abort();
}

static int fault_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                      int *out_flags)
{
    (void)vfs;
    int result = fault.real->xOpen(fault.real, name, file, flags, out_flags);
    if (result == SQLITE_OK) {
        fault_patch(file);
        fault.files[fault.opened % 16].file = file;
        fault.files[fault.opened++ % 16].path = name != NULL ? name : "a temporary file";
    }
    return result;
}

static void fault_install(void)
{
    fault.real = sqlite3_vfs_find(NULL);
    fault.vfs = *fault.real;
    fault.vfs.zName = "fault";
    fault.vfs.xOpen = fault_open;
    (void)sqlite3_vfs_register(&fault.vfs, 1);
}

__attribute__((unused)) static void fault_remove(void)
{
    fault.kind = FAULT_NONE;
    (void)sqlite3_vfs_unregister(&fault.vfs);
}

/* In front of the fault that many writes go well; flushes, with FAULT_FLUSH; either, with FAULT_CUT. */
__attribute__((unused)) static void fault_arm(int steps, enum fault_kind kind)
{
    fault.left = steps;
    fault.kind = kind;
    fault.happened = false;
}

__attribute__((unused)) static void fault_disarm(void)
{
    fault.kind = FAULT_NONE;
}

#endif
