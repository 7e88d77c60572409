/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transactions. The outermost is one of SQLite's, those inside it are savepoints of one name, of
 * which SQLite takes the innermost. */
#include "store/connection.h"

int store_begin(struct store *store, banger_error *err)
{
    (void)pthread_mutex_lock(&store->lock); /* until commit or rollback */
    int begun = store->depth == 0 ? sql_execute(store, SQL_WRITE, "BEGIN IMMEDIATE", err)
                                  : sql_execute(store, SQL_WRITE, "SAVEPOINT nested", err);
    if (begun < 0) {
        (void)pthread_mutex_unlock(&store->lock);
        return -1;
    }
    store->depth++;
    return 0;
}

int store_commit(struct store *store, banger_error *err)
{
    (void)pthread_mutex_lock(&store->lock);
    int done;
    if (store->depth == 0) {
        done = error_set(err, BANGER_EINTERNAL, "commit without a transaction");
    } else if (store->depth == 1) {
        done = sql_execute(store, SQL_WRITE, "COMMIT", err);
    } else {
        done = sql_execute(store, SQL_WRITE, "RELEASE nested", err);
    }
    if (done < 0) {
        store_rollback(store);
    } else {
        store->depth--;
        (void)pthread_mutex_unlock(&store->lock); /* store_begin's */
    }
    (void)pthread_mutex_unlock(&store->lock);
    return done < 0 ? -1 : 0;
}

void store_rollback(struct store *store)
{
    /* Waits for another thread's transaction: behind the lock, `depth` speaks of this thread's. */
    (void)pthread_mutex_lock(&store->lock);
    if (store->depth > 0) {
        bool open = sqlite3_get_autocommit(store->db) == 0; /* SQLite may have rolled back itself */
        if (open && store->depth == 1) {
            (void)sql_execute(store, SQL_WRITE, "ROLLBACK", NULL);
        } else if (open) {
            (void)sql_execute(store, SQL_WRITE, "ROLLBACK TO nested", NULL);
            (void)sql_execute(store, SQL_WRITE, "RELEASE nested", NULL);
        }
        store->depth--;
        (void)pthread_mutex_unlock(&store->lock); /* store_begin's */
    }
    (void)pthread_mutex_unlock(&store->lock);
}
