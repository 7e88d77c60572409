/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store: one SQLite file (WAL, foreign keys on). Any thread may call any function: a lock makes
 * each one whole, and a transaction holds it from begin to end. A file that is damaged
 * (quick_check) or of a newer schema is refused, never recreated over.
 *
 * What waits for the disk, and why. A crash of the daemon loses nothing that was committed: the
 * kernel has the pages. Only a crash of the machine can, and what it takes differs:
 *  - Records (VMs, images, kernels), every explicit transaction, and the journal's intents are
 *    flushed before the call returns (synchronous=FULL, one flush of the WAL each). Records are
 *    the user's. Intents are flushed since what they announce may outlive the machine's crash (a
 *    folder, a plugin's entry elsewhere), and a resource without its intent is never found again.
 *  - held, gone, operations and events are not (synchronous=NORMAL). They come after the fact: a
 * row that falls back from held to intent, or comes back, is one that release checks before it
 *    touches anything; a log that lacks its last seconds misleads nobody.
 * WAL keeps the order, so what is flushed is never without what was committed before it, and the
 * file is whole in either case: checkpoints are always flushed. A caller with several writes at
 * hand pays one flush for all of them by wrapping them in a transaction.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/error.h"

struct store;

/* Opens the database, making it when it is not there (its folder must be) and migrating it when it
 * is older. `path` has a '/'. ECORRUPT: damaged; EUNSUPPORTED: newer, or another program's. */
struct store *store_open(const char *path, banger_error *err);
void store_close(struct store *store); /* NULL is fine; no transaction may be open */

/* A transaction belongs to the thread that began it; others wait. Inside one, a second begin opens
 * a part that commits and rolls back by itself, within the whole. A commit that fails has rolled
 * back.
 */
int store_begin(struct store *store, banger_error *err);
int store_commit(struct store *store, banger_error *err);
void store_rollback(struct store *store); /* harmless when no transaction is open */

#endif
