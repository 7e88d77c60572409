/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Coming back after the daemon's end, however it came:
 *
 * 1. Operations that the log still calls running are marked as interrupted.
 * 2. A VM that ran and whose VMM lives (same PID, start time and boot) is taken up again: nothing
 * about it is touched; capabilities are told (`reconciled`).
 * 3. Any other VM with rows in the journal was being started or ended: it is cleaned up.
 * 4. Ephemeral VMs were leased by connections that no longer exist: they are deleted.
 * 5. What belongs to no VM (staging folders of images and kernels) is released.
 *
 * A VM that cannot be handled is reported and left as it is: its rows stay for the next time, and
 * no other VM waits for it.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "image/staging.h"
#include "lifecycle/console.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/live.h"
#include "lifecycle/request.h"
#include "lifecycle/spawn.h"
#include "lifecycle/stage.h"

#include <string.h>

/* The VMM of the journal, if it lives: its pidfd, or -1. */
static int find_vmm(struct engine *engine, const char *vm_id, struct process_id *process)
{
    struct resource_list rows = {0};
    int pidfd = -1;
    if (journal_list(engine->store, vm_id, "core", &rows, NULL) < 0) {
        return -1;
    }
    for (size_t i = 0; i < rows.count && pidfd < 0; i++) {
        if (spawn_row_is_vmm(&rows.items[i]) && spawn_row_process(&rows.items[i], process) == 0) {
            pidfd = process_open(process, NULL);
        }
    }
    resource_list_free(&rows);
    return pidfd;
}

static int body_adopt(struct operation *op, banger_error *err)
{
    struct process_id process;
    int pidfd = find_vmm(op->engine, op->vm.id, &process);
    if (pidfd < 0) {
        return error_set(err, BANGER_ENOTFOUND, "its VMM has ended");
    }
    live_add(op->engine, op->vm.id, &process, pidfd);
    const json_t *agent = json_at(op->vm.runtime, "core.agent");
    if (agent != NULL && live_connect(op->engine, op->vm.id, agent, err) < 0) {
        operation_warn(op, "its agent cannot be reached: %s", err->message);
        *err = BANGER_ERROR_INIT;
    }
    return dispatch_hook(op->scope, HOOK_RECONCILED, err);
}

static const char *const interrupted = "the daemon ended in the middle of an operation";

static int body_clean_up(struct operation *op, banger_error *err)
{
    bool was_running = op->vm.state == VM_RUNNING;
    if (stages_run(op, &stale_stages, err) < 0) {
        return -1;
    }
    if (!was_running) {
        op->vm.state = VM_ERROR;
        free(op->vm.last_error);
        op->vm.last_error = xstrdup(interrupted);
    }
    return operation_save(op, err);
}

static bool has_rows(struct engine *engine, const char *vm_id)
{
    struct resource_list rows = {0};
    if (journal_list(engine->store, vm_id, NULL, &rows, NULL) < 0) {
        return true;
    }
    bool any = rows.count > 0;
    resource_list_free(&rows);
    return any;
}

static void reconcile_vm(struct engine *engine, const struct vm_record *vm)
{
    banger_error err = BANGER_ERROR_INIT;
    struct request request = {.kind = "vm.reconcile", .vm = vm->id, .body = body_clean_up};
    struct process_id process;
    if (json_get_bool(vm->spec, "ephemeral", false)) {
        if (lifecycle_delete(engine, &caller_nobody, vm->id, NULL, &err) < 0) {
            log_error("%s cannot be deleted: %s", vm->name, err.message);
        }
        return;
    }
    AUTO_CLOSE int pidfd = vm->state == VM_RUNNING ? find_vmm(engine, vm->id, &process) : -1;
    if (pidfd >= 0) {
        request.body = body_adopt;
    } else if (vm->state != VM_RUNNING && !has_rows(engine, vm->id)) {
        return;
    }
    if (request_run(engine, &caller_nobody, &request, &err) < 0) {
        log_error("%s cannot be taken up: %s", vm->name, err.message);
    }
}

static int release_unowned(struct engine *engine, banger_error *err)
{
    struct resource_list rows = {0};
    if (journal_list(engine->store, NULL, NULL, &rows, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < rows.count; i++) {
        banger_error failure = BANGER_ERROR_INIT;
        if (staging_release(engine->store, engine->layout, &rows.items[i], &failure) < 0) {
            log_error("%s cannot be released: %s", rows.items[i].key, failure.message);
        }
    }
    resource_list_free(&rows);
    return 0;
}

int lifecycle_reconcile(struct engine *engine, banger_error *err)
{
    struct vm_list list = {0};
    int interrupted_count = oplog_interrupt_all(engine->store, err);
    if (interrupted_count < 0 || vm_list_all(engine->store, &list, err) < 0) {
        return -1;
    }
    if (interrupted_count > 0) {
        log_info("%d operations were interrupted", interrupted_count);
    }
    for (size_t i = 0; i < list.count; i++) {
        reconcile_vm(engine, &list.items[i]);
    }
    vm_list_free(&list);
    return release_unowned(engine, err);
}

/* No: an operation that held the lock has dealt with it, or started the VM anew. */
static bool is_ended_unseen(const struct operation *op)
{
    return live_is_known(op->engine, op->vm.id) && !live_is_running(op->engine, op->vm.id);
}

/* A VMM that ended by itself: the guest powered off, or it crashed, or somebody killed it. */
static int body_ended(struct operation *op, banger_error *err)
{
    struct process_id process;
    AUTO_CLOSE int pidfd = -1;
    int status = -1;
    if (live_process(op->engine, op->vm.id, &process, &pidfd, NULL) == 0) {
        (void)process_wait(pidfd, deadline_in(0), &status, NULL);
    }
    if (stages_run(op, &stale_stages, err) < 0) {
        return -1;
    }
    AUTO_FREE char *why = vmm_end_text(status);
    if (why != NULL) {
        op->vm.state = VM_ERROR;
        op->vm.last_error = STEAL(why);
        return operation_save(op, err);
    }
    return 0;
}

void lifecycle_vm_ended(struct engine *engine, const char *vm_id)
{
    banger_error err = BANGER_ERROR_INIT;
    struct request request = {
        .kind = "vm.ended", .vm = vm_id, .is_due = is_ended_unseen, .body = body_ended};
    if (request_run(engine, &caller_nobody, &request, &err) < 0 && err.code != BANGER_ENOTFOUND) {
        log_error("cleaning up after %.8s: %s", vm_id, err.message);
    }
}
