/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/precheck.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "lifecycle/choose.h"
#include "lifecycle/operation.h"

/* An operation that is never in the log: only its scope is used. The record is copied, since an
 * operation owns its own. */
static int open_question(struct operation *op, struct engine *engine, const struct caller *caller,
                         const struct vm_record *vm, banger_error *err)
{
    *op = (struct operation){.engine = engine, .caller = caller, .kind = "vm.check"};
    op->vm = *vm;
    op->vm.spec = json_deep_copy(vm->spec);
    op->vm.runtime = json_object();
    op->vm.last_error = NULL;
    return operation_open(op, err);
}

static int choose_network(struct operation *op, banger_error *err)
{
    return provider_choose(op->scope, op->engine->registry, PROVIDER_NETWORK,
                           json_get_string(op->vm.spec, "network", "auto"), NULL, &op->network,
                           err);
}

int precheck_network(struct engine *engine, const struct vm_record *vm, banger_error *err)
{
    struct operation op;
    if (open_question(&op, engine, &caller_nobody, vm, err) < 0) {
        return -1;
    }
    int result = choose_network(&op, err);
    operation_free(&op);
    return result;
}

int precheck_vm(struct engine *engine, const struct caller *caller, const struct vm_record *vm,
                banger_error *err)
{
    const struct caller told = {.warn = caller->warn, .context = caller->context};
    struct operation op;
    if (open_question(&op, engine, &told, vm, err) < 0) {
        return -1;
    }
    int result = choose_network(&op, err);
    if (result == 0) {
        operation_tell_providers(&op);
        result = dispatch_hook(op.scope, HOOK_CHECK, err);
    }
    operation_free(&op);
    return result;
}
