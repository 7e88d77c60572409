/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations. Each one: find the VM, take its lock, read the record again (it may have changed
 * while we waited), open an operation, run the stages of its list, end it.
 */
#include "lifecycle/lifecycle.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "lifecycle/create.h"
#include "lifecycle/live.h"
#include "lifecycle/request.h"
#include "lifecycle/stage.h"
#include "lifecycle/view.h"

#include <string.h>

/* Finds the VM and takes its lock; the id stays the same while the record may change. */
static struct key_lock *lock_vm(struct engine *engine, const char *reference, struct vm_record *vm,
                                banger_error *err)
{
    struct vm_record found = {0};
    if (vm_find(engine->store, reference, &found, err) < 0) {
        return NULL;
    }
    struct key_lock *lock = key_lock_take(engine->locks, "vm", found.id);
    int result = vm_find(engine->store, found.id, vm, err);
    vm_record_free(&found);
    if (result < 0) { /* deleted while we waited */
        key_lock_release(lock);
        return NULL;
    }
    return lock;
}

/* `vm` moves in, on failure too. */
static int run_locked(struct engine *engine, const struct caller *caller,
                      const struct request *request, struct vm_record *vm, banger_error *err)
{
    struct operation op = {
        .engine = engine,
        .caller = caller,
        .kind = request->kind,
        .vm = *vm,
        .stop_timeout_ms = request->stop_timeout_ms,
        .signal_number = request->signal_number,
        .changes = request->changes,
    };
    if (request->is_due != NULL && !request->is_due(&op)) {
        vm_record_free(vm);
        return REQUEST_NOT_DUE;
    }
    if (operation_cancelled(&op)) { /* whoever asked has left the queue: nothing was begun */
        vm_record_free(vm);
        return error_set(err, BANGER_ECANCELLED, "cancelled before %s began", request->kind);
    }
    if (operation_open(&op, err) < 0) {
        return -1;
    }
    operation_begin(&op);
    banger_error failure = BANGER_ERROR_INIT;
    int result = request->body(&op, &failure);
    operation_end(&op, result < 0 ? &failure : NULL);
    if (result < 0 && err != NULL) {
        *err = failure;
    }
    operation_free(&op);
    return result;
}

int request_run(struct engine *engine, const struct caller *caller, const struct request *request,
                banger_error *err)
{
    struct vm_record vm = {0};
    AUTO_KEY_LOCK struct key_lock *lock = lock_vm(engine, request->vm, &vm, err);
    return lock != NULL ? run_locked(engine, caller, request, &vm, err) : -1;
}

int request_run_held(struct engine *engine, const struct caller *caller,
                     const struct request *request, banger_error *err)
{
    struct vm_record vm = {0};
    if (vm_find(engine->store, request->vm, &vm, err) < 0) {
        return -1;
    }
    return run_locked(engine, caller, request, &vm, err);
}

/* The VM as it is after the operation. */
static int show(struct engine *engine, const char *vm, json_t **result, banger_error *err)
{
    if (result == NULL) {
        return 0;
    }
    *result = view_vm_now(engine, vm, err);
    return *result != NULL ? 0 : -1;
}

int request_run_and_show(struct engine *engine, const struct caller *caller,
                         const struct request *request, json_t **result, banger_error *err)
{
    if (request_run(engine, caller, request, err) < 0) {
        return -1;
    }
    return show(engine, request->vm, result, err);
}

static int body_start(struct operation *op, banger_error *err)
{
    if (op->vm.state == VM_RUNNING && live_is_running(op->engine, op->vm.id)) {
        operation_info(op, "already running");
        return 0;
    }
    if (op->vm.state == VM_RUNNING) {
        /* Its VMM has just ended. From here on the record must not call it running: a daemon that
         * comes back would take a half-made VM for a whole one. */
        op->vm.state = VM_STOPPED;
    }
    if (stages_run(op, &start_stages, err) < 0) {
        stages_fail(op, err);
        return -1;
    }
    return 0;
}

int lifecycle_start(struct engine *engine, const struct caller *caller, const char *vm,
                    json_t **result, banger_error *err)
{
    struct request request = {.kind = "vm.start", .vm = vm, .body = body_start};
    return request_run_and_show(engine, caller, &request, result, err);
}

/* Runs the list that ends a VM. Nobody can cancel that: a half-stopped VM is of no use. */
static int end_vm(struct operation *op, const struct stage_list *list, banger_error *err)
{
    op->uncancellable = true;
    if (stages_run(op, list, err) < 0) {
        stages_fail_end(op, err);
        return -1;
    }
    return 0;
}

static int body_stop(struct operation *op, banger_error *err)
{
    bool running = live_is_running(op->engine, op->vm.id);
    return end_vm(op, running ? &stop_stages : &stale_stages, err);
}

int lifecycle_stop(struct engine *engine, const struct caller *caller, const char *vm,
                   int64_t timeout_ms, json_t **result, banger_error *err)
{
    struct request request = {
        .kind = "vm.stop", .vm = vm, .stop_timeout_ms = timeout_ms, .body = body_stop};
    return request_run_and_show(engine, caller, &request, result, err);
}

static int body_kill(struct operation *op, banger_error *err)
{
    bool running = live_is_running(op->engine, op->vm.id);
    return end_vm(op, running ? &kill_stages : &stale_stages, err);
}

int lifecycle_kill(struct engine *engine, const struct caller *caller, const char *vm,
                   int signal_number, json_t **result, banger_error *err)
{
    struct request request = {
        .kind = "vm.kill", .vm = vm, .signal_number = signal_number, .body = body_kill};
    return request_run_and_show(engine, caller, &request, result, err);
}

static int body_restart(struct operation *op, banger_error *err)
{
    if (operation_check_parts(op, err) < 0 || body_stop(op, err) < 0) {
        return -1;
    }
    op->uncancellable = false;
    return body_start(op, err);
}

int lifecycle_restart(struct engine *engine, const struct caller *caller, const char *vm,
                      int64_t timeout_ms, json_t **result, banger_error *err)
{
    struct request request = {
        .kind = "vm.restart", .vm = vm, .stop_timeout_ms = timeout_ms, .body = body_restart};
    return request_run_and_show(engine, caller, &request, result, err);
}

static int body_delete(struct operation *op, banger_error *err)
{
    return end_vm(op, &delete_stages, err);
}

int lifecycle_delete(struct engine *engine, const struct caller *caller, const char *vm,
                     json_t **result, banger_error *err)
{
    AUTO_JSON json_t *last = view_vm_now(engine, vm, err); /* there is nothing to show afterwards */
    /* By its id: another may get the name meanwhile. */
    struct request request = {
        .kind = "vm.delete", .vm = json_get_string(last, "id", vm), .body = body_delete};
    if (last == NULL || request_run(engine, caller, &request, err) < 0) {
        return -1;
    }
    if (result != NULL) {
        *result = STEAL(last);
    }
    return 0;
}

/* Under one lock from before the record exists, so that nobody comes between (a prune, say). */
static int create_and_start(struct engine *engine, const struct caller *caller,
                            const json_t *params, bool ephemeral, const char *id, banger_error *err)
{
    AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(engine->locks, "vm", id);
    if (create_record(engine, caller, params, ephemeral, id, err) < 0) {
        return -1;
    }
    struct request start = {.kind = "vm.start", .vm = id, .body = body_start};
    banger_error failure = BANGER_ERROR_INIT;
    if (request_run_held(engine, caller, &start, &failure) == 0) {
        return 0;
    }
    /* Cancelled, or meant to be gone when it ends: nothing is left of it. Any other failure leaves
     * the VM, in state `error`, for its owner to look at. */
    struct request undo = {.kind = "vm.delete", .vm = id, .body = body_delete};
    banger_error second = BANGER_ERROR_INIT;
    if ((ephemeral || failure.code == BANGER_ECANCELLED) &&
        request_run_held(engine, &caller_nobody, &undo, &second) < 0) {
        error_join(&failure, &second);
    }
    if (err != NULL) {
        *err = failure;
    }
    return -1;
}

int lifecycle_run(struct engine *engine, const struct caller *caller, const json_t *params,
                  bool ephemeral, json_t **result, banger_error *err)
{
    char id[ID_LENGTH + 1];
    create_id(engine, id);
    if (create_and_start(engine, caller, params, ephemeral, id, err) < 0) {
        return -1;
    }
    return show(engine, id, result, err);
}

/* Somebody may have started it since the list was made. */
static bool is_idle(const struct operation *op)
{
    return op->vm.state != VM_RUNNING && !live_is_running(op->engine, op->vm.id);
}

/* Deletes one VM if it does not run; what there was of it is added to `deleted`. */
static int prune_vm(struct engine *engine, const struct caller *caller, const char *id,
                    json_t *deleted, banger_error *err)
{
    json_t *last = view_vm_now(engine, id, err);
    struct request request = {
        .kind = "vm.delete", .vm = id, .is_due = is_idle, .body = body_delete};
    int status = last != NULL ? request_run(engine, caller, &request, err) : -1;
    if (status == 0) {
        (void)json_array_append(deleted, last);
    }
    json_decref(last);
    return status;
}

int lifecycle_prune(struct engine *engine, const struct caller *caller, json_t **result,
                    banger_error *err)
{
    struct vm_list list = {0};
    if (vm_list_all(engine->store, &list, err) < 0) {
        return -1;
    }
    AUTO_JSON json_t *deleted = json_array();
    banger_error failures = BANGER_ERROR_INIT;
    bool goes_on = true;
    for (size_t i = 0; i < list.count && goes_on; i++) {
        const struct vm_record *vm = &list.items[i];
        banger_error failure = BANGER_ERROR_INIT;
        if (vm->state == VM_RUNNING || key_lock_users(engine->locks, "vm", vm->id) > 0) {
            continue;
        }
        if (prune_vm(engine, caller, vm->id, deleted, &failure) < 0 &&
            failure.code != BANGER_ENOTFOUND) { /* somebody else's delete was first */
            error_join(&failures, &failure);
            goes_on = failure.code != BANGER_ECANCELLED;
        }
    }
    vm_list_free(&list);
    if (failures.code != 0) {
        *err = failures;
        return -1;
    }
    *result = STEAL(deleted);
    return 0;
}
