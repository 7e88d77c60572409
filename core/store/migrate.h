/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Schema versions. A migration and its number (PRAGMA user_version) are committed together, so that
 * a crash anywhere leaves the schema of one version, never something between two.
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/error.h"

#include <sqlite3.h>

/* The text of the table's row N leads from version N to N + 1: rows are only ever appended. */
struct migrations {
    const char *const *texts;
    int count; /* the version that this build speaks */
};

extern const struct migrations schema_migrations;

/* "BNGR" as in BANGER_ABI_MAGIC: PRAGMA application_id tells our files from other programs'. */
#define SCHEMA_APPLICATION_ID 0x52474e42

/* Reads one integer PRAGMA ("PRAGMA user_version"). Returns SQLite's result code. */
int migrate_pragma(sqlite3 *db, const char *pragma, int *value);

/* Reads the version and refuses a newer one than the table's with EUNSUPPORTED. Returns it or -1.
 */
int migrate_version(sqlite3 *db, const char *path, const struct migrations *migrations,
                    banger_error *err);
/* Brings the database to the table's version; `path` is for messages. Wants foreign keys
 * off: they are checked before each commit. */
int migrate_run(sqlite3 *db, const char *path, const struct migrations *migrations,
                banger_error *err);

#endif
