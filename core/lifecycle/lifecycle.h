/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be done to a VM. Each function takes the VM's lock, opens an operation in the log, runs
 * its stages (stage.c has the table) and leaves the record as it now is in `*result` (a VM object
 * of rpc/protocol.h, a new reference; NULL pointer: not wanted). `vm` is a name, an id or an id
 * prefix.
 */
#ifndef LIFECYCLE_LIFECYCLE_H
#define LIFECYCLE_LIFECYCLE_H

#include "lifecycle/engine.h"

/* Makes the record. `params`: SPEC with name, image, kernel. A default image or kernel that is not
 * there is provided first. */
int lifecycle_create(struct engine *engine, const struct caller *caller, const json_t *params,
                     json_t **result, banger_error *err);
/* create and start; cancelled, nothing is left of it. `ephemeral`: the record says so, a failed
 * start leaves nothing either, and a restarted daemon deletes it. */
int lifecycle_run(struct engine *engine, const struct caller *caller, const json_t *params,
                  bool ephemeral, json_t **result, banger_error *err);
int lifecycle_start(struct engine *engine, const struct caller *caller, const char *vm,
                    json_t **result, banger_error *err);
/* `timeout_ms` < 0: the configured one, for the guest to end by itself. */
int lifecycle_stop(struct engine *engine, const struct caller *caller, const char *vm,
                   int64_t timeout_ms, json_t **result, banger_error *err);
int lifecycle_kill(struct engine *engine, const struct caller *caller, const char *vm,
                   int signal_number, json_t **result, banger_error *err);
int lifecycle_restart(struct engine *engine, const struct caller *caller, const char *vm,
                      int64_t timeout_ms, json_t **result, banger_error *err);
int lifecycle_delete(struct engine *engine, const struct caller *caller, const char *vm,
                     json_t **result, banger_error *err);
/* The time of an ephemeral VM is over: it is deleted, now or as soon as it can be. One that is gone is fine. */
void lifecycle_abandon(struct engine *engine, const char *vm_id);
/* Changes of the specification; a running VM's capabilities are told through `configure`, and what
 * they cannot change live holds from the next start. */
int lifecycle_set(struct engine *engine, const struct caller *caller, const char *vm,
                  const json_t *changes, json_t **result, banger_error *err);
/* Deletes every VM that is not running; `*result` is the list of them. */
int lifecycle_prune(struct engine *engine, const struct caller *caller, json_t **result,
                    banger_error *err);

/* What a start would run: {"machine","contributions","providers"}. Changes nothing. */
int lifecycle_plan(struct engine *engine, const char *vm, json_t **result, banger_error *err);

/* After a restart: takes up VMs that still run, cleans up after those that do not, deletes
 * ephemeral ones, releases what interrupted operations left. Fails only when the store does. */
int lifecycle_reconcile(struct engine *engine, banger_error *err);

/* Attempts of the daemon itself (retry.h).
 * The VMM's process ended: clean up, unless an operation already did. */
bool lifecycle_vm_ended(struct engine *engine, const char *vm_id);
/* It does not run, and holds what a cleanup could not give back. */
bool lifecycle_give_back(struct engine *engine, const char *vm_id);
/* The record calls it running, and no process of it is known: take it up, or clean up. */
bool lifecycle_take_up(struct engine *engine, const char *vm_id);

#endif
