/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods that change VMs: each takes its parameters apart and calls the lifecycle. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/name.h"
#include "base/str.h"
#include "daemon/methods.h"
#include "host/signal.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/pause.h"

#include <string.h>

METHOD(method_vm_create)
{
    struct daemon *daemon = context;
    struct caller caller = daemon_caller(request);
    daemon_wait_ready(daemon);
    return lifecycle_create(&daemon->engine, &caller, params, result, err);
}

/* A VM that goes when the connection that asked for it does. */
struct lease {
    struct daemon *daemon;
    char vm_id[ID_LENGTH + 1];
};

static void end_lease(void *context)
{
    AUTO_FREE struct lease *lease = context;
    lifecycle_abandon(&lease->daemon->engine, lease->vm_id);
}

METHOD(method_vm_run)
{
    struct daemon *daemon = context;
    struct caller caller;
    bool ephemeral = false;
    if (json_want_bool(params, "rm", &ephemeral, err) < 0 ||
        daemon_recording_caller(request, params, &caller, err) < 0) {
        return -1;
    }
    daemon_wait_ready(daemon);
    if (lifecycle_run(&daemon->engine, &caller, params, ephemeral, result, err) < 0) {
        return -1;
    }
    if (ephemeral) {
        struct lease *lease = xcalloc(1, sizeof(*lease));
        lease->daemon = daemon;
        (void)snprintf(lease->vm_id, sizeof(lease->vm_id), "%s",
                       json_get_string(*result, "id", ""));
        rpc_request_on_close(request, end_lease, lease);
    }
    return 0;
}

static int take_vm(struct daemon *daemon, const json_t *params, const char *const *known,
                   const char **vm, banger_error *err)
{
    daemon_wait_ready(daemon);
    if (json_only_keys("the request", params, known, err) < 0) {
        return -1;
    }
    return json_need_string(params, "vm", vm, err);
}

static const char *const only_vm[] = {"vm", NULL};
static const char *const vm_and_record[] = {"vm", "record", NULL};
static const char *const vm_and_timeout[] = {"vm", "timeout_ms", NULL};
static const char *const vm_timeout_and_record[] = {"vm", "timeout_ms", "record", NULL};
static const char *const vm_and_signal[] = {"vm", "signal", NULL};

/* An operation that takes a VM and nothing else. */
static int run_on_vm(struct daemon *daemon, struct rpc_request *request, const json_t *params,
                     int (*operation)(struct engine *engine, const struct caller *caller,
                                      const char *vm, json_t **result, banger_error *err),
                     json_t **result, banger_error *err)
{
    struct caller caller = daemon_caller(request);
    const char *vm = NULL;
    if (take_vm(daemon, params, only_vm, &vm, err) < 0) {
        return -1;
    }
    return operation(&daemon->engine, &caller, vm, result, err);
}

METHOD(method_vm_start)
{
    struct daemon *daemon = context;
    struct caller caller;
    const char *vm = NULL;
    if (take_vm(daemon, params, vm_and_record, &vm, err) < 0 ||
        daemon_recording_caller(request, params, &caller, err) < 0) {
        return -1;
    }
    return lifecycle_start(&daemon->engine, &caller, vm, result, err);
}

METHOD(method_vm_pause)
{
    return run_on_vm(context, request, params, lifecycle_pause, result, err);
}

METHOD(method_vm_resume)
{
    return run_on_vm(context, request, params, lifecycle_resume, result, err);
}

METHOD(method_vm_delete)
{
    return run_on_vm(context, request, params, lifecycle_delete, result, err);
}

#define STOP_TIMEOUT_MAX_MS (INT64_C(3600) * 1000)

static int take_timeout(const json_t *params, int64_t *timeout_ms, banger_error *err)
{
    *timeout_ms = -1;
    if (json_want_int(params, "timeout_ms", timeout_ms, err) < 0) {
        return -1;
    }
    if (*timeout_ms < -1 || *timeout_ms > STOP_TIMEOUT_MAX_MS) {
        return error_set(err, BANGER_EINVALID, "invalid timeout_ms: use 0 to %lld",
                         (long long)STOP_TIMEOUT_MAX_MS);
    }
    return 0;
}

METHOD(method_vm_stop)
{
    struct daemon *daemon = context;
    struct caller caller = daemon_caller(request);
    const char *vm = NULL;
    int64_t timeout_ms = -1;
    if (take_vm(daemon, params, vm_and_timeout, &vm, err) < 0 ||
        take_timeout(params, &timeout_ms, err) < 0) {
        return -1;
    }
    return lifecycle_stop(&daemon->engine, &caller, vm, timeout_ms, result, err);
}

METHOD(method_vm_restart)
{
    struct daemon *daemon = context;
    struct caller caller;
    const char *vm = NULL;
    int64_t timeout_ms = -1;
    if (take_vm(daemon, params, vm_timeout_and_record, &vm, err) < 0 ||
        take_timeout(params, &timeout_ms, err) < 0 ||
        daemon_recording_caller(request, params, &caller, err) < 0) {
        return -1;
    }
    return lifecycle_restart(&daemon->engine, &caller, vm, timeout_ms, result, err);
}

METHOD(method_vm_kill)
{
    struct daemon *daemon = context;
    struct caller caller = daemon_caller(request);
    const char *vm = NULL;
    const char *signal = "TERM";
    int number = 0;
    if (take_vm(daemon, params, vm_and_signal, &vm, err) < 0 ||
        json_want_string(params, "signal", &signal, err) < 0 ||
        signal_parse(signal, &number, err) < 0) {
        return -1;
    }
    return lifecycle_kill(&daemon->engine, &caller, vm, number, result, err);
}

METHOD(method_vm_set)
{
    struct daemon *daemon = context;
    struct caller caller = daemon_caller(request);
    const char *vm = NULL;
    daemon_wait_ready(daemon);
    if (json_need_string(params, "vm", &vm, err) < 0) {
        return -1;
    }
    AUTO_JSON json_t *changes = json_copy((json_t *)params);
    (void)json_object_del(changes, "vm");
    return lifecycle_set(&daemon->engine, &caller, vm, changes, result, err);
}

METHOD(method_vm_prune)
{
    struct daemon *daemon = context;
    struct caller caller = daemon_caller(request);
    static const char *const none[] = {NULL};
    daemon_wait_ready(daemon);
    if (json_only_keys("the request", params, none, err) < 0) {
        return -1;
    }
    return lifecycle_prune(&daemon->engine, &caller, result, err);
}
