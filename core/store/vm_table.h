/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM records: what the user asked for (spec) and what is live (runtime). */
#ifndef STORE_VM_TABLE_H
#define STORE_VM_TABLE_H

#include "base/name.h"
#include "store/store.h"

#include <jansson.h>

enum vm_state {
    VM_CREATED, /* never started */
    VM_RUNNING,
    VM_STOPPED,
    VM_ERROR, /* the last operation failed; last_error says how; nothing of it is left running */
};

const char *vm_state_name(enum vm_state state);

struct vm_record {
    char id[ID_LENGTH + 1];
    char name[NAME_MAX_LENGTH + 1];
    char image_id[ID_LENGTH + 1];
    char kernel_id[ID_LENGTH + 1];
    enum vm_state state;
    json_t *spec;    /* lifecycle/spec.h has its fields */
    json_t *runtime; /* {"NAME": {"key": value}} of the present run; an empty object when stopped */
    char *last_error;   /* NULL: none */
    int64_t created_ms; /* wall clock */
    int64_t updated_ms;
    int64_t started_ms; /* of the present or last run; 0: never */
};

void vm_record_free(struct vm_record *vm); /* the contents; the struct is the caller's */

int vm_insert(struct store *store, const struct vm_record *vm,
              banger_error *err);                                            /* EEXIST: name */
int vm_update(struct store *store, struct vm_record *vm, banger_error *err); /* sets updated_ms */
int vm_remove(struct store *store, const char *id, banger_error *err);
/* By exact name, exact id, or a unique id prefix of at least 4 digits. ENOTFOUND hints the nearest
 * name. */
int vm_find(struct store *store, const char *reference, struct vm_record *vm, banger_error *err);

struct vm_list {
    struct vm_record *items;
    size_t count;
};
/* By creation. `spec` and `runtime` are shared with other lists and must not be changed; whoever
 * wants to change a VM takes it from vm_find. */
int vm_list_all(struct store *store, struct vm_list *list, banger_error *err);
int vm_list_running(struct store *store, struct vm_list *list, banger_error *err); /* likewise */
json_t *vm_running_ids(struct store *store,
                       banger_error *err); /* a new list of strings; NULL on failure */
int vm_count(struct store *store, int64_t *total, int64_t *running, banger_error *err);
void vm_list_free(struct vm_list *list);

#endif
