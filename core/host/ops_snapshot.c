/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM's root disk: device-mapper over loop devices. */
#include "host/ops_snapshot.h"

#include "base/json.h"
#include "host/dm.h"
#include "host/snapshot.h"

static int need_vm(const struct op_call *call, banger_error *err)
{
    return call->vm_id != NULL ? 0
                               : error_set(err, BANGER_EINVALID,
                                           "a snapshot belongs to a VM, and there is none here");
}

int op_snapshot_check(struct host *host, const struct op_call *call, json_t *result,
                      banger_error *err)
{
    (void)host;
    (void)call;
    (void)result;
    return snapshot_check(err);
}

int op_snapshot_attach(struct host *host, const struct op_call *call, json_t *result,
                       banger_error *err)
{
    const json_t *args = call->args;
    const struct snapshot_plan plan = {
        .base = json_get_string(args, "base", ""),
        .cow = json_get_string(args, "cow", ""),
        .tail = json_get_string(args, "tail", NULL),
        .base_size = (uint64_t)json_get_int(args, "base_size", 0),
        .base_inode = (uint64_t)json_get_int(args, "base_inode", 0),
        .chunk = (uint64_t)json_get_int(args, "chunk", 0),
    };
    char path[DM_PATH_MAX];
    if (need_vm(call, err) < 0 || snapshot_attach(host, call->vm_id, &plan, err) < 0) {
        return -1;
    }
    dm_path(host, call->vm_id, path);
    json_put(result, "device", json_string(path));
    return 0;
}

int op_snapshot_detach(struct host *host, const struct op_call *call, json_t *result,
                       banger_error *err)
{
    (void)result;
    return need_vm(call, err) < 0 ? -1 : snapshot_detach(host, call->vm_id, err);
}

int op_snapshot_status(struct host *host, const struct op_call *call, json_t *result,
                       banger_error *err)
{
    static const char *const states[] = {
        [SNAPSHOT_OK] = "ok",
        [SNAPSHOT_FULL] = "full",
        [SNAPSHOT_INVALID] = "invalid",
        [SNAPSHOT_GONE] = "gone",
    };
    struct snapshot_status status;
    if (need_vm(call, err) < 0 || snapshot_status(host, call->vm_id, &status, err) < 0) {
        return -1;
    }
    json_put(result, "state", json_string(states[status.state]));
    json_put(result, "used", json_integer((json_int_t)status.used));
    json_put(result, "total", json_integer((json_int_t)status.total));
    return 0;
}
