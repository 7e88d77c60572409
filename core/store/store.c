/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening, in the order that a doubtful file is told from ours before a byte of it is written:
 *
 *  1. No file: a new one is made under another name and renamed when it is whole. So a file that is
 *     there has a schema, and an empty one is damage.
 *  2. The file and its companions (-wal, -shm) are regular files of ours or of root, mode 0600.
 *  3. It is SQLite's, it has our application id, its version is not newer than ours.
 *  4. quick_check finds nothing wrong.
 *  5. Migrations, then WAL mode and foreign keys.
 */
#include "store/store.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "store/connection.h"
#include "store/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 5000       /* for a person's sqlite3 on the same file */
#define ROW_MAX (16 * 1024 * 1024) /* bytes; what json_parse takes back */
#define OPEN_FLAGS (SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW)

static void cleanup_db(sqlite3 **db)
{
    (void)sqlite3_close(*db);
}
#define AUTO_DB __attribute__((cleanup(cleanup_db)))

/* 1: a file that we may trust; 0: there is none; -1. */
static int check_file(const char *path, banger_error *err)
{
    struct stat info;
    if (lstat(path, &info) < 0) {
        return errno == ENOENT ? 0 : error_sys(err, errno, "cannot look at the database %s", path);
    }
    if (!S_ISREG(info.st_mode)) {
        (void)error_set(err, BANGER_EPERMISSION, "the database %s is %s, not a regular file", path,
                        S_ISLNK(info.st_mode) ? "a symbolic link" : "something else");
        return error_hint(err, "move it away; to keep the state elsewhere, set BANGER_HOME");
    }
    if (info.st_uid != geteuid() && info.st_uid != 0) {
        (void)error_set(err, BANGER_EPERMISSION,
                        "the database %s belongs to user %u; it must be user %u's or root's", path,
                        (unsigned)info.st_uid, (unsigned)geteuid());
        return error_hint(err, "run banger as that user, or set BANGER_HOME to a folder of yours");
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0 && chmod(path, S_IRUSR | S_IWUSR) < 0) {
        return error_sys(err, errno, "cannot make the database %s private", path);
    }
    return 1;
}

static int check_files(const char *path, banger_error *err)
{
    static const char *const companions[] = {"-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(companions); i++) {
        AUTO_FREE char *companion = str_format("%s%s", path, companions[i]);
        if (check_file(companion, err) < 0) {
            return -1;
        }
    }
    return check_file(path, err);
}

/* The path with its folder resolved, so that SQLite can be told to follow no link. */
static char *resolve(const char *path, banger_error *err)
{
    AUTO_FREE char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL || slash[1] == '\0') {
        (void)error_set(err, BANGER_EINVALID, "invalid path of a database '%s'", path);
        return NULL;
    }
    *slash = '\0';
    AUTO_FREE char *resolved = realpath(folder[0] != '\0' ? folder : "/", NULL);
    if (resolved == NULL) {
        (void)error_sys(err, errno, "cannot open the folder %s", folder);
        return NULL;
    }
    return str_format("%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, slash + 1);
}

static int make_whole(const char *path, banger_error *err)
{
    AUTO_CLOSE int fd =
        open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return error_sys(err, errno, "cannot create the database %s", path);
    }
    AUTO_DB sqlite3 *db = NULL;
    int result = sqlite3_open_v2(path, &db, OPEN_FLAGS, NULL);
    if (result != SQLITE_OK) {
        return connection_error(db, path, result, err);
    }
    return migrate_run(db, path, &schema_migrations, err);
}

static int create(const char *path, banger_error *err)
{
    AUTO_FREE char *staging = str_format("%s.new", path);
    AUTO_FREE char *journal = str_format("%s.new-journal", path);
    if (file_remove(journal, err) < 0 || file_remove(staging, err) < 0) { /* of a crash in here */
        return -1;
    }
    if (make_whole(staging, err) < 0) {
        (void)file_remove(journal, NULL);
        (void)file_remove(staging, NULL);
        return -1;
    }
    return dir_publish(staging, path, err);
}

static int report_damage(sqlite3 *db, const char *path, const char *finding, banger_error *err)
{
    banger_error known = BANGER_ERROR_INIT;
    (void)connection_error(db, path, SQLITE_CORRUPT, &known); /* for its hint */
    const char *line = strrchr(finding, '\n'); /* before it: "*** in database main ***" */
    (void)error_set(err, BANGER_ECORRUPT, "the database %s is damaged: %s", path,
                    line != NULL ? line + 1 : finding);
    return error_hint(err, "%s", known.hint);
}

static int check_identity(sqlite3 *db, const char *path, banger_error *err)
{
    int id = 0;
    int pages = 0;
    int result = migrate_pragma(db, "PRAGMA application_id", &id);
    if (result == SQLITE_OK) {
        result = migrate_pragma(db, "PRAGMA page_count", &pages);
    }
    if (result != SQLITE_OK) {
        return connection_error(db, path, result, err);
    }
    if (pages == 0) {
        return report_damage(db, path, "it is empty", err);
    }
    if (id != SCHEMA_APPLICATION_ID) {
        (void)error_set(err, BANGER_EUNSUPPORTED, "%s is a database, but not one of banger's",
                        path);
        return error_hint(err, "move it away; nothing has been changed");
    }
    return migrate_version(db, path, &schema_migrations, err);
}

static int check_integrity(sqlite3 *db, const char *path, banger_error *err)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
    }
    int outcome = 0;
    if (result != SQLITE_ROW) {
        outcome = connection_error(db, path, result, err);
    } else {
        const char *finding = (const char *)sqlite3_column_text(statement, 0);
        if (!str_equal(finding, "ok")) {
            outcome = report_damage(db, path, str_or(finding, "unknown"), err);
        }
    }
    (void)sqlite3_finalize(statement);
    return outcome;
}

static int configure(sqlite3 *db, const char *path, banger_error *err)
{
    int result =
        sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON", NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : connection_error(db, path, result, err);
}

static int prepare(sqlite3 *db, const char *path, banger_error *err)
{
    (void)sqlite3_extended_result_codes(db, 1);
    (void)sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, ROW_MAX);
    if (sqlite3_db_readonly(db, "main") == 1) { /* what SQLite falls back to without a word */
        (void)error_set(err, BANGER_EPERMISSION, "the database %s cannot be written", path);
        return error_hint(err,
                          "check its owner and mode, and whether its file system is read-only");
    }
    if (check_identity(db, path, err) < 0 || check_integrity(db, path, err) < 0 ||
        migrate_run(db, path, &schema_migrations, err) < 0) {
        return -1;
    }
    return configure(db, path, err);
}

struct store *store_open(const char *path, banger_error *err)
{
    AUTO_FREE char *resolved = resolve(path, err);
    if (resolved == NULL) {
        return NULL;
    }
    int found = check_files(resolved, err);
    if (found < 0 || (found == 0 && create(resolved, err) < 0)) {
        return NULL;
    }
    AUTO_DB sqlite3 *db = NULL;
    int result = sqlite3_open_v2(resolved, &db, OPEN_FLAGS, NULL);
    if (result != SQLITE_OK) {
        (void)connection_error(db, resolved, result, err);
        return NULL;
    }
    if (prepare(db, resolved, err) < 0) {
        return NULL;
    }
    return connection_new(STEAL(db), resolved);
}

void store_close(struct store *store)
{
    if (store != NULL) {
        connection_free(store);
    }
}
