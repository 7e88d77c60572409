/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/migrate.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "store/connection.h"

int migrate_pragma(sqlite3 *db, const char *pragma, int *value)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, pragma, -1, &statement, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
        *value = result == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
    }
    (void)sqlite3_finalize(statement);
    return result == SQLITE_ROW ? SQLITE_OK : result;
}

/* Fails with SQLITE_CONSTRAINT_FOREIGNKEY when a row refers to one that is not there. */
static int check_foreign_keys(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, "PRAGMA foreign_key_check", -1, &statement, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
    }
    (void)sqlite3_finalize(statement);
    if (result == SQLITE_ROW) {
        return SQLITE_CONSTRAINT_FOREIGNKEY;
    }
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

static int apply(sqlite3 *db, const char *text, int version)
{
    AUTO_FREE char *stamp = str_format("PRAGMA user_version = %d", version);
    int result = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_exec(db, text, NULL, NULL, NULL);
    }
    if (result == SQLITE_OK) {
        result = check_foreign_keys(db);
    }
    if (result == SQLITE_OK) {
        result = sqlite3_exec(db, stamp, NULL, NULL, NULL);
    }
    if (result == SQLITE_OK) {
        result = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    return result;
}

int migrate_version(sqlite3 *db, const char *path, const struct migrations *migrations,
                    banger_error *err)
{
    int version = 0;
    int result = migrate_pragma(db, "PRAGMA user_version", &version);
    if (result != SQLITE_OK) {
        return connection_error(db, path, result, err);
    }
    if (version < 0 || version > migrations->count) {
        (void)error_set(err, BANGER_EUNSUPPORTED,
                        "the database %s has schema version %d, and this banger knows versions up "
                        "to %d",
                        path, version, migrations->count);
        return error_hint(err, "use the banger that wrote it, or a newer one; nothing has been "
                               "changed");
    }
    return version;
}

int migrate_run(sqlite3 *db, const char *path, const struct migrations *migrations,
                banger_error *err)
{
    int version = migrate_version(db, path, migrations, err);
    if (version < 0) {
        return -1;
    }
    for (; version < migrations->count; version++) {
        int result = apply(db, migrations->texts[version], version + 1);
        if (result != SQLITE_OK) {
            (void)connection_error(db, path, result, err);
            (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return error_prefix(err, "cannot bring the schema from version %d to %d: ", version,
                                version + 1);
        }
    }
    return 0;
}
