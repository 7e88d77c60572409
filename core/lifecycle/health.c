/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/health.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "lifecycle/live.h"
#include "lifecycle/request.h"
#include "lifecycle/stage.h"

#include <signal.h>
#include <string.h>

#define ASK_TIMEOUT_MS 1000 /* what is asked of is in the kernel's memory */

/* What hooks keep for the run, what this one just added included. */
static void keep_runtime(struct operation *op)
{
    AUTO_JSON json_t *stored = scope_runtime(op->scope);
    banger_error err = BANGER_ERROR_INIT;
    AUTO_JSON json_t *before = json_deep_copy(op->vm.runtime);
    (void)json_object_update(op->vm.runtime, stored);
    if (!json_equal(before, op->vm.runtime) && operation_save(op, &err) < 0) {
        log_warn("%s: %s", op->vm.name, err.message);
    }
}

static bool is_no_answer(const banger_error *failure)
{
    return failure->code == BANGER_ETIMEDOUT || failure->code == BANGER_EBUSY;
}

/* <0: the provider says that the VM cannot go on. */
static int ask(struct operation *op, banger_error *err)
{
    banger_error failure = BANGER_ERROR_INIT;
    if (op->rootfs == NULL || op->rootfs->plugin->rootfs->health == NULL ||
        !live_is_running(op->engine, op->vm.id)) {
        return 0;
    }
    int result = dispatch_provider(op->scope, op->rootfs, "health",
                                   op->rootfs->plugin->rootfs->health, ASK_TIMEOUT_MS, &failure);
    keep_runtime(op);
    if (result == 0 || is_no_answer(&failure)) {
        return 0;
    }
    error_join(err, &failure);
    return -1;
}

/* Asked again, now as an operation: its log and its event tell why the VM was ended. */
static int body_unwell(struct operation *op, banger_error *err)
{
    banger_error why = BANGER_ERROR_INIT;
    if (ask(op, &why) == 0) {
        return 0;
    }
    op->end_reason =
        why.hint[0] != '\0' ? str_format("%s; %s", why.message, why.hint) : xstrdup(why.message);
    if (stages_end(op, &kill_stages, err) < 0) {
        return -1;
    }
    error_join(err, &why);
    return -1;
}

static bool is_well(struct engine *engine, struct vm_record *vm)
{
    struct operation op = {.engine = engine,
                           .caller = &caller_nobody,
                           .kind = "vm.health",
                           .vm = *vm,
                           .is_routine = true};
    if (operation_open(&op, NULL) < 0) {
        return true; /* the store cannot be read: nothing is known */
    }
    bool well = ask(&op, NULL) == 0;
    operation_free(&op);
    return well;
}

void health_ask(struct engine *engine, const char *vm_id)
{
    AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(engine->locks, "vm", vm_id);
    struct vm_record vm = {0};
    if (vm_find(engine->store, vm_id, &vm, NULL) < 0) {
        return;
    }
    AUTO_FREE char *name = xstrdup(vm.name);
    if (is_well(engine, &vm)) { /* `vm` moves in */
        return;
    }
    struct request request = {
        .kind = "vm.health", .vm = vm_id, .signal_number = SIGKILL, .body = body_unwell};
    banger_error err = BANGER_ERROR_INIT;
    if (request_run_held(engine, &caller_nobody, &request, &err) < 0) {
        log_error("%s was ended: %s", name, err.message);
    }
}
