/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/network.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "lifecycle/live.h"
#include "lifecycle/request.h"

#include <string.h>

struct telling {
    struct engine *engine;
    char vm_id[ID_LENGTH + 1];
};

static bool still_runs(const struct operation *op)
{
    return live_is_running(op->engine, op->vm.id);
}

static int body_tell(struct operation *op, banger_error *err)
{
    return dispatch_hook(op->scope, HOOK_RECONCILED, err);
}

/* An operation has one lock at a time: that of the next VM is taken by another worker. */
static void tell(void *argument)
{
    AUTO_FREE struct telling *telling = argument;
    banger_error err = BANGER_ERROR_INIT;
    struct request request = {
        .kind = "vm.reconcile", .vm = telling->vm_id, .is_due = still_runs, .body = body_tell};
    if (request_run(telling->engine, &caller_nobody, &request, &err) < 0 &&
        err.code != BANGER_ENOTFOUND) {
        log_error("%.8s cannot be connected again: %s", telling->vm_id, err.message);
    }
}

static bool is_made_anew(const struct operation *op, const char *network)
{
    AUTO_JSON json_t *runtime = scope_runtime(op->scope);
    AUTO_FREE char *key = str_format("%s.made", network);
    return json_get_bool(runtime, key, false);
}

void network_tell_others(const struct operation *op)
{
    const char *network = op->network != NULL ? op->network->plugin->name : "";
    struct vm_list running = {0};
    if (!is_made_anew(op, network) || vm_list_running(op->engine->store, &running, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < running.count; i++) {
        const struct vm_record *vm = &running.items[i];
        if (strcmp(vm->id, op->vm.id) == 0 ||
            strcmp(json_get_string(vm->runtime, "core.network", ""), network) != 0) {
            continue;
        }
        log_warn("what the VMs of the network '%s' share was gone: connecting '%s' again", network,
                 vm->name);
        struct telling *telling = xcalloc(1, sizeof(*telling));
        telling->engine = op->engine;
        memcpy(telling->vm_id, vm->id, sizeof(telling->vm_id));
        op->engine->defer(op->engine->context, tell, telling);
    }
    vm_list_free(&running);
}
