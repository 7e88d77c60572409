/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log is written lazily: it is told to people, and nothing is decided by it. */
#include "store/oplog.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/str.h"
#include "store/sql.h"

static const char *stage_outcome_name(int outcome)
{
    if (outcome < 0) {
        return "failed";
    }
    return outcome == 0 ? "done" : "skipped";
}

int64_t oplog_begin(struct store *store, const char *kind, const char *vm_id, const char *vm_name,
                    banger_error *err)
{
    if (failpoint_write("oplog.begin", "before", err) < 0) {
        return -1;
    }
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_WRITE_LAZY,
                 "INSERT INTO operations (vm_id, seq, vm_name, kind, started_ms) VALUES (?1,"
                 " (SELECT coalesce(max(seq), 0) + 1 FROM operations WHERE vm_id = ?1),"
                 " ?2, ?3, ?4) RETURNING id");
    sql_bind_text(&sql, str_or(vm_id, ""));
    sql_bind_text(&sql, vm_name);
    sql_bind_text(&sql, kind);
    sql_bind_int(&sql, clock_wall_ms());
    int64_t id = sql_insert(&sql, err);
    return id < 0 ? error_prefix(err, "cannot log the operation %s: ", kind) : id;
}

static json_t *stages_json(const struct oplog_stage *stages, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct oplog_stage *stage = &stages[i];
        json_t *json = json_pack("{s:o, s:I, s:I, s:s, s:o}",            /* */
                                 "name", json_lossy_string(stage->name), /* */
                                 "started_us", (json_int_t)(stage->started_ns / 1000), "took_us",
                                 (json_int_t)(stage->took_ns / 1000),           /* */
                                 "outcome", stage_outcome_name(stage->outcome), /* */
                                 "error", json_lossy_string(stage->error));
        (void)json_array_append_new(list, json);
    }
    return list;
}

int oplog_end(struct store *store, int64_t id, const char *outcome, const char *error,
              int64_t took_ns, const struct oplog_stage *stages, size_t count, banger_error *err)
{
    if (failpoint_write("oplog.end", "before", err) < 0) {
        return -1;
    }
    AUTO_JSON json_t *list = stages_json(stages, count);
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_WRITE_LAZY,
                 "UPDATE operations SET outcome = ?2, error = ?3, took_ns = ?4, stages = ?5"
                 " WHERE id = ?1");
    sql_bind_int(&sql, id);
    sql_bind_text(&sql, outcome);
    sql_bind_text(&sql, error);
    sql_bind_int(&sql, took_ns);
    sql_bind_json(&sql, list);
    int changed = sql_run(&sql, err);
    if (changed < 0) {
        return error_prefix(err, "cannot log the end of operation %lld: ", (long long)id);
    }
    if (changed == 0) {
        return error_set(err, BANGER_ENOTFOUND, "there is no operation %lld", (long long)id);
    }
    return 0;
}

int oplog_interrupt_all(struct store *store, banger_error *err)
{
    return sql_execute(store, SQL_WRITE_LAZY,
                       "UPDATE operations SET outcome = 'interrupted',"
                       " error = 'the daemon ended before the operation did'"
                       " WHERE outcome = 'running'",
                       err);
}

static json_t *operation_read(struct sql *sql, banger_error *err)
{
    AUTO_FREE char *kind = sql_column_text(sql, 1);
    AUTO_FREE char *vm_id = sql_column_text(sql, 2);
    AUTO_FREE char *vm_name = sql_column_text(sql, 3);
    AUTO_FREE char *outcome = sql_column_text(sql, 6);
    AUTO_FREE char *error = sql_column_text(sql, 7);
    json_t *stages = sql_column_json(sql, 8, kind, err);
    if (stages == NULL) {
        return NULL;
    }
    char started[CLOCK_TEXT_MAX];
    clock_format(sql_column_int(sql, 4), started);
    bool known = sqlite3_column_type(sql->statement, 5) != SQLITE_NULL;
    json_t *took_ms = known ? json_integer(sql_column_int(sql, 5) / 1000000) : json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "id",
                     (json_int_t)sql_column_int(sql, 0), "kind", json_lossy_string(kind), "vm",
                     json_lossy_string(vm_id), "name", json_lossy_string(vm_name), "started",
                     started, "took_ms", took_ms, "outcome", json_lossy_string(outcome), "error",
                     json_lossy_string(error), "stages", stages);
}

#define COLUMNS "id, kind, nullif(vm_id, ''), vm_name, started_ms, took_ns, outcome, error, stages"

json_t *oplog_list(struct store *store, const char *vm_id, size_t limit, banger_error *err)
{
    AUTO_SQL struct sql sql =
        vm_id != NULL ? sql_open(store, SQL_READ,
                                 "SELECT " COLUMNS " FROM (SELECT * FROM operations"
                                 " WHERE vm_id = ?2 ORDER BY seq DESC LIMIT ?1) ORDER BY id")
                      : sql_open(store, SQL_READ,
                                 "SELECT " COLUMNS " FROM (SELECT * FROM operations"
                                 " ORDER BY id DESC LIMIT ?1) ORDER BY id");
    sql_bind_int(&sql, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    if (vm_id != NULL) {
        sql_bind_text(&sql, vm_id);
    }
    AUTO_JSON json_t *list = json_array();
    int row;
    while ((row = sql_step(&sql, err)) > 0) {
        json_t *operation = operation_read(&sql, err);
        if (operation == NULL) {
            return NULL;
        }
        (void)json_array_append_new(list, operation);
    }
    return row < 0 ? NULL : STEAL(list);
}
