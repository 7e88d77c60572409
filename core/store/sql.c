/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/sql.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "store/connection.h"

#include <stdint.h>
#include <string.h>

static sqlite3_stmt *statement_find(struct store *store, const char *text)
{
    for (size_t i = 0; i < store->statement_count; i++) {
        if (store->statements[i].text == text) {
            return store->statements[i].statement;
        }
    }
    return NULL;
}

static int statement_get(struct store *store, const char *text, sqlite3_stmt **statement)
{
    sqlite3_stmt *found = statement_find(store, text);
    if (found != NULL) {
        if (sqlite3_stmt_busy(found)) {
            return SQLITE_MISUSE; /* a statement run inside a run of itself */
        }
        *statement = found;
        return SQLITE_OK;
    }
    int result = sqlite3_prepare_v3(store->db, text, -1, SQLITE_PREPARE_PERSISTENT, &found, NULL);
    if (result != SQLITE_OK) {
        return result;
    }
    store->statements =
        sql_grow(store->statements, store->statement_count, sizeof(store->statements[0]));
    store->statements[store->statement_count++] =
        (struct cached_statement){.text = text, .statement = found};
    *statement = found;
    return SQLITE_OK;
}

/* Has no effect inside a transaction, where SQLite refuses it: the outermost begin has decided. */
static int set_flush(struct store *store, enum sql_flush flush)
{
    if (flush == SQL_READ || flush == store->flush || store->depth > 0) {
        return SQLITE_OK;
    }
    const char *text =
        flush == SQL_WRITE ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
    int result = sqlite3_exec(store->db, text, NULL, NULL, NULL);
    if (result == SQLITE_OK) {
        store->flush = flush;
    }
    return result;
}

struct sql sql_open(struct store *store, enum sql_flush flush, const char *text)
{
    (void)pthread_mutex_lock(&store->lock);
    struct sql sql = {.store = store};
    /* After a full disk, say, SQLite has rolled the transaction back by itself: what follows must
     * not be committed statement by statement. Nor may a transaction that nobody will commit. */
    bool in_transaction = sqlite3_get_autocommit(store->db) == 0;
    if (in_transaction != (store->depth > 0)) {
        sql.result = SQLITE_ABORT_ROLLBACK;
        return sql;
    }
    sql.result = set_flush(store, flush);
    if (sql.result == SQLITE_OK) {
        sql.result = statement_get(store, text, &sql.statement);
    }
    return sql;
}

void sql_close(struct sql *sql)
{
    if (sql->statement != NULL) {
        (void)sqlite3_reset(sql->statement); /* repeats what the last step has reported */
        (void)sqlite3_clear_bindings(sql->statement);
    }
    (void)pthread_mutex_unlock(&sql->store->lock);
}

void sql_bind_text(struct sql *sql, const char *text)
{
    if (sql->result == SQLITE_OK) {
        sql->result = sqlite3_bind_text(sql->statement, ++sql->bound, text, -1, SQLITE_TRANSIENT);
    }
}

void sql_bind_int(struct sql *sql, int64_t value)
{
    if (sql->result == SQLITE_OK) {
        sql->result = sqlite3_bind_int64(sql->statement, ++sql->bound, value);
    }
}

void sql_bind_json(struct sql *sql, const json_t *json)
{
    char *text = json != NULL ? json_text(json) : xstrdup("{}");
    if (sql->result == SQLITE_OK) {
        sql->result = sqlite3_bind_text(sql->statement, ++sql->bound, text, -1, free);
    } else {
        free(text);
    }
}

int sql_step(struct sql *sql, banger_error *err)
{
    if (sql->result == SQLITE_OK) {
        int result = sqlite3_step(sql->statement);
        if (result == SQLITE_ROW) {
            return 1;
        }
        if (result == SQLITE_DONE) {
            return 0;
        }
        sql->result = result;
    }
    return connection_error(sql->store->db, sql->store->path, sql->result, err);
}

int sql_run(struct sql *sql, banger_error *err)
{
    int row = sql_step(sql, err);
    if (row < 0) {
        return -1;
    }
    return sqlite3_stmt_readonly(sql->statement) ? 0 : sqlite3_changes(sql->store->db);
}

int64_t sql_insert(struct sql *sql, banger_error *err)
{
    int row = sql_step(sql, err);
    int64_t id = row > 0 ? sql_column_int(sql, 0) : 0;
    while (row > 0) {
        row = sql_step(sql, err);
    }
    return row < 0 ? -1 : id;
}

int sql_execute(struct store *store, enum sql_flush flush, const char *text, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, flush, text);
    return sql_run(&sql, err);
}

void sql_column_copy(struct sql *sql, int column, char *text, size_t size)
{
    const char *value = (const char *)sqlite3_column_text(sql->statement, column);
    size_t length = value != NULL ? strnlen(value, size - 1) : 0;
    if (length > 0) {
        memcpy(text, value, length);
    }
    text[length] = '\0';
}

char *sql_column_text(struct sql *sql, int column)
{
    const char *value = (const char *)sqlite3_column_text(sql->statement, column);
    return value != NULL ? xstrdup(value) : NULL;
}

int64_t sql_column_int(struct sql *sql, int column)
{
    return sqlite3_column_int64(sql->statement, column);
}

json_t *sql_column_json(struct sql *sql, int column, const char *whose, banger_error *err)
{
    const char *text = (const char *)sqlite3_column_text(sql->statement, column);
    size_t length = (size_t)sqlite3_column_bytes(sql->statement, column);
    banger_error problem = BANGER_ERROR_INIT;
    json_t *json = json_parse("a document", str_or(text, ""), length, &problem);
    if (json == NULL) {
        (void)error_set(err, BANGER_ECORRUPT,
                        "the database %s is damaged: in the record of '%s', %s", sql->store->path,
                        str_or(whose, "?"), problem.message);
    }
    return json;
}

char *sql_enumerate(struct sql *sql, banger_error *err)
{
    AUTO_BUF struct buf out = BUF_INIT;
    int64_t shown = 0;
    int64_t total = 0;
    int row;
    while ((row = sql_step(sql, err)) > 0) {
        total = sql_column_int(sql, 1);
        AUTO_FREE char *text = sql_column_text(sql, 0);
        const char *glue = shown == 0 ? "" : shown + 1 == total ? " and " : ", ";
        buf_printf(&out, "%s'%s'", glue, str_or(text, ""));
        shown++;
    }
    if (row < 0) {
        return NULL;
    }
    if (shown < total) {
        buf_printf(&out, " and %lld more", (long long)(total - shown));
    }
    return buf_steal(&out);
}

void *sql_grow(void *items, size_t count, size_t size)
{
    /* Full exactly when the count is 0, or a power of two from 8 on. */
    if (count == 0) {
        return xrealloc(items, 8 * size);
    }
    bool full = count >= 8 && (count & (count - 1)) == 0;
    return full ? xrealloc(items, 2 * count * size) : items;
}
