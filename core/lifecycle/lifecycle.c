/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations. Each one: find the VM, take its lock, read the record again (it may have changed
 * while we waited), open an operation, run the stages of its list, end it.
 */
#include "lifecycle/lifecycle.h"

#include "base/cleanup.h"
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

int request_run(struct engine *engine, const struct caller *caller, const struct request *request,
                banger_error *err)
{
    struct operation op = {
        .engine = engine,
        .caller = caller,
        .kind = request->kind,
        .stop_timeout_ms = request->stop_timeout_ms,
        .signal_number = request->signal_number,
        .changes = request->changes,
    };
    AUTO_KEY_LOCK struct key_lock *lock = lock_vm(engine, request->vm, &op.vm, err);
    if (lock == NULL || operation_open(&op, err) < 0) {
        return -1;
    }
    bool due = request->is_due == NULL || request->is_due(&op);
    int result = due ? operation_begin(&op, err) : 0;
    if (due && result == 0) {
        banger_error failure = BANGER_ERROR_INIT;
        result = request->body(&op, &failure);
        operation_end(&op, result < 0 ? &failure : NULL);
        if (result < 0 && err != NULL) {
            *err = failure;
        }
    }
    operation_free(&op);
    return result;
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
    if (live_is_running(op->engine, op->vm.id)) {
        operation_info(op, "already running");
        return 0;
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

/* A failure on the way leaves the record as it was: the VM may still run, and can be asked again.
 */
static int body_stop(struct operation *op, banger_error *err)
{
    op->uncancellable = true; /* a half-stopped VM is of no use to anybody */
    bool running = live_is_running(op->engine, op->vm.id);
    return stages_run(op, running ? &stop_stages : &stale_stages, err);
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
    op->uncancellable = true;
    bool running = live_is_running(op->engine, op->vm.id);
    return stages_run(op, running ? &kill_stages : &stale_stages, err);
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
    if (body_stop(op, err) < 0) {
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
    op->uncancellable = true;
    return stages_run(op, &delete_stages, err);
}

int lifecycle_delete(struct engine *engine, const struct caller *caller, const char *vm,
                     json_t **result, banger_error *err)
{
    AUTO_JSON json_t *last = view_vm_now(engine, vm, err); /* there is nothing to show afterwards */
    struct request request = {.kind = "vm.delete", .vm = vm, .body = body_delete};
    if (last == NULL || request_run(engine, caller, &request, err) < 0) {
        return -1;
    }
    if (result != NULL) {
        *result = STEAL(last);
    }
    return 0;
}

int lifecycle_run(struct engine *engine, const struct caller *caller, const json_t *params,
                  bool ephemeral, json_t **result, banger_error *err)
{
    char id[ID_LENGTH + 1];
    if (create_record(engine, caller, params, ephemeral, id, err) < 0) {
        return -1;
    }
    banger_error failure = BANGER_ERROR_INIT;
    if (lifecycle_start(engine, caller, id, result, &failure) == 0) {
        return 0;
    }
    /* Cancelled, or meant to be gone when it ends: nothing is left of it. Any other failure leaves
     * the VM, in state `error`, for its owner to look at. */
    banger_error second = BANGER_ERROR_INIT;
    if ((ephemeral || failure.code == BANGER_ECANCELLED) &&
        lifecycle_delete(engine, &caller_nobody, id, NULL, &second) < 0) {
        error_join(&failure, &second);
    }
    if (err != NULL) {
        *err = failure;
    }
    return -1;
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
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].state == VM_RUNNING ||
            key_lock_is_held(engine->locks, "vm", list.items[i].id)) {
            continue;
        }
        json_t *gone = NULL;
        banger_error failure = BANGER_ERROR_INIT;
        if (lifecycle_delete(engine, caller, list.items[i].id, &gone, &failure) < 0) {
            error_join(&failures, &failure);
        } else {
            (void)json_array_append_new(deleted, gone);
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
