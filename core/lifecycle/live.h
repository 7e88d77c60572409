/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VMs that run now: their process, the channel to their agent, and the watch that notices their
 * end. In memory only: the journal's row of kind "process" and role "vmm" is what a restarted
 * daemon rebuilds it from.
 */
#ifndef LIFECYCLE_LIVE_H
#define LIFECYCLE_LIVE_H

#include "base/process.h"
#include "guest/channel.h"
#include "lifecycle/engine.h"

struct live_table;

struct live_table *live_table_new(void);
void live_table_free(struct live_table *table); /* closes channels; the VMs run on */

/* Takes up a process; `pidfd` moves in. When it ends by itself, lifecycle_vm_ended runs. */
void live_add(struct engine *engine, const char *vm_id, const struct process_id *process,
              int pidfd);
/* Opens the agent's channel for a VM that is there. */
int live_connect(struct engine *engine, const char *vm_id, const json_t *agent, banger_error *err);
void live_remove(struct engine *engine, const char *vm_id); /* fine when it is not there */

/* The ids of all that are in the table: a list, a new reference. */
json_t *live_ids(struct engine *engine);
/* Whether it is in the table, ended or not. */
bool live_is_known(struct engine *engine, const char *vm_id);
/* Whether its VMM's process is there and has not ended. */
bool live_is_running(struct engine *engine, const char *vm_id);
/* A copy of the identity, and a duplicate of the pidfd (may be NULL); ENOTFOUND when it is not there.
 */
int live_process(struct engine *engine, const char *vm_id, struct process_id *process, int *pidfd,
                 banger_error *err);

/* A VM held so that its channel is not closed under the user's hands; NULL when it is not there or
 * has no channel. */
struct live_vm;
struct live_vm *live_hold(struct engine *engine, const char *vm_id);
struct channel *live_channel(struct live_vm *vm);
void live_release(struct live_vm *vm); /* NULL is fine */

static inline void cleanup_live_vm(struct live_vm **vm)
{
    live_release(*vm);
}

#define AUTO_LIVE_VM __attribute__((cleanup(cleanup_live_vm)))

#endif
