/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parsed documents of the VMs as they were last listed. Parsing is what costs in a list: 8 ms
 * of the 10 ms that 1,000 VMs take, against 5 ms that `banger ps` may take in all. A document is
 * taken from here only when its text is, byte for byte, the one in the row that was just read, so
 * that neither a rollback nor another writer can make it stale.
 */
#ifndef STORE_DOCUMENTS_H
#define STORE_DOCUMENTS_H

#include "store/sql.h"

#ifndef JANSSON_THREAD_SAFE_REFCOUNT /* lists of several threads refer to the same values */
#error "jansson was built without atomic reference counts"
#endif

struct document {
    char *text;
    json_t *json;
};

struct documents_row {
    int64_t seq; /* vms.seq */
    struct document spec;
    struct document runtime;
};

struct documents {
    struct documents_row *rows; /* by seq */
    size_t count;
};

void documents_free(struct documents *documents); /* may be NULL */

/* Appends the row of `seq` to `fresh`, moved out of `kept` when that has it. Both are walked in the
 * order of seq; `at` is the place in `kept`. */
struct documents_row *documents_follow(struct documents *fresh, struct documents *kept, size_t *at,
                                       int64_t seq);
/* The column's JSON as a new reference to a value that others hold too: not to be changed. */
json_t *documents_get(struct document *document, struct sql *sql, int column, const char *whose,
                      banger_error *err);

#endif
