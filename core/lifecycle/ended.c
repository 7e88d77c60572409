/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run that is over with nobody who has asked for it, and what a cleanup could not give back. */
#include "base/cleanup.h"
#include "base/process.h"
#include "lifecycle/console.h"
#include "lifecycle/end_reason.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/live.h"
#include "lifecycle/request.h"
#include "lifecycle/stage.h"
#include "store/journal.h"

/* What a first attempt, or a daemon before us, has not given back. */
static bool is_left_over(const struct operation *op)
{
    return !live_is_running(op->engine, op->vm.id) &&
           (live_is_known(op->engine, op->vm.id) || journal_holds(op->engine->store, op->vm.id));
}

/* No: an operation that held the lock has dealt with it, or started the VM anew. */
static bool is_ended_unseen(const struct operation *op)
{
    return live_is_known(op->engine, op->vm.id) && !live_is_running(op->engine, op->vm.id);
}

/* -1: it is not known, or no longer. */
static int wait_status(struct operation *op)
{
    struct process_id process;
    AUTO_CLOSE int pidfd = -1;
    int status = -1;
    if (live_process(op->engine, op->vm.id, &process, &pidfd, NULL) == 0) {
        (void)process_wait(pidfd, deadline_in(0), &status, NULL);
    }
    return status;
}

/* A VMM that ended by itself: the guest powered off, or it crashed, or somebody killed it. */
static int body_ended(struct operation *op, banger_error *err)
{
    if (!end_reason_recall(op)) {
        op->end_reason = vmm_end_text(wait_status(op));
    }
    return stages_end(op, &stale_stages, err);
}

bool lifecycle_vm_ended(struct engine *engine, const char *vm_id)
{
    const struct request request = {
        .kind = "vm.ended", .vm = vm_id, .is_due = is_ended_unseen, .body = body_ended};
    (void)request_attempt(engine, &request); /* what it cannot give back is lifecycle_give_back's */
    return true;
}

bool lifecycle_give_back(struct engine *engine, const char *vm_id)
{
    const struct request request = {
        .kind = "vm.ended", .vm = vm_id, .is_due = is_left_over, .body = body_ended};
    return request_attempt(engine, &request);
}
