/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frame around every operation on a VM:
 *
 * 1. When it is its turn (requests that name a VM alike come in the order in which they arrived), find
 *    the VM and take its lock; read the record again, as it may have changed while we waited.
 * 2. Open the operation, log it, run its body, close it.
 * 3. Look at the VM for the answer, still under the lock: an answer is what this operation has made,
 *    never what somebody else has made of it since.
 */
#include "lifecycle/request.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "lifecycle/view.h"

#include <string.h>

/* Finds the VM and takes its lock; the id stays the same while the record may change. */
static struct key_lock *lock_vm(struct engine *engine, const struct caller *caller,
                                const char *reference, struct vm_record *vm, banger_error *err)
{
    struct vm_record found = {0};
    AUTO_KEY_LOCK struct key_lock *turn = key_place_use(caller->place);
    if (vm_find(engine->store, reference, &found, err) < 0) {
        return NULL;
    }
    struct key_place place = key_lock_join(engine->locks, "vm", found.id);
    key_lock_release(STEAL(turn)); /* who came after us may draw a place behind ours */
    struct key_lock *lock = key_place_use(&place);
    banger_error failure = BANGER_ERROR_INIT;
    int result = vm_find(engine->store, found.id, vm, &failure);
    if (result < 0 && failure.code == BANGER_ENOTFOUND) {
        (void)error_set(&failure, BANGER_ENOTFOUND, "VM '%s' was deleted meanwhile", found.name);
    }
    vm_record_free(&found);
    if (result < 0) {
        key_lock_release(lock);
        *err = failure;
        return NULL;
    }
    return lock;
}

static int carry_out(struct operation *op, const struct request *request, banger_error *err)
{
    operation_begin(op);
    banger_error failure = BANGER_ERROR_INIT;
    int result = request->body(op, &failure);
    operation_end(op, result < 0 ? &failure : NULL);
    if (result < 0 && err != NULL) {
        *err = failure;
    }
    return result;
}

/* The same, with a look at the VM before it goes. */
static int carry_out_last(struct operation *op, const struct request *request, banger_error *err)
{
    AUTO_JSON json_t *last = view_vm_held(op->engine, op->vm.id, err);
    if (last == NULL || carry_out(op, request, err) < 0) {
        return -1;
    }
    *request->last = STEAL(last);
    return 0;
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
    int result = (request->last != NULL ? carry_out_last : carry_out)(&op, request, err);
    operation_free(&op);
    return result;
}

int request_run(struct engine *engine, const struct caller *caller, const struct request *request,
                banger_error *err)
{
    return request_run_and_show(engine, caller, request, NULL, err);
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

int request_run_and_show(struct engine *engine, const struct caller *caller,
                         const struct request *request, json_t **result, banger_error *err)
{
    struct vm_record vm = {0};
    AUTO_KEY_LOCK struct key_lock *lock = lock_vm(engine, caller, request->vm, &vm, err);
    if (lock == NULL) {
        return -1;
    }
    char id[ID_LENGTH + 1];
    memcpy(id, vm.id, sizeof(id));
    int status = run_locked(engine, caller, request, &vm, err);
    if (status != 0 || result == NULL) {
        return status;
    }
    *result = view_vm_held(engine, id, err);
    return *result != NULL ? 0 : -1;
}

/* Whether the VM is gone cannot be told from an operation's error: a hook may fail with any code. */
bool request_attempt(struct engine *engine, const struct request *request)
{
    struct vm_record vm = {0};
    banger_error failure = BANGER_ERROR_INIT;
    banger_error err = BANGER_ERROR_INIT;
    if (request_run(engine, &caller_nobody, request, &failure) >= 0) {
        return true;
    }
    bool found = vm_find(engine->store, request->vm, &vm, &err) == 0;
    bool gone = !found && err.code == BANGER_ENOTFOUND;
    if (!gone) {
        log_error("%s %s: %s", request->kind, found ? vm.name : request->vm, failure.message);
    }
    vm_record_free(&vm);
    return gone;
}
