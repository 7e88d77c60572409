/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/lease_table.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "store/sql.h"

#include <inttypes.h>

static int find_own(struct store *store, const struct lease_pool *pool, const char *vm_id,
                    int64_t *number, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_READ,
                                       "SELECT number FROM leases WHERE owner = ?1 AND pool = ?2"
                                       " AND vm_id = ?3 AND number BETWEEN ?4 AND ?5");
    sql_bind_text(&sql, pool->owner);
    sql_bind_text(&sql, pool->name);
    sql_bind_text(&sql, vm_id);
    sql_bind_int(&sql, pool->first);
    sql_bind_int(&sql, pool->last);
    int found = sql_step(&sql, err);
    if (found > 0) {
        *number = sql_column_int(&sql, 0);
    }
    return found;
}

static int no_number(const struct lease_pool *pool, banger_error *err)
{
    (void)error_set(err, BANGER_EBUSY,
                    "all of %s's numbers are in use: %s, %" PRId64 " to %" PRId64, pool->owner,
                    pool->name, pool->first, pool->last);
    return error_hint(err, "delete VMs that are no longer needed: banger vm list --all");
}

/* The lowest free number is the first, or comes right behind one that is taken. */
#define LOWEST_FREE                                                                                \
    " FROM (SELECT ?3 AS free UNION ALL SELECT number + 1 FROM leases"                             \
    "   WHERE owner = ?1 AND pool = ?2 AND number BETWEEN ?3 AND ?4 - 1)"                          \
    " WHERE NOT EXISTS (SELECT 1 FROM leases"                                                      \
    "   WHERE owner = ?1 AND pool = ?2 AND number = free) HAVING min(free) IS NOT NULL"

/* One statement, so that two VMs never find the same: with `writes` the number becomes the VM's, in
 * place of one outside the pool's bounds. */
static int take_free(struct store *store, const struct lease_pool *pool, const char *vm_id,
                     bool writes, int64_t *number, banger_error *err)
{
    AUTO_SQL struct sql sql =
        writes ? sql_open(store, SQL_WRITE_LAZY,
                          "INSERT OR REPLACE INTO leases (owner, pool, number, vm_id)"
                          " SELECT ?1, ?2, min(free), ?5" LOWEST_FREE " RETURNING number")
               : sql_open(store, SQL_READ, "SELECT min(free)" LOWEST_FREE);
    sql_bind_text(&sql, pool->owner);
    sql_bind_text(&sql, pool->name);
    sql_bind_int(&sql, pool->first);
    sql_bind_int(&sql, pool->last);
    if (writes) {
        sql_bind_text(&sql, vm_id);
    }
    int found = sql_step(&sql, err);
    if (found <= 0) {
        return found < 0 ? -1 : no_number(pool, err);
    }
    *number = sql_column_int(&sql, 0);
    return sql_step(&sql, err) < 0 ? -1 : 0; /* to its end, which commits it */
}

int lease_take(struct store *store, const struct lease_pool *pool, const char *vm_id, bool asks,
               int64_t *number, banger_error *err)
{
    int found = find_own(store, pool, vm_id, number, err);
    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    if (failpoint_write("lease.take", "before", err) < 0 ||
        take_free(store, pool, vm_id, !asks, number, err) < 0) {
        return -1;
    }
    return failpoint("lease.take", "after", err);
}
