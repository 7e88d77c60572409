/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/vm_table.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/connection.h"
#include "store/documents.h"
#include "store/find.h"

#include <string.h>

static const char *const state_names[] = {
    [VM_CREATED] = "created",
    [VM_RUNNING] = "running",
    [VM_STOPPED] = "stopped",
    [VM_ERROR] = "error",
};

static const struct find_table vms = {
    .noun = "VM",
    .list = "banger vm list",
    .matches = FIND_MATCHES("vms"),
    .candidates = FIND_CANDIDATES("vms"),
    .names = FIND_NAMES("vms"),
};

const char *vm_state_name(enum vm_state state)
{
    size_t index = (size_t)state;
    return index < COUNT_OF(state_names) ? state_names[index] : "unknown";
}

void vm_record_free(struct vm_record *vm)
{
    json_decref(vm->spec);
    json_decref(vm->runtime);
    free(vm->last_error);
    *vm = (struct vm_record){0};
}

/* -- Writing -------------------------------------------------------------------------------- */

static int explain_conflict(const struct sql *sql, const struct vm_record *vm, banger_error *err)
{
    switch (sql->result) {
    case SQLITE_CONSTRAINT_UNIQUE:
        (void)error_set(err, BANGER_EEXISTS, "a VM named '%s' exists already", vm->name);
        return error_hint(err, "choose another name, or delete it: banger vm delete %s", vm->name);
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        (void)error_set(err, BANGER_ENOTFOUND,
                        "the image %s or the kernel %s of the VM '%s' does not exist (any more)",
                        vm->image_id, vm->kernel_id, vm->name);
        return error_hint(err, "see 'banger image list' and 'banger kernel list'");
    default:
        return error_prefix(err, "cannot write the VM '%s': ", vm->name);
    }
}

int vm_insert(struct store *store, const struct vm_record *vm, banger_error *err)
{
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_WRITE,
                 "INSERT INTO vms (id, name, image_id, kernel_id, state, spec, runtime, last_error,"
                 " created_ms, updated_ms, started_ms)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    sql_bind_text(&sql, vm->id);
    sql_bind_text(&sql, vm->name);
    sql_bind_text(&sql, vm->image_id);
    sql_bind_text(&sql, vm->kernel_id);
    sql_bind_text(&sql, vm_state_name(vm->state));
    sql_bind_json(&sql, vm->spec);
    sql_bind_json(&sql, vm->runtime);
    sql_bind_text(&sql, vm->last_error);
    sql_bind_int(&sql, vm->created_ms);
    sql_bind_int(&sql, vm->updated_ms);
    sql_bind_int(&sql, vm->started_ms);
    return sql_run(&sql, err) < 0 ? explain_conflict(&sql, vm, err) : 0;
}

static int report_gone(const char *id, banger_error *err)
{
    return error_set(err, BANGER_ENOTFOUND, "no VM has the id %s (any more)", id);
}

int vm_update(struct store *store, struct vm_record *vm, banger_error *err)
{
    int64_t now = clock_wall_ms();
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_WRITE,
                 "UPDATE vms SET name = ?2, image_id = ?3, kernel_id = ?4, state = ?5, spec = ?6,"
                 " runtime = ?7, last_error = ?8, updated_ms = ?9, started_ms = ?10"
                 " WHERE id = ?1");
    sql_bind_text(&sql, vm->id);
    sql_bind_text(&sql, vm->name);
    sql_bind_text(&sql, vm->image_id);
    sql_bind_text(&sql, vm->kernel_id);
    sql_bind_text(&sql, vm_state_name(vm->state));
    sql_bind_json(&sql, vm->spec);
    sql_bind_json(&sql, vm->runtime);
    sql_bind_text(&sql, vm->last_error);
    sql_bind_int(&sql, now);
    sql_bind_int(&sql, vm->started_ms);
    int changed = sql_run(&sql, err);
    if (changed < 0) {
        return explain_conflict(&sql, vm, err);
    }
    if (changed == 0) {
        return report_gone(vm->id, err);
    }
    vm->updated_ms = now;
    return 0;
}

static int report_holding(struct store *store, const char *id, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_READ,
                                       "SELECT kind || ' ' || key, count(*) OVER () FROM resources"
                                       " WHERE vm_id = ?1 ORDER BY id DESC LIMIT 5");
    sql_bind_text(&sql, id);
    AUTO_FREE char *list = sql_enumerate(&sql, err);
    if (list == NULL) {
        return -1;
    }
    (void)error_set(err, BANGER_EBUSY, "the VM %s still holds %s", id, list);
    return error_hint(err, "stop it first, so that they are released: banger vm stop %s", id);
}

int vm_remove(struct store *store, const char *id, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_WRITE, "DELETE FROM vms WHERE id = ?1");
    sql_bind_text(&sql, id);
    int changed = sql_run(&sql, err);
    if (changed < 0) {
        return sql.result == SQLITE_CONSTRAINT_FOREIGNKEY
                   ? report_holding(store, id, err)
                   : error_prefix(err, "cannot forget the VM %s: ", id);
    }
    return changed == 0 ? report_gone(id, err) : 0;
}

/* -- Reading -------------------------------------------------------------------------------- */

#define COLUMNS                                                                                    \
    "id, name, image_id, kernel_id, state, spec, runtime, last_error, created_ms, updated_ms, "    \
    "started_ms"
enum {
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_IMAGE,
    COLUMN_KERNEL,
    COLUMN_STATE,
    COLUMN_SPEC,
    COLUMN_RUNTIME,
    COLUMN_LAST_ERROR,
    COLUMN_CREATED,
    COLUMN_UPDATED,
    COLUMN_STARTED,
    COLUMN_SEQ,
};

static int state_parse(const char *name, enum vm_state *state, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(state_names); i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *state = (enum vm_state)i;
            return 0;
        }
    }
    return error_set(err, BANGER_ECORRUPT, "the database is damaged: a VM's state is '%s'", name);
}

/* All but the documents. */
static int read_fields(struct sql *sql, struct vm_record *vm, banger_error *err)
{
    char state[16];
    sql_column_copy(sql, COLUMN_STATE, state, sizeof(state));
    if (state_parse(state, &vm->state, err) < 0) {
        return -1;
    }
    sql_column_copy(sql, COLUMN_ID, vm->id, sizeof(vm->id));
    sql_column_copy(sql, COLUMN_NAME, vm->name, sizeof(vm->name));
    sql_column_copy(sql, COLUMN_IMAGE, vm->image_id, sizeof(vm->image_id));
    sql_column_copy(sql, COLUMN_KERNEL, vm->kernel_id, sizeof(vm->kernel_id));
    vm->last_error = sql_column_text(sql, COLUMN_LAST_ERROR);
    vm->created_ms = sql_column_int(sql, COLUMN_CREATED);
    vm->updated_ms = sql_column_int(sql, COLUMN_UPDATED);
    vm->started_ms = sql_column_int(sql, COLUMN_STARTED);
    return 0;
}

static int read_all(struct sql *sql, struct vm_record *vm, banger_error *err)
{
    if (read_fields(sql, vm, err) < 0) {
        return -1;
    }
    vm->spec = sql_column_json(sql, COLUMN_SPEC, vm->name, err);
    if (vm->spec == NULL) {
        return -1;
    }
    vm->runtime = sql_column_json(sql, COLUMN_RUNTIME, vm->name, err);
    return vm->runtime != NULL ? 0 : -1;
}

int vm_find(struct store *store, const char *reference, struct vm_record *vm, banger_error *err)
{
    char id[ID_LENGTH + 1];
    /* Opened before the search, so that the row is still there after it. */
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT " COLUMNS " FROM vms WHERE id = ?1");
    if (find_id(store, &vms, reference, id, err) < 0) {
        return -1;
    }
    sql_bind_text(&sql, id);
    int row = sql_step(&sql, err);
    if (row <= 0) {
        return row < 0 ? -1 : report_gone(id, err);
    }
    struct vm_record found = {0};
    if (read_all(&sql, &found, err) < 0) {
        vm_record_free(&found);
        return -1;
    }
    *vm = found;
    return 0;
}

static int list_row(struct sql *sql, struct vm_list *list, struct documents_row *documents,
                    banger_error *err)
{
    list->items = sql_grow(list->items, list->count, sizeof(list->items[0]));
    struct vm_record *vm = &list->items[list->count++];
    *vm = (struct vm_record){0};
    if (read_fields(sql, vm, err) < 0) {
        return -1;
    }
    vm->spec = documents_get(&documents->spec, sql, COLUMN_SPEC, vm->name, err);
    if (vm->spec == NULL) {
        return -1;
    }
    vm->runtime = documents_get(&documents->runtime, sql, COLUMN_RUNTIME, vm->name, err);
    return vm->runtime != NULL ? 0 : -1;
}

int vm_list_all(struct store *store, struct vm_list *list, banger_error *err)
{
    *list = (struct vm_list){0};
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT " COLUMNS ", seq FROM vms ORDER BY seq");
    struct documents *fresh = xcalloc(1, sizeof(*fresh));
    size_t at = 0;
    int row;
    while ((row = sql_step(&sql, err)) > 0) {
        struct documents_row *documents =
            documents_follow(fresh, store->documents, &at, sql_column_int(&sql, COLUMN_SEQ));
        if (list_row(&sql, list, documents, err) < 0) {
            row = -1;
            break;
        }
    }
    documents_free(store->documents);
    store->documents = fresh;
    if (row < 0) {
        vm_list_free(list);
    }
    return row;
}

/* Few of many, as a rule: their documents are parsed, and what is kept for vm_list_all stays. */
int vm_list_running(struct store *store, struct vm_list *list, banger_error *err)
{
    *list = (struct vm_list){0};
    AUTO_SQL struct sql sql = sql_open(
        store, SQL_READ, "SELECT " COLUMNS " FROM vms WHERE state = 'running' ORDER BY seq");
    int row;
    while ((row = sql_step(&sql, err)) > 0) {
        list->items = sql_grow(list->items, list->count, sizeof(list->items[0]));
        struct vm_record *vm = &list->items[list->count++];
        *vm = (struct vm_record){0};
        if (read_all(&sql, vm, err) < 0) {
            row = -1;
            break;
        }
    }
    if (row < 0) {
        vm_list_free(list);
    }
    return row;
}

json_t *vm_running_ids(struct store *store, banger_error *err)
{
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT id FROM vms WHERE state = 'running'");
    AUTO_JSON json_t *ids = json_array();
    char id[ID_LENGTH + 1];
    int row;
    while ((row = sql_step(&sql, err)) > 0) {
        sql_column_copy(&sql, 0, id, sizeof(id));
        (void)json_array_append_new(ids, json_string(id));
    }
    return row == 0 ? STEAL(ids) : NULL;
}

int vm_count(struct store *store, int64_t *total, int64_t *running, banger_error *err)
{
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT count(*), total(state = 'running') FROM vms");
    if (sql_step(&sql, err) <= 0) {
        return -1;
    }
    *total = sql_column_int(&sql, 0);
    *running = sql_column_int(&sql, 1);
    return 0;
}

void vm_list_free(struct vm_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        vm_record_free(&list->items[i]);
    }
    free(list->items);
    *list = (struct vm_list){0};
}
