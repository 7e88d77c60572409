/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store: one SQLite file (WAL, foreign keys on). Any thread may call any function: a lock makes
 * each one whole, and a transaction holds it from begin to end. A file that is damaged
 * (quick_check) or of a newer schema is refused, never recreated over.
 *
 * What waits for the disk, and why. A crash of the daemon loses nothing that was committed: the
 * kernel has the pages. Only a crash of the machine can, and then it matters what is lost:
 *  - Records (VMs, images, kernels), intents that belong to no VM, and explicit transactions are
 *    flushed before the call returns (synchronous=FULL: one flush of the WAL). Records are the
 *    user's. An image in the making is a folder that outlives the machine's crash, and without its
 *    intent nobody would find it again.
 *  - The journal of a VM's run, operations and events are not (synchronous=NORMAL). Processes, TAPs,
 *    mounts and device-mapper devices end with the machine, as the boot id in their attributes
 *    tells; files lie in the VM's own folder, which the flushed record of the VM leads to. A row
 *    that falls back from held to intent, or comes back, is one that release checks anyway. A flush
 *    takes 0.2 ms on an idle disk and 2 ms on a busy one: eight of them would be a whole start.
 * What must be on the disk before a VM's resource is taken (something elsewhere, which would outlive
 * the machine) is intended within an explicit transaction.
 * WAL keeps the order, so what is flushed is never without what was committed before it, and the
 * file is whole in either case: checkpoints are always flushed. A caller with several writes at hand
 * pays one flush for all of them by wrapping them in a transaction.
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
