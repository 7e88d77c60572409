/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/compose.h"
#include "lifecycle/lifecycle.h"

/* Of a VM that runs the providers are chosen: asked again, they would find that its ports are taken,
 * by itself. */
static int choose(struct operation *op, banger_error *err)
{
    bool chosen =
        op->vm.state == VM_RUNNING && op->vmm != NULL && op->rootfs != NULL && op->network != NULL;
    return chosen ? 0 : compose_choose(op, err);
}

static int compose(struct operation *op, json_t **result, banger_error *err)
{
    if (operation_check_parts(op, err) < 0 || choose(op, err) < 0 || compose_machine(op, err) < 0) {
        return -1;
    }
    struct machine *machine = scope_machine(op->scope);
    *result = json_pack("{s:O, s:O, s:{s:s, s:s, s:s}}", "machine", machine_document(machine),
                        "contributions", machine_contributions(machine), "providers", "vmm",
                        op->vmm->plugin->name, "rootfs", op->rootfs->plugin->name, "network",
                        op->network->plugin->name);
    return 0;
}

/* No lock, no log, no stage: a plan reads, and every hook that it calls is pure. */
int lifecycle_plan(struct engine *engine, const char *vm, json_t **result, banger_error *err)
{
    struct operation op = {.engine = engine, .caller = &caller_nobody, .kind = "vm.plan"};
    if (vm_find(engine->store, vm, &op.vm, err) < 0 || operation_open(&op, err) < 0) {
        return -1;
    }
    int status = compose(&op, result, err);
    operation_free(&op);
    return status;
}
