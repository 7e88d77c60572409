/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/connection.h"

#include "base/log.h"
#include "base/str.h"
#include "store/documents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct store *connection_new(sqlite3 *db, const char *path)
{
    struct store *store = xcalloc(1, sizeof(*store));
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&store->lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    store->db = db;
    store->path = xstrdup(path);
    return store;
}

void connection_free(struct store *store)
{
    for (size_t i = 0; i < store->statement_count; i++) {
        (void)sqlite3_finalize(store->statements[i].statement);
    }
    if (sqlite3_close(store->db) != SQLITE_OK) {
        log_error("closing the database %s: %s", store->path, sqlite3_errmsg(store->db));
    }
    documents_free(store->documents);
    free(store->statements);
    free(store->path);
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
}

static enum banger_code code_of_result(int result, int system_errno)
{
    switch (result & 0xff) {
    case SQLITE_FULL:
        return BANGER_EFULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return BANGER_ECORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return BANGER_EBUSY;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return BANGER_EPERMISSION;
    case SQLITE_TOOBIG:
        return BANGER_EINVALID;
    case SQLITE_CANTOPEN:
        return system_errno == EACCES || system_errno == EROFS ? BANGER_EPERMISSION : BANGER_EIO;
    case SQLITE_IOERR: /* SQLite knows ENOSPC on a write of a page, but neither quotas nor mmap */
        return system_errno == ENOSPC || system_errno == EDQUOT ? BANGER_EFULL : BANGER_EIO;
    case SQLITE_MISUSE:
    case SQLITE_ERROR:
    case SQLITE_RANGE:
        return BANGER_EINTERNAL;
    default:
        return BANGER_EIO;
    }
}

int connection_error(sqlite3 *db, const char *path, int result, banger_error *err)
{
    bool latest = (sqlite3_errcode(db) & 0xff) == (result & 0xff);
    const char *text = latest ? sqlite3_errmsg(db) : sqlite3_errstr(result);
    int system_errno = sqlite3_system_errno(db);
    bool from_system = (result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN;
    enum banger_code code = code_of_result(result, system_errno);
    (void)error_set(err, code, "the database %s: %s%s%s", path, text,
                    from_system && system_errno != 0 ? ": " : "",
                    from_system && system_errno != 0 ? strerror(system_errno) : "");
    switch (code) {
    case BANGER_EFULL:
        return error_hint(err, "free some space on its file system; the database is as it was");
    case BANGER_ECORRUPT:
        return error_hint(err,
                          "running VMs are not touched; stop bangerd, keep a copy (cp -a %s "
                          "%s.damaged), then repair it (sqlite3 %s.damaged .recover) or put a "
                          "backup in its place",
                          path, path, path);
    case BANGER_EBUSY:
        return error_hint(err, "another program has it open for writing; end that one");
    default:
        return -1;
    }
}
