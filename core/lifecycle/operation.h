/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An operation under way: the VM it is about, its providers, what hooks may see, and the log of its
 * stages. One thread runs it, under the VM's lock.
 */
#ifndef LIFECYCLE_OPERATION_H
#define LIFECYCLE_OPERATION_H

#include "capability/dispatch.h"
#include "lifecycle/choose.h"
#include "lifecycle/engine.h"
#include "store/image_table.h"
#include "store/oplog.h"
#include "store/vm_table.h"

#define OPERATION_STAGES_MAX 48 /* a restart's stop and start, with the cleanup of a failure */

struct operation {
    struct engine *engine;
    const struct caller *caller;
    const char *kind; /* "vm.start" */

    struct vm_record vm;
    struct image_record image; /* without a path: it is gone, and only a start would need it */
    struct kernel_record kernel;
    char *vm_dir;
    char *run_dir;

    struct capability *vmm; /* of the present run, NULL when stopped; a start chooses them anew */
    struct capability *rootfs;
    struct capability *network;
    struct scope *scope;

    bool is_routine;   /* asked of every VM again and again: what is carried is not asked first */
    int signal_number; /* kill */
    const json_t *changes;   /* set; borrowed */
    int64_t stop_timeout_ms; /* stop, restart; < 0: the configured one */

    bool cleaned_up;  /* by this operation: nothing of the run is held any more */
    char *end_reason; /* why the run did not end well: with the state `error`; NULL: it did */

    int64_t log_id; /* 0: not in the log */
    int64_t started_ns;
    const char *stage; /* the present one, for progress */
    int64_t stage_started_ns;
    bool uncancellable; /* a cleanup goes on whoever left */
    struct oplog_stage stages[OPERATION_STAGES_MAX];
    size_t stage_count;
};

/* Opens the operation: finds the image and the kernel of op->vm, asks plugins what they carry, and makes
 * the scope. The caller has
 * filled engine, caller, kind and vm, which moves in, on failure too. */
int operation_open(struct operation *op, banger_error *err);
void operation_free(struct operation *op);
/* Lets hooks see which providers have been chosen: vm.vmm, vm.rootfs and vm.network. */
void operation_tell_providers(struct operation *op);
/* Lets the hooks of the cleanup see what made it necessary: operation.error. */
void operation_tell_failure(struct operation *op, const char *message);
/* Whether the image and the kernel are there, for what cannot do without. */
int operation_check_parts(const struct operation *op, banger_error *err);

/* Begins its entry in the log; an operation that changes nothing has none. Without room for the
 * entry (a full disk) the operation goes on all the same: it may be the one that makes room. */
void operation_begin(struct operation *op);
/* Ends the entry with the outcome (`failure` NULL: done) and emits the event. */
void operation_end(struct operation *op, const banger_error *failure);

/* The provider that the present run was started with, whichever a new start may have chosen since;
 * NULL when nothing runs, or its plugin is no longer loaded (or no longer such a provider). */
struct capability *operation_run_provider(const struct operation *op, enum provider_kind kind);

bool operation_cancelled(const struct operation *op);
int64_t operation_config(const struct operation *op, const char *key); /* a duration or a size */

/* The stage's entry in the log; the runner's business. */
void operation_stage_begin(struct operation *op, const char *name, const char *text);
void operation_stage_end(struct operation *op, const banger_error *failure);
/* A line for who waits, within the present stage. */
void operation_info(struct operation *op, const char *format, ...) BANGER_PRINTF(2, 3);
void operation_warn(struct operation *op, const char *format, ...) BANGER_PRINTF(2, 3);

/* Makes a folder or a file that the VM's cleanup removes: journaled first. */
int operation_hold_dir(struct operation *op, const char *path, banger_error *err);

/* Saves op->vm. */
int operation_save(struct operation *op, banger_error *err);

#endif
