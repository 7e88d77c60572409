/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "store/oplog.h"
#include "store/sql.h"

static json_t *event_json(int64_t id, int64_t time_ms, const char *type, const char *vm_id,
                          const char *vm_name, json_t *data)
{
    char when[CLOCK_TEXT_MAX];
    clock_format(time_ms, when);
    return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o}", "id", (json_int_t)id, "time", when, "type",
                     json_lossy_string(type), "vm", json_lossy_string(vm_id), "name",
                     json_lossy_string(vm_name), "data", data);
}

int64_t event_append(struct store *store, const char *type, const char *vm_id, const char *vm_name,
                     const json_t *data, json_t **event, banger_error *err)
{
    int64_t now = clock_wall_ms();
    AUTO_SQL struct sql sql = sql_open(store, SQL_WRITE_LAZY,
                                       "INSERT INTO events (time_ms, type, vm_id, vm_name, data)"
                                       " VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id");
    sql_bind_int(&sql, now);
    sql_bind_text(&sql, type);
    sql_bind_text(&sql, vm_id);
    sql_bind_text(&sql, vm_name);
    sql_bind_json(&sql, data);
    int64_t id = sql_insert(&sql, err);
    if (id < 0) {
        return error_prefix(err, "cannot log the event %s: ", type);
    }
    if (event != NULL) {
        json_t *copy = data != NULL ? json_deep_copy(data) : json_object();
        *event = event_json(id, now, type, vm_id, vm_name, copy);
    }
    return id;
}

json_t *event_list(struct store *store, int64_t after, size_t limit, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_READ,
                                       "SELECT id, time_ms, type, vm_id, vm_name, data FROM events"
                                       " WHERE id > ?1 ORDER BY id LIMIT ?2");
    sql_bind_int(&sql, after);
    sql_bind_int(&sql, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    AUTO_JSON json_t *list = json_array();
    int row;
    while ((row = sql_step(&sql, err)) > 0) {
        AUTO_FREE char *type = sql_column_text(&sql, 2);
        AUTO_FREE char *vm_id = sql_column_text(&sql, 3);
        AUTO_FREE char *vm_name = sql_column_text(&sql, 4);
        json_t *data = sql_column_json(&sql, 5, type, err);
        if (data == NULL) {
            return NULL;
        }
        (void)json_array_append_new(list,
                                    event_json(sql_column_int(&sql, 0), sql_column_int(&sql, 1),
                                               type, vm_id, vm_name, data));
    }
    return row < 0 ? NULL : STEAL(list);
}
