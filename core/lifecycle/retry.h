/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon does to a VM by itself, with nobody to ask for it again: as a job of its own, and where it fails once more in
 * later rounds (rounds.h), less and less often, until it is done. In memory only: a daemon that starts finds out by
 * itself what there is to do. Any thread may call these, also one that has the VM's lock.
 */
#ifndef LIFECYCLE_RETRY_H
#define LIFECYCLE_RETRY_H

#include "lifecycle/engine.h"

struct retry_table;

struct retry_table *retry_table_new(void);
void retry_table_free(struct retry_table *table); /* NULL is fine */

/* An attempt: takes the VM's lock, and logs why it fails. True: it is done, or there is nothing to do any more. */
typedef bool (*retry_fn)(struct engine *engine, const char *vm_id);

/* Now, whatever has failed before. */
void retry_start(struct engine *engine, const char *vm_id, retry_fn attempt);
/* Now, unless it is under way, or waits for its round after a failure. */
void retry_ensure(struct engine *engine, const char *vm_id, retry_fn attempt);
/* It has just failed: in the next round. */
void retry_later(struct engine *engine, const char *vm_id, retry_fn attempt);

/* A round: starts what has waited long enough, but for VMs that an operation is at work on. */
void retry_round(struct engine *engine);
/* What has failed before is not begun any more; the daemon ends. */
void retry_stop(struct engine *engine);

#endif
