/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Coming back after the daemon's end, however it came:
 *
 * 1. Operations that the log still calls running are marked as interrupted.
 * 2. A VM that ran and whose VMM lives (same PID, start time and boot) is taken up again: nothing
 *    about it is touched; capabilities are told (`reconciled`).
 * 3. Any other VM with rows in the journal was being started or ended: it is cleaned up.
 * 4. Ephemeral VMs were leased by connections that no longer exist: they are deleted.
 * 5. What belongs to no VM (staging folders of images and kernels) is released.
 *
 * "Lives" has three answers: where it cannot be told (no descriptor left, say), the VM is left
 * alone. A VM that cannot be handled is reported; its rows stay for the next attempt (rounds.h).
 */
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "image/staging.h"
#include "lifecycle/end_reason.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/live.h"
#include "lifecycle/request.h"
#include "lifecycle/retry.h"
#include "lifecycle/spawn.h"
#include "lifecycle/stage.h"

#include <string.h>

/* The VMM of the journal: 1 it lives (`pidfd` is the caller's), 0 it does not, -1 nobody knows. */
static int find_vmm(struct engine *engine, const char *vm_id, struct process_id *process,
                    int *pidfd, banger_error *err)
{
    struct resource_list rows = {0};
    if (journal_list(engine->store, vm_id, "core", &rows, err) < 0) {
        return -1;
    }
    int found = 0;
    for (size_t i = 0; i < rows.count && found == 0; i++) {
        banger_error failure = BANGER_ERROR_INIT;
        if (!spawn_row_is_vmm(&rows.items[i]) || spawn_row_process(&rows.items[i], process) < 0) {
            continue;
        }
        *pidfd = process_open(process, &failure);
        if (*pidfd >= 0) {
            found = 1;
        } else if (failure.code != BANGER_ENOTFOUND) {
            *err = failure;
            found = -1;
        }
    }
    resource_list_free(&rows);
    return found;
}

#define VERIFY_TIMEOUT_MS 1000

/* Capabilities rebuild what lived in the daemon's memory. What failed is asked a second time: a VM that runs would go
 * without its name or its ports until a later round, for one refusal of the kernel's; the hook is idempotent. */
static int tell_capabilities(struct operation *op, banger_error *err)
{
    banger_error first = BANGER_ERROR_INIT;
    if (dispatch_hook(op->scope, HOOK_RECONCILED, &first) == 0) {
        return 0;
    }
    operation_warn(op, "%s; they are asked once more", first.message);
    return dispatch_hook(op->scope, HOOK_RECONCILED, err);
}

static bool is_live(const struct operation *op)
{
    return live_is_running(op->engine, op->vm.id);
}

/* In a later round. A VM that was started anew since is told once more than it needs. */
static bool tell_later(struct engine *engine, const char *vm_id)
{
    const struct request request = {
        .kind = "vm.reconcile", .vm = vm_id, .is_due = is_live, .body = tell_capabilities};
    return request_attempt(engine, &request);
}

/* Takes up the process. What does not answer is only told about: it may be stopped on purpose. */
static int adopt(struct operation *op, const struct process_id *process, int pidfd,
                 banger_error *err)
{
    live_add(op->engine, op->vm.id, process, pidfd);
    if (failpoint("reconcile", "adopted", err) < 0) {
        return -1;
    }
    const json_t *agent = json_at(op->vm.runtime, "core.agent");
    banger_error failure = BANGER_ERROR_INIT;
    if (agent != NULL && live_connect(op->engine, op->vm.id, agent, &failure) < 0) {
        operation_warn(op, "its agent cannot be reached: %s", failure.message);
    }
    if (op->vmm != NULL &&
        dispatch_provider(op->scope, op->vmm, "verify", op->vmm->plugin->vmm->verify,
                          VERIFY_TIMEOUT_MS, &failure) < 0) {
        operation_warn(op, "its VMM does not answer: %s", failure.message);
    }
    return tell_capabilities(op, err);
}

static int clean_up(struct operation *op, banger_error *err)
{
    if (!end_reason_recall(op) && op->vm.state != VM_RUNNING) {
        op->end_reason = xstrdup("the daemon ended in the middle of an operation");
    }
    return stages_end(op, &stale_stages, err);
}

static int body_take_up(struct operation *op, banger_error *err)
{
    struct process_id process;
    int pidfd = -1;
    int found = 0;
    if (failpoint("reconcile", "vm", err) < 0) {
        return -1;
    }
    if (op->vm.state == VM_RUNNING) {
        found = find_vmm(op->engine, op->vm.id, &process, &pidfd, err);
    }
    if (found < 0) {
        return -1;
    }
    if (found == 0) {
        return clean_up(op, err);
    }
    if (adopt(op, &process, pidfd, err) < 0) {
        retry_later(op->engine, op->vm.id, tell_later);
        return -1;
    }
    return 0;
}

static void reconcile_vm(struct engine *engine, const struct vm_record *vm)
{
    if (json_get_bool(vm->spec, "ephemeral", false)) {
        lifecycle_abandon(engine, vm->id);
    } else if (vm->state == VM_RUNNING || journal_holds(engine->store, vm->id)) {
        const struct request request = {.kind = "vm.reconcile", .vm = vm->id, .body = body_take_up};
        (void)request_attempt(engine, &request);
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
    banger_error failure = BANGER_ERROR_INIT;
    int interrupted = failpoint_write("reconcile", "begin", &failure) < 0
                          ? -1
                          : oplog_interrupt_all(engine->store, &failure);
    if (interrupted < 0) { /* a full disk: VMs that run are taken up all the same */
        log_error("the log cannot be closed: %s", failure.message);
    }
    if (interrupted > 0) {
        log_info("%d operations were interrupted", interrupted);
    }
    if (vm_list_all(engine->store, &list, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < list.count; i++) {
        reconcile_vm(engine, &list.items[i]);
    }
    vm_list_free(&list);
    failpoint_kill("reconcile", "vms-done");
    return release_unowned(engine, err);
}

static bool is_lost(const struct operation *op)
{
    return op->vm.state == VM_RUNNING && !live_is_known(op->engine, op->vm.id);
}

bool lifecycle_take_up(struct engine *engine, const char *vm_id)
{
    const struct request request = {
        .kind = "vm.reconcile", .vm = vm_id, .is_due = is_lost, .body = body_take_up};
    return request_attempt(engine, &request);
}
