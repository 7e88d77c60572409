/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stages of every operation: one enum, one table (stage.c), one small runner. Reading the table
 * is reading the design.
 */
#ifndef LIFECYCLE_STAGE_H
#define LIFECYCLE_STAGE_H

#include "lifecycle/operation.h"

enum stage {
    /* start */
    STAGE_PREFLIGHT,
    STAGE_CLEANUP_RUNTIME,
    STAGE_BRIDGE,
    STAGE_SOCKET_DIR,
    STAGE_SYSTEM_OVERLAY,
    STAGE_ROOT_DEVICE,
    STAGE_PREPARE,
    STAGE_TAP,
    STAGE_METRICS_FILE,
    STAGE_CONTRIBUTE_MACHINE_CONFIG,
    STAGE_GUEST_CONFIG,
    STAGE_LAUNCH,
    STAGE_SOCKET_ACCESS,
    STAGE_WAIT_AGENT,
    STAGE_POST_START,
    STAGE_PERSIST_RUNNING,
    /* stop, kill, delete */
    STAGE_GRACEFUL_SHUTDOWN,
    STAGE_SEND_SIGNAL,
    STAGE_KILL_RUNNING_VM,
    STAGE_WAIT_FOR_EXIT,
    STAGE_PERSIST_STOPPED,
    STAGE_DELETED,
    STAGE_DELETE_VM_DIR,
    STAGE_DELETE_RECORD,
    STAGE_COUNT,
};

struct stage_list {
    const enum stage *stages;
    size_t count;
};

extern const struct stage_list start_stages;
extern const struct stage_list stop_stages;
extern const struct stage_list stale_stages; /* stop and kill of a VM that does not run */
extern const struct stage_list kill_stages;
extern const struct stage_list delete_stages;

/* Runs them in order; honours a cancellation between two, never half-way through one. */
int stages_run(struct operation *op, const struct stage_list *list, banger_error *err);

/* After a failure: the same cleanup as a stop's, whoever left meanwhile; joins its errors to `err`,
 * records last_error and the state `error`, and names the VM's log. */
void stages_fail(struct operation *op, banger_error *err);
/* Those that end a run, which nobody can cancel: a half-stopped VM is of no use. After a failure a VM whose VMM still runs is left as it was and
 * can be asked again; one that runs no more gets the state `error`. */
int stages_end(struct operation *op, const struct stage_list *list, banger_error *err);

/* The stage functions, by theme. */
int stage_preflight(struct operation *op, banger_error *err); /* stage_host.c */
int stage_bridge(struct operation *op, banger_error *err);
int stage_socket_dir(struct operation *op, banger_error *err);
int stage_system_overlay(struct operation *op, banger_error *err);
int stage_root_device(struct operation *op, banger_error *err);
int stage_prepare(struct operation *op, banger_error *err);
int stage_tap(struct operation *op, banger_error *err);
int stage_metrics_file(struct operation *op, banger_error *err);
int stage_contribute_machine_config(struct operation *op, banger_error *err); /* stage_machine.c */
int stage_guest_config(struct operation *op, banger_error *err);
int stage_launch(struct operation *op, banger_error *err);
int stage_socket_access(struct operation *op, banger_error *err);
int stage_wait_agent(struct operation *op, banger_error *err);
int stage_post_start(struct operation *op, banger_error *err);
int stage_persist_running(struct operation *op, banger_error *err);
int stage_graceful_shutdown(struct operation *op, banger_error *err); /* stage_end.c */
int stage_send_signal(struct operation *op, banger_error *err);
int stage_kill_running_vm(struct operation *op, banger_error *err);
int stage_wait_for_exit(struct operation *op, banger_error *err);
int stage_persist_stopped(struct operation *op, banger_error *err);
int stage_deleted(struct operation *op, banger_error *err);
int stage_delete_vm_dir(struct operation *op, banger_error *err);
int stage_delete_record(struct operation *op, banger_error *err);
int stage_cleanup_runtime(struct operation *op, banger_error *err); /* cleanup.c */

#endif
