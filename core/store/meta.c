/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/meta.h"

#include "store/sql.h"

char *meta_instance(struct store *store, banger_error *err)
{
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT value FROM meta WHERE key = 'instance'");
    int found = sql_step(&sql, err);
    if (found == 0) {
        (void)error_set(err, BANGER_ECORRUPT, "the database has no instance number");
    }
    return found > 0 ? sql_column_text(&sql, 0) : NULL;
}
