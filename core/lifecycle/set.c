/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing a VM's specification. */
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "lifecycle/choose.h"
#include "lifecycle/compose.h"
#include "lifecycle/direct_boot.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/live.h"
#include "lifecycle/network.h"
#include "lifecycle/precheck.h"
#include "lifecycle/request.h"
#include "lifecycle/spec.h"

#include <string.h>

#define RESIZE_TIMEOUT_MS (INT64_C(10) * 60 * 1000) /* e2fsck of a large disk */

static int check_providers(const struct operation *op, banger_error *err)
{
    for (int kind = 0; kind < PROVIDER_KIND_COUNT; kind++) {
        const char *wanted = json_get_string(op->changes, provider_kind_name(kind), NULL);
        if (wanted != NULL && provider_check_name(op->engine->registry, kind, wanted, err) < 0) {
            return -1;
        }
    }
    const char *rootfs = json_get_string(op->changes, "rootfs", NULL);
    const char *made_by = json_get_string(op->vm.spec, SPEC_DISK_BY, NULL);
    if (rootfs != NULL && made_by != NULL && strcmp(rootfs, made_by) != 0 &&
        strcmp(rootfs, "auto") != 0) {
        (void)error_set(err, BANGER_EBUSY, "the disk of '%s' was made by rootfs provider '%s'",
                        op->vm.name, made_by);
        return error_hint(err, "create another VM to use '%s'", rootfs);
    }
    return 0;
}

/* Cannot be taken back. Until the record is saved, or the set repeated where it could not be, the disk is
 * larger than it says, and never smaller; a provider refuses what would shrink it. */
static int grow_disk(struct operation *op, banger_error *err)
{
    const char *made_by = json_get_string(op->vm.spec, SPEC_DISK_BY, NULL);
    if (json_object_get(op->changes, "disk_mib") == NULL || made_by == NULL) {
        return 0; /* the first start makes it at its size */
    }
    if (live_is_running(op->engine, op->vm.id)) {
        (void)error_set(err, BANGER_EBUSY, "the disk of '%s' cannot grow while it runs",
                        op->vm.name);
        return error_hint(err, "stop it first: banger vm stop %s", op->vm.name);
    }
    struct capability *rootfs = registry_find(op->engine->registry, made_by);
    if (rootfs == NULL || rootfs->plugin->rootfs == NULL) {
        return error_set(err, BANGER_EUNSUPPORTED,
                         "rootfs provider '%s', which has made the disk, is not loaded", made_by);
    }
    if (rootfs->plugin->rootfs->resize == NULL) {
        return error_set(err, BANGER_EUNSUPPORTED, "rootfs provider '%s' cannot grow a disk",
                         made_by);
    }
    if (direct_boot_finish(op, err) < 0) {
        return -1;
    }
    return dispatch_provider(op->scope, rootfs, "resize", rootfs->plugin->rootfs->resize,
                             RESIZE_TIMEOUT_MS, err);
}

/* What `vm.*` will be where the request changes it. Of labels it names only those that change, and a null
 * takes one away: capabilities are told all that the VM has from now on, as `vm.labels` will be. */
static json_t *new_values(const struct operation *op)
{
    json_t *values = json_object();
    const char *key = NULL;
    json_t *change = NULL;
    json_object_foreach ((json_t *)op->changes, key, change) {
        (void)json_object_set_new(values, key, json_deep_copy(json_object_get(op->vm.spec, key)));
    }
    return values;
}

static int tell_capabilities(struct operation *op, banger_error *err)
{
    if (!live_is_running(op->engine, op->vm.id)) {
        return 0;
    }
    scope_set_input(op->scope, "change", new_values(op));
    return dispatch_hook(op->scope, HOOK_CONFIGURE, err);
}

/* A change that failed halfway: capabilities make what the record still says, as after a restart that
 * came in the middle of it. */
static int take_back(struct operation *op, banger_error *err)
{
    banger_error second = BANGER_ERROR_INIT;
    if (live_is_running(op->engine, op->vm.id) &&
        dispatch_hook(op->scope, HOOK_RECONCILED, &second) < 0) {
        error_join(err, &second);
    }
    network_tell_others(op);
    return -1;
}

/* What does not run is asked about the new specification as a new VM is; what runs says by itself what
 * it takes over (`configure`): its own ports, which it has, would be refused here. */
static int check_network(const struct operation *op, banger_error *err)
{
    static const char *const keys[] = {"network", "publish", "nat"};
    bool changes = false;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        changes = changes || json_object_get(op->changes, keys[i]) != NULL;
    }
    if (!changes || live_is_running(op->engine, op->vm.id)) {
        return 0;
    }
    return precheck_vm(op->engine, op->caller, &op->vm, err);
}

static int body_set(struct operation *op, banger_error *err)
{
    json_t *spec = spec_change(op->vm.spec, op->changes, err);
    if (spec == NULL) {
        return -1;
    }
    if (check_providers(op, err) < 0) {
        json_decref(spec);
        return -1;
    }
    json_decref(op->vm.spec);
    op->vm.spec = spec;
    scope_set_input(op->scope, "vm.disk_mib", json_incref(json_object_get(spec, "disk_mib")));
    if (check_network(op, err) < 0 || grow_disk(op, err) < 0 ||
        failpoint("set", "grown", err) < 0) {
        return -1;
    }
    return tell_capabilities(op, err) < 0 || failpoint("set", "told", err) < 0 ||
                   operation_save(op, err) < 0
               ? take_back(op, err)
               : 0;
}

int lifecycle_set(struct engine *engine, const struct caller *caller, const char *vm,
                  const json_t *changes, json_t **result, banger_error *err)
{
    struct request request = {.kind = "vm.set", .vm = vm, .changes = changes, .body = body_set};
    return request_run_and_show(engine, caller, &request, result, err);
}
