/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The body of a store, for the files that manage the connection: store.c, sql.c, transaction.c and
 * documents.c. Tables go through sql.h. */
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include "store/sql.h"

#include <pthread.h>
#include <sqlite3.h>

struct cached_statement {
    const char *text; /* a literal: its address is the key */
    sqlite3_stmt *statement;
};

struct store {
    pthread_mutex_t lock; /* recursive: a transaction holds it from begin to end */
    sqlite3 *db;
    char *path;
    int depth; /* open transactions (the outermost, then savepoints) of the thread with the lock */
    enum sql_flush flush; /* what PRAGMA synchronous is set to */
    struct cached_statement *statements;
    size_t statement_count;
    struct documents *documents; /* what vm_list_all has parsed */
};

/* Takes over `db`. */
struct store *connection_new(sqlite3 *db, const char *path);
void connection_free(struct store *store);

/* Sets the error for a result code of SQLite on the database at `path`. Returns -1. */
int connection_error(sqlite3 *db, const char *path, int result, banger_error *err);

#endif
