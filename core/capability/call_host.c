/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is done on the host with privilege, and the numbers that VMs have there. */
#include "call.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "host/ops.h"
#include "store/lease_table.h"

/* NULL: about the host. */
static const char *vm_of(const struct scope *scope)
{
    return scope->vm_id[0] != '\0' ? scope->vm_id : NULL;
}

/* What an operation finds invalid is, as a rule, what a site configured and a plugin passed on: it
 * stays a wrong value. */
static int host_refused(struct banger_call *call, const banger_error *problem)
{
    if (problem->code != BANGER_EINVALID) {
        return call_error(call, problem);
    }
    if (problem->hint[0] != '\0') {
        call_host.hint(call, "%s", problem->hint);
    }
    return (call_host.fail)(call, BANGER_EINVALID, "%s", problem->message);
}

int call_host_op(struct banger_call *call, const char *name, const char *args_json,
                 const char **result)
{
    struct scope *scope = call->scope;
    if (!host_op_asks(name) && call_need_effects(call, name) < 0) {
        return -1;
    }
    if (scope->host == NULL) {
        return call_refuse(call, BANGER_EUNSUPPORTED, "%s: host operations are not offered in %s",
                           name, call->what);
    }
    AUTO_JSON json_t *args = call_parse(call, name, str_or(args_json, "{}"));
    if (args == NULL || !call_enter(call)) {
        return -1;
    }
    AUTO_JSON json_t *answer = NULL;
    banger_error problem = BANGER_ERROR_INIT;
    int status = host_op_run(scope->host, vm_of(scope), name, args, &answer, &problem);
    call_leave(call);
    if (status < 0) {
        return host_refused(call, &problem);
    }
    if (result != NULL) {
        *result = call_keep_json(call, answer);
    }
    return result == NULL || *result != NULL ? 0 : -1;
}

int64_t call_lease_number(struct banger_call *call, const char *pool, int64_t first, int64_t last)
{
    const struct scope *scope = call->scope;
    if (scope->store == NULL || vm_of(scope) == NULL) {
        return call_refuse(call, BANGER_EUNSUPPORTED, "lease_number: there is no VM in %s",
                           call->what);
    }
    if (pool == NULL || pool[0] == '\0' || first < 0 || last < first) {
        return call_refuse(call, BANGER_EINVALID, "lease_number: not a pool: '%s', %lld to %lld",
                           str_or(pool, ""), (long long)first, (long long)last);
    }
    if (!call_enter(call)) {
        return -1;
    }
    const struct lease_pool wanted = {call->capability->plugin->name, pool, first, last};
    int64_t number = -1;
    banger_error problem = BANGER_ERROR_INIT;
    int status = lease_take(scope->store, &wanted, scope->vm_id, call->pure, &number, &problem);
    call_leave(call);
    return status == 0 ? number : call_error(call, &problem);
}
