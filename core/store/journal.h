/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The resource journal: nothing on the host is acquired before its intent is a committed row here.
 *
 *   intent --(acquired)--> held --(released)--> gone (the row is deleted)
 *
 * A row in state `intent` may or may not stand for something real: release functions check.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "base/name.h"
#include "store/store.h"

#include <jansson.h>

enum resource_state {
    RESOURCE_INTENT,
    RESOURCE_HELD,
};

const char *resource_state_name(enum resource_state state);

struct resource {
    int64_t id;                /* grows with time: the reverse of it is the order of release */
    char vm_id[ID_LENGTH + 1]; /* empty: belongs to no VM (an image or kernel being made) */
    char *owner;               /* "core", or the name of the capability or provider that holds it */
    char *kind;                /* "process", "dir", "cgroup", ... */
    char *key;                 /* what is held: a path, a name */
    json_t *attrs;             /* what release needs to be sure that it is ours */
    enum resource_state state;
};

struct resource_list {
    struct resource *items;
    size_t count;
};

/* Returns the row's id (> 0) or -1. `vm_id` and `attrs` may be NULL. */
int64_t journal_intend(struct store *store, const char *vm_id, const char *owner, const char *kind,
                       const char *key, const json_t *attrs, banger_error *err);
int journal_held(struct store *store, int64_t id, const json_t *attrs, banger_error *err);
int journal_gone(struct store *store, int64_t id, banger_error *err);

/* Rows of one VM (NULL: those without one), newest first; of one owner, or of all (NULL). */
int journal_list(struct store *store, const char *vm_id, const char *owner,
                 struct resource_list *list, banger_error *err);
/* How many those of one owner are. */
int journal_count(struct store *store, const char *vm_id, const char *owner, int64_t *count,
                  banger_error *err);
/* Whether there is a row of the VM's; also when that cannot be told. */
bool journal_holds(struct store *store, const char *vm_id);
/* Every row, newest first: what a restart has to look at. */
int journal_list_all(struct store *store, struct resource_list *list, banger_error *err);
void resource_list_free(struct resource_list *list);

#endif
