/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stages of a start that make things ready on the host. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "lifecycle/compose.h"
#include "lifecycle/network.h"
#include "lifecycle/stage.h"

#include <errno.h>
#include <fcntl.h>

/* Copying an image may take minutes on a slow disk, and so may growing a file system or reading an
 * image anew; no other provider function comes near this. */
#define ROOTFS_TIMEOUT_MS (INT64_C(30) * 60 * 1000)

static int check_file(const char *what, const char *name, const char *path, banger_error *err)
{
    if (access(path, R_OK) == 0) {
        return 0;
    }
    int reason = errno;
    (void)error_sys(err, reason, "%s '%s' cannot be read: %s", what, name, path);
    if (reason == ENOENT && err != NULL) {
        err->code = BANGER_ECORRUPT; /* the record is there: what was asked for is not unknown */
    }
    return error_hint(err, "put the file back, or delete what uses it and make it anew");
}

/* Cleanup needs to know them in another process than the one that chose. */
static int remember_providers(struct operation *op, banger_error *err)
{
    json_put(op->vm.runtime, "core.vmm", json_string(op->vmm->plugin->name));
    json_put(op->vm.runtime, "core.rootfs", json_string(op->rootfs->plugin->name));
    json_put(op->vm.runtime, "core.network", json_string(op->network->plugin->name));
    return operation_save(op, err);
}

int stage_preflight(struct operation *op, banger_error *err)
{
    if (operation_check_parts(op, err) < 0 ||
        check_file("image", op->image.name, op->image.path, err) < 0 ||
        check_file("kernel", op->kernel.name, op->kernel.path, err) < 0 ||
        (op->kernel.initramfs != NULL &&
         check_file("kernel", op->kernel.name, op->kernel.initramfs, err) < 0) ||
        dir_make(op->vm_dir, 0700, err) < 0) {
        return -1;
    }
    return compose_choose(op, err) < 0 ? -1 : dispatch_hook(op->scope, HOOK_CHECK, err);
}

int stage_bridge(struct operation *op, banger_error *err)
{
    if (remember_providers(op, err) < 0 ||
        dispatch_provider(op->scope, op->network, "ensure", op->network->plugin->network->ensure, 0,
                          err) < 0) {
        return -1;
    }
    network_tell_others(op);
    return 0;
}

int stage_socket_dir(struct operation *op, banger_error *err)
{
    return operation_hold_dir(op, op->run_dir, err);
}

int stage_system_overlay(struct operation *op, banger_error *err)
{
    json_put(op->vm.spec, SPEC_DISK_BY, json_string(op->rootfs->plugin->name));
    return dispatch_provider(op->scope, op->rootfs, "create", op->rootfs->plugin->rootfs->create,
                             ROOTFS_TIMEOUT_MS, err);
}

int stage_root_device(struct operation *op, banger_error *err)
{
    return dispatch_provider(op->scope, op->rootfs, "attach", op->rootfs->plugin->rootfs->attach,
                             ROOTFS_TIMEOUT_MS, err);
}

int stage_prepare(struct operation *op, banger_error *err)
{
    return dispatch_hook(op->scope, HOOK_PREPARE, err);
}

int stage_tap(struct operation *op, banger_error *err)
{
    return dispatch_provider(op->scope, op->network, "acquire",
                             op->network->plugin->network->acquire, 0, err);
}

static int make_empty(const char *dir, const char *name, banger_error *err)
{
    AUTO_FREE char *path = str_format("%s/%s", dir, name);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    return fd >= 0 ? 0 : error_sys(err, errno, "cannot create %s", path);
}

/* A VMM may insist that they exist (Firecracker before 1.14 does); each run begins with empty ones.
 */
int stage_metrics_file(struct operation *op, banger_error *err)
{
    if (make_empty(op->vm_dir, "vmm.log", err) < 0) {
        return -1;
    }
    return make_empty(op->vm_dir, "metrics.json", err);
}
