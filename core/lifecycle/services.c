/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/services.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "lifecycle/guest_put.h"
#include "lifecycle/guest_run.h"
#include "lifecycle/live.h"
#include "lifecycle/operation.h"
#include "lifecycle/spawn.h"

static void service_progress(void *context, const char *capability, const char *text)
{
    operation_info(context, "%s: %s", capability, text);
}

static void service_warn(void *context, const char *text)
{
    operation_warn(context, "%s", text);
}

static bool service_cancelled(void *context)
{
    return operation_cancelled(context);
}

static int service_spawn(void *context, const char *capability, const json_t *argv,
                         const json_t *options, banger_error *err)
{
    return spawn_for_vm(context, capability, argv, options, err);
}

static int service_guest_exec(void *context, const json_t *request, int64_t timeout_ms,
                              json_t **result, banger_error *err)
{
    const struct operation *op = context;
    return guest_run(op->engine, op->vm.id, request, timeout_ms, result, err);
}

static int service_guest_copy(void *context, const json_t *request, int64_t timeout_ms,
                              banger_error *err)
{
    const struct operation *op = context;
    return guest_put(op->engine, op->vm.id, request, timeout_ms, err);
}

static void service_emit(void *context, const char *type, const json_t *data)
{
    const struct operation *op = context;
    engine_emit(op->engine, type, op->vm.id, op->vm.name, data);
}

static void service_record(void *context, const json_t *entry)
{
    const struct operation *op = context;
    op->caller->record(op->caller->context, entry);
}

const struct scope_services operation_services = {
    .progress = service_progress,
    .warn = service_warn,
    .cancelled = service_cancelled,
    .spawn = service_spawn,
    .guest_exec = service_guest_exec,
    .emit = service_emit,
    .guest_copy = service_guest_copy,
    .record = service_record,
};
