/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run of one SQL statement, so that a table's file reads as SQL and mapping:
 *
 *     AUTO_SQL struct sql sql = sql_open(store, SQL_WRITE, "DELETE FROM images WHERE id = ?1");
 *     sql_bind_text(&sql, id);
 *     return sql_run(&sql, err);
 *
 * The store is locked from sql_open to the end of the scope. A failure on the way is kept, and
 * reported by the next sql_step or sql_run: binding needs no checks. Statements stay prepared until
 * the store is closed; they are found by the address of their text, which must be a literal.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "store/store.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>

/* What a statement asks of the disk when it is committed by itself (store.h says why). */
enum sql_flush {
    SQL_READ,       /* nothing */
    SQL_WRITE_LAZY, /* whole after a crash of the daemon, perhaps gone after one of the machine */
    SQL_WRITE,      /* on the disk before the call returns */
};

struct sql {
    struct store *store;
    sqlite3_stmt *statement;
    int bound;  /* parameters bound so far */
    int result; /* the first result code that was no success, with its extension; or SQLITE_OK */
};

struct sql sql_open(struct store *store, enum sql_flush flush, const char *text);
void sql_close(struct sql *sql);
#define AUTO_SQL __attribute__((cleanup(sql_close)))

/* Each fills the next parameter. NULL text is SQL's NULL; NULL JSON is an empty object. */
void sql_bind_text(struct sql *sql, const char *text);
void sql_bind_int(struct sql *sql, int64_t value);
void sql_bind_json(struct sql *sql, const json_t *json);

/* 1: a row is there; 0: no more; -1. */
int sql_step(struct sql *sql, banger_error *err);
/* Runs a statement that gives no rows; returns how many rows it changed, or -1. */
int sql_run(struct sql *sql, banger_error *err);
/* Runs an INSERT ... RETURNING id to its end, which commits it; returns the id, or -1. */
int64_t sql_insert(struct sql *sql, banger_error *err);
/* sql_run for a statement without parameters. */
int sql_execute(struct store *store, enum sql_flush flush, const char *text, banger_error *err);

/* Columns of the present row, counted from 0. Fixed fields are cut to their size. */
void sql_column_copy(struct sql *sql, int column, char *text, size_t size);
char *sql_column_text(struct sql *sql, int column); /* a new string; NULL for NULL */
int64_t sql_column_int(struct sql *sql, int column);
/* A new reference; ECORRUPT when it is not JSON, with `whose` record it is. */
json_t *sql_column_json(struct sql *sql, int column, const char *whose, banger_error *err);

/* Runs a query of (text, how many rows there are) and returns "'a', 'b' and 3 more"; a new string,
 * empty when there is no row, NULL on failure. The query has a LIMIT. */
char *sql_enumerate(struct sql *sql, banger_error *err);

/* `items` with room for one more behind `count` of them. */
void *sql_grow(void *items, size_t count, size_t size);

#endif
