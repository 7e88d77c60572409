/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A layer over SQLite's file system that lets the Nth write from now on fail as on a full disk, or
 * end the process in front of it, and that counts flushes. It keeps the unix VFS's own file objects and replaces the write
 * function in copies of their method tables, of which there is one a locking style.
 */
#ifndef TESTS_FAULT_VFS_H
#define TESTS_FAULT_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
    int writes_left; /* before the fault; -1: none is armed */
    bool ends_process;
    bool happened;
    int flushes;
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    struct {
        const sqlite3_io_methods *real;
        sqlite3_io_methods methods;
    } tables[4];
} fault = {.writes_left = -1};

static int fault_write(sqlite3_file *file, const void *data, int length, sqlite3_int64 offset)
{
    if (fault.writes_left == 0) {
        fault.happened = true;
        if (fault.ends_process) {
            _exit(1);
        }
        return SQLITE_FULL; /* and so does every later one: the disk stays full */
    }
    fault.writes_left -= fault.writes_left > 0;
    for (size_t i = 0; i < sizeof(fault.tables) / sizeof(fault.tables[0]); i++) {
        if (file->pMethods == &fault.tables[i].methods) {
            return fault.tables[i].real->xWrite(file, data, length, offset);
        }
    }
    abort();
}

static int fault_sync(sqlite3_file *file, int flags)
{
    fault.flushes++;
    for (size_t i = 0; i < sizeof(fault.tables) / sizeof(fault.tables[0]); i++) {
        if (file->pMethods == &fault.tables[i].methods) {
            return fault.tables[i].real->xSync(file, flags);
        }
    }
    abort();
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
    fault.writes_left = -1;
    (void)sqlite3_vfs_unregister(&fault.vfs);
}

__attribute__((unused)) static void fault_arm(int writes, bool ends_process)
{
    fault.writes_left = writes;
    fault.ends_process = ends_process;
    fault.happened = false;
}

__attribute__((unused)) static void fault_disarm(void)
{
    fault.writes_left = -1;
}

#endif
