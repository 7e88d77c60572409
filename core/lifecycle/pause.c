/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The record is written before the processors stop, and after they go on: killed between the two, a
 * daemon leaves a VM that is called paused and may run, never one that stands still unseen. Both can
 * be asked for again.
 */
#include "lifecycle/pause.h"

#include "base/json.h"
#include "lifecycle/live.h"
#include "lifecycle/request.h"

#define PAUSED_KEY "core.paused" /* of the run's values: gone with it */

bool pause_is_on(const struct vm_record *vm)
{
    return json_is_true(json_at(vm->runtime, PAUSED_KEY));
}

static int record(struct operation *op, bool paused, banger_error *err)
{
    json_put(op->vm.runtime, PAUSED_KEY, json_boolean(paused));
    return operation_save(op, err);
}

static int check(const struct operation *op, const char *word, bool can, banger_error *err)
{
    if (op->vm.state != VM_RUNNING || !live_is_running(op->engine, op->vm.id)) {
        (void)error_set(err, BANGER_EBUSY, "VM '%s' is not running", op->vm.name);
        return error_hint(err, "start it: banger vm start %s", op->vm.name);
    }
    return can ? 0
               : error_set(err, BANGER_EUNSUPPORTED, "the vmm of VM '%s' cannot %s it", op->vm.name,
                           word);
}

static int body_pause(struct operation *op, banger_error *err)
{
    banger_hook hook = op->vmm != NULL ? op->vmm->plugin->vmm->pause : NULL;
    if (check(op, "pause", hook != NULL, err) < 0 || record(op, true, err) < 0) {
        return -1;
    }
    if (dispatch_provider(op->scope, op->vmm, "pause", hook, 0, err) == 0) {
        return 0;
    }
    banger_error second = BANGER_ERROR_INIT;
    if (record(op, false, &second) < 0) {
        error_join(err, &second);
    }
    return -1;
}

int pause_lift(struct operation *op, banger_error *err)
{
    if (!pause_is_on(&op->vm)) {
        return 0;
    }
    banger_hook hook = op->vmm != NULL ? op->vmm->plugin->vmm->resume : NULL;
    if (hook == NULL) {
        return error_set(err, BANGER_EUNSUPPORTED, "the vmm of VM '%s' cannot resume it",
                         op->vm.name);
    }
    if (dispatch_provider(op->scope, op->vmm, "resume", hook, 0, err) < 0) {
        return -1;
    }
    return record(op, false, err);
}

static int body_resume(struct operation *op, banger_error *err)
{
    return check(op, "resume", true, err) < 0 ? -1 : pause_lift(op, err);
}

int lifecycle_pause(struct engine *engine, const struct caller *caller, const char *vm,
                    json_t **result, banger_error *err)
{
    struct request request = {.kind = "vm.pause", .vm = vm, .body = body_pause};
    return request_run_and_show(engine, caller, &request, result, err);
}

int lifecycle_resume(struct engine *engine, const struct caller *caller, const char *vm,
                     json_t **result, banger_error *err)
{
    struct request request = {.kind = "vm.resume", .vm = vm, .body = body_resume};
    return request_run_and_show(engine, caller, &request, result, err);
}
