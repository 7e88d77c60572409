/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a person's word for a VM, an image or a kernel becomes a row's id. */
#ifndef STORE_FIND_H
#define STORE_FIND_H

#include "base/name.h"
#include "store/sql.h"

struct find_table {
    const char *noun; /* "VM", for messages */
    const char *list; /* the command that shows them */
    /* (id, name, exact) of the row of that name or id (exact), and of those whose id lies in
     * [?1, ?2); best first, of a few. */
    const char *matches;
    /* (text, count) of the rows whose id lies in [?1, ?2). */
    const char *candidates;
    const char *names; /* (name) of all */
};

#define FIND_MATCHES(table)                                                                        \
    "SELECT id, name = ?1 OR id = ?1 FROM " table                                                  \
    " WHERE name = ?1 OR (id >= ?1 AND id < ?2) ORDER BY name = ?1 DESC, id = ?1 DESC LIMIT 2"
#define FIND_CANDIDATES(table)                                                                     \
    "SELECT id || ' (' || name || ')', count(*) OVER () FROM " table                               \
    " WHERE id >= ?1 AND id < ?2 ORDER BY name LIMIT 5"
#define FIND_NAMES(table) "SELECT name FROM " table

/* By exact name, exact id, or a unique id prefix of at least 4 digits. The caller's lock spans this
 * and what it does with the id. */
int find_id(struct store *store, const struct find_table *table, const char *reference,
            char id[ID_LENGTH + 1], banger_error *err);

#endif
