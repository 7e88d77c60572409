/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/journal.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/str.h"
#include "store/sql.h"

#include <string.h>

static const char *const state_names[] = {
    [RESOURCE_INTENT] = "intent",
    [RESOURCE_HELD] = "held",
};

const char *resource_state_name(enum resource_state state)
{
    size_t index = (size_t)state;
    return index < COUNT_OF(state_names) ? state_names[index] : "unknown";
}

/* What belongs to a VM's run ends with the machine, what belongs to none may not: store.h. */
int64_t journal_intend(struct store *store, const char *vm_id, const char *owner, const char *kind,
                       const char *key, const json_t *attrs, banger_error *err)
{
    if (failpoint_write("journal.intend", "before", err) < 0) {
        return -1;
    }
    AUTO_SQL struct sql sql =
        sql_open(store, vm_id != NULL ? SQL_WRITE_LAZY : SQL_WRITE,
                 "INSERT INTO resources (vm_id, owner, kind, key, attrs, state)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, 'intent') RETURNING id");
    sql_bind_text(&sql, vm_id);
    sql_bind_text(&sql, owner);
    sql_bind_text(&sql, kind);
    sql_bind_text(&sql, key);
    sql_bind_json(&sql, attrs);
    int64_t id = sql_insert(&sql, err);
    if (id < 0 && sql.result == SQLITE_CONSTRAINT_FOREIGNKEY) {
        return error_set(err, BANGER_ENOTFOUND, "no VM has the id %s (any more)", vm_id);
    }
    if (id < 0) {
        return error_prefix(err, "cannot note the %s %s down before taking it: ", kind, key);
    }
    failpoint_kill("journal.intend", "after"); /* whoever failed now would not know its row */
    return id;
}

int journal_held(struct store *store, int64_t id, const json_t *attrs, banger_error *err)
{
    if (failpoint_write("journal.held", "before", err) < 0) {
        return -1;
    }
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_WRITE_LAZY,
                 "UPDATE resources SET state = 'held',"
                 " attrs = CASE WHEN ?2 THEN ?3 ELSE attrs END WHERE id = ?1");
    sql_bind_int(&sql, id);
    sql_bind_int(&sql, attrs != NULL);
    sql_bind_json(&sql, attrs);
    int changed = sql_run(&sql, err);
    if (changed < 0) {
        return error_prefix(err, "cannot note resource %lld as held: ", (long long)id);
    }
    if (changed == 0) {
        return error_set(err, BANGER_ENOTFOUND, "resource %lld is held without its intent",
                         (long long)id);
    }
    return failpoint_write("journal.held", "after", err);
}

int journal_gone(struct store *store, int64_t id, banger_error *err)
{
    if (failpoint_write("journal.gone", "before", err) < 0) {
        return -1;
    }
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_WRITE_LAZY, "DELETE FROM resources WHERE id = ?1");
    sql_bind_int(&sql, id);
    if (sql_run(&sql, err) < 0) {
        return error_prefix(err, "cannot note resource %lld as gone: ", (long long)id);
    }
    return failpoint_write("journal.gone", "after", err);
}

static int state_parse(const char *name, enum resource_state *state, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(state_names); i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *state = (enum resource_state)i;
            return 0;
        }
    }
    return error_set(err, BANGER_ECORRUPT, "the database is damaged: a resource's state is '%s'",
                     name);
}

static void resource_clear(struct resource *resource)
{
    free(resource->owner);
    free(resource->kind);
    free(resource->key);
    json_decref(resource->attrs);
}

void resource_list_free(struct resource_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        resource_clear(&list->items[i]);
    }
    free(list->items);
    *list = (struct resource_list){0};
}

#define COLUMNS "id, vm_id, owner, kind, key, attrs, state"

static int resource_read(struct sql *sql, struct resource *resource, banger_error *err)
{
    *resource = (struct resource){.id = sql_column_int(sql, 0)};
    sql_column_copy(sql, 1, resource->vm_id, sizeof(resource->vm_id));
    resource->owner = sql_column_text(sql, 2);
    resource->kind = sql_column_text(sql, 3);
    resource->key = sql_column_text(sql, 4);
    resource->attrs = sql_column_json(sql, 5, resource->key, err);
    char state[16];
    sql_column_copy(sql, 6, state, sizeof(state));
    return resource->attrs == NULL ? -1 : state_parse(state, &resource->state, err);
}

static int read_list(struct sql *sql, struct resource_list *list, banger_error *err)
{
    *list = (struct resource_list){0};
    int row;
    while ((row = sql_step(sql, err)) > 0) {
        list->items = sql_grow(list->items, list->count, sizeof(list->items[0]));
        if (resource_read(sql, &list->items[list->count++], err) < 0) {
            row = -1;
            break;
        }
    }
    if (row < 0) {
        resource_list_free(list);
    }
    return row;
}

int journal_list(struct store *store, const char *vm_id, const char *owner,
                 struct resource_list *list, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_READ,
                                       "SELECT " COLUMNS " FROM resources"
                                       " WHERE vm_id IS ?1 AND (?2 IS NULL OR owner = ?2)"
                                       " ORDER BY id DESC");
    sql_bind_text(&sql, vm_id);
    sql_bind_text(&sql, owner);
    return read_list(&sql, list, err);
}

int journal_count(struct store *store, const char *vm_id, const char *owner, int64_t *count,
                  banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(
        store, SQL_READ, "SELECT count(*) FROM resources WHERE vm_id IS ?1 AND owner = ?2");
    sql_bind_text(&sql, vm_id);
    sql_bind_text(&sql, owner);
    if (sql_step(&sql, err) <= 0) {
        return -1;
    }
    *count = sql_column_int(&sql, 0);
    return 0;
}

bool journal_holds(struct store *store, const char *vm_id)
{
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT 1 FROM resources WHERE vm_id = ?1 LIMIT 1");
    sql_bind_text(&sql, vm_id);
    return sql_step(&sql, NULL) != 0;
}

int journal_list_all(struct store *store, struct resource_list *list, banger_error *err)
{
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT " COLUMNS " FROM resources ORDER BY id DESC");
    return read_list(&sql, list, err);
}
