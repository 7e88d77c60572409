/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The resource journal as a plugin sees it: its own rows for this VM, and no others. */
#include "call.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "store/journal.h"

/* NULL: about the host. */
static const char *vm_of(const struct scope *scope)
{
    return scope->vm_id[0] != '\0' ? scope->vm_id : NULL;
}

/* Opens the journal for one host function; call_leave must follow a 0. */
static int journal_enter(struct banger_call *call, const char *function)
{
    if (call_need_effects(call, function) < 0) {
        return -1;
    }
    if (call->scope->store == NULL) {
        return call_refuse(call, BANGER_EUNSUPPORTED, "%s: there is no journal in %s", function,
                           call->what);
    }
    return call_enter(call) ? 0 : -1;
}

/* Attributes are an object or not given at all. */
static int parse_attrs(struct banger_call *call, const char *text, json_t **attrs)
{
    if (text == NULL) {
        return 0;
    }
    *attrs = call_parse(call, "the resource's attributes", text);
    if (*attrs == NULL || json_is_object(*attrs)) {
        return *attrs != NULL ? 0 : -1;
    }
    return call_refuse(call, BANGER_EINVALID, "the resource's attributes must be an object");
}

/* One more row; it says where there are too many. */
static int64_t intend(const struct banger_call *call, const char *kind, const char *key,
                      const json_t *attrs, banger_error *err)
{
    const struct scope *scope = call->scope;
    const char *name = call->capability->plugin->name;
    int64_t rows = 0;
    if (journal_count(scope->store, vm_of(scope), name, &rows, err) < 0) {
        return -1;
    }
    if (rows >= CALL_ROWS_MAX) {
        return error_set(err, BANGER_EFULL, "it has %d resources already, and may have no more",
                         CALL_ROWS_MAX);
    }
    return journal_intend(scope->store, vm_of(scope), name, kind, key, attrs, err);
}

int64_t call_resource_intend(struct banger_call *call, const char *kind, const char *key,
                             const char *attrs_json)
{
    AUTO_JSON json_t *attrs = NULL;
    if (kind == NULL || kind[0] == '\0' || key == NULL) {
        return call_refuse(call, BANGER_EINVALID, "resource_intend: a kind and a key are needed");
    }
    if (parse_attrs(call, attrs_json, &attrs) < 0 || journal_enter(call, "resource_intend") < 0) {
        return -1;
    }
    banger_error problem = BANGER_ERROR_INIT;
    int64_t id = intend(call, kind, key, attrs, &problem);
    call_leave(call);
    return id > 0 ? id : call_error(call, &problem);
}

/* A plugin may touch no row but its own for this VM. */
static int check_owner(const struct banger_call *call, int64_t id, banger_error *err)
{
    const struct scope *scope = call->scope;
    struct resource_list list = {0};
    const char *name = call->capability->plugin->name;
    if (journal_list(scope->store, vm_of(scope), name, &list, err) < 0) {
        return -1;
    }
    bool found = false;
    for (size_t i = 0; i < list.count && !found; i++) {
        found = list.items[i].id == id;
    }
    resource_list_free(&list);
    return found ? 0
                 : error_set(err, BANGER_ENOTFOUND,
                             "'%s' has no resource %" JSON_INTEGER_FORMAT " for this VM", name,
                             (json_int_t)id);
}

int call_resource_held(struct banger_call *call, int64_t id, const char *attrs_json)
{
    AUTO_JSON json_t *attrs = NULL;
    if (parse_attrs(call, attrs_json, &attrs) < 0 || journal_enter(call, "resource_held") < 0) {
        return -1;
    }
    banger_error problem = BANGER_ERROR_INIT;
    int result = check_owner(call, id, &problem);
    if (result == 0) {
        result = journal_held(call->scope->store, id, attrs, &problem);
    }
    call_leave(call);
    return result == 0 ? 0 : call_error(call, &problem);
}

int call_resource_gone(struct banger_call *call, int64_t id)
{
    if (journal_enter(call, "resource_gone") < 0) {
        return -1;
    }
    banger_error problem = BANGER_ERROR_INIT;
    int result = check_owner(call, id, &problem);
    if (result == 0) {
        result = journal_gone(call->scope->store, id, &problem);
    }
    call_leave(call);
    return result == 0 ? 0 : call_error(call, &problem);
}

static json_t *row_to_json(const struct resource *row)
{
    return json_pack("{s:I, s:s, s:s, s:O?, s:s}", "id", (json_int_t)row->id, "kind", row->kind,
                     "key", row->key, "attrs", row->attrs, "state",
                     resource_state_name(row->state));
}

const char *call_resources(struct banger_call *call)
{
    const struct scope *scope = call->scope;
    if (scope->store == NULL || !call_enter(call)) {
        return NULL;
    }
    struct resource_list list = {0};
    banger_error problem = BANGER_ERROR_INIT;
    int result =
        journal_list(scope->store, vm_of(scope), call->capability->plugin->name, &list, &problem);
    call_leave(call);
    if (result < 0) {
        (void)call_error(call, &problem);
        return NULL;
    }
    AUTO_JSON json_t *rows = json_array();
    for (size_t i = 0; i < list.count; i++) {
        (void)json_array_append_new(rows, row_to_json(&list.items[i]));
    }
    resource_list_free(&list);
    return call_keep_json(call, rows);
}
