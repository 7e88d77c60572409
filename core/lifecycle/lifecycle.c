/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations: each a body, which the frame of request.c carries out. */
#include "lifecycle/lifecycle.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "lifecycle/create.h"
#include "lifecycle/live.h"
#include "lifecycle/request.h"
#include "lifecycle/retry.h"
#include "lifecycle/stage.h"
#include "lifecycle/view.h"

#include <string.h>

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

static int body_stop(struct operation *op, banger_error *err)
{
    bool running = live_is_running(op->engine, op->vm.id);
    return stages_end(op, running ? &stop_stages : &stale_stages, err);
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
    return stages_end(op, running ? &kill_stages : &stale_stages, err);
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
    return stages_end(op, &delete_stages, err);
}

int lifecycle_delete(struct engine *engine, const struct caller *caller, const char *vm,
                     json_t **result, banger_error *err)
{
    struct request request = {.kind = "vm.delete", .vm = vm, .body = body_delete, .last = result};
    return request_run(engine, caller, &request, err);
}

static bool delete_ephemeral(struct engine *engine, const char *vm_id)
{
    const struct request request = {.kind = "vm.delete", .vm = vm_id, .body = body_delete};
    return request_attempt(engine, &request); /* its owner has usually deleted it already */
}

void lifecycle_abandon(struct engine *engine, const char *vm_id)
{
    if (!delete_ephemeral(engine, vm_id)) {
        retry_later(engine, vm_id, delete_ephemeral);
    }
}

int lifecycle_create(struct engine *engine, const struct caller *caller, const json_t *params,
                     json_t **result, banger_error *err)
{
    char id[ID_LENGTH + 1];
    create_id(engine, id);
    AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(engine->locks, "vm", id);
    if (create_record(engine, caller, params, false, id, err) < 0) {
        return -1;
    }
    *result = view_vm_held(engine, id, err);
    return *result != NULL ? 0 : -1;
}

/* Cancelled, or meant to be gone when it ends: nothing is left of it. Any other failure leaves the
 * VM, in state `error`, for its owner to look at. */
static int start_new(struct engine *engine, const struct caller *caller, bool ephemeral,
                     const char *id, banger_error *err)
{
    struct request start = {.kind = "vm.start", .vm = id, .body = body_start};
    struct request undo = {.kind = "vm.delete", .vm = id, .body = body_delete};
    banger_error failure = BANGER_ERROR_INIT;
    banger_error second = BANGER_ERROR_INIT;
    if (request_run_held(engine, caller, &start, &failure) == 0) {
        return 0;
    }
    if ((ephemeral || failure.code == BANGER_ECANCELLED) &&
        request_run_held(engine, &caller_nobody, &undo, &second) < 0) {
        error_join(&failure, &second);
        if (ephemeral) {
            retry_later(engine, id, delete_ephemeral);
        }
    }
    if (err != NULL) {
        *err = failure;
    }
    return -1;
}

/* Under one lock from before the record exists, so that nobody comes between (a prune, say). */
int lifecycle_run(struct engine *engine, const struct caller *caller, const json_t *params,
                  bool ephemeral, json_t **result, banger_error *err)
{
    char id[ID_LENGTH + 1];
    struct caller quiet = *caller;
    quiet.warn = NULL; /* the start asks the same once more, and tells it */
    create_id(engine, id);
    AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(engine->locks, "vm", id);
    if (create_record(engine, &quiet, params, ephemeral, id, err) < 0 ||
        start_new(engine, caller, ephemeral, id, err) < 0) {
        return -1;
    }
    if (result == NULL) {
        return 0;
    }
    *result = view_vm_held(engine, id, err);
    if (*result == NULL && ephemeral) { /* whoever asked never learns of it, and has no lease */
        retry_later(engine, id, delete_ephemeral);
    }
    return *result != NULL ? 0 : -1;
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
    json_t *last = NULL;
    struct request request = {
        .kind = "vm.delete", .vm = id, .is_due = is_idle, .body = body_delete, .last = &last};
    int status = request_run(engine, caller, &request, err);
    if (status == 0) {
        (void)json_array_append_new(deleted, last);
    }
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
