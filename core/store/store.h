/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store: one SQLite file (WAL, synchronous=FULL, foreign keys on). Any thread may call any
 * function: a lock makes each one whole, and a transaction holds it from begin to end.
 * A file that is damaged (integrity check) or of a newer schema is refused, never recreated over.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/error.h"

struct store;

struct store *store_open(const char *path, banger_error *err);
void store_close(struct store *store);

int store_begin(struct store *store, banger_error *err);
int store_commit(struct store *store, banger_error *err);
void store_rollback(struct store *store); /* harmless when no transaction is open */

#endif
