/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/compose.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "lifecycle/choose.h"
#include "lifecycle/direct_boot.h"

int compose_choose(struct operation *op, banger_error *err)
{
    const json_t *spec = op->vm.spec;
    const char *rootfs = json_get_string(spec, "rootfs", "auto");
    const char *const wanted[PROVIDER_KIND_COUNT] = {
        [PROVIDER_VMM] = json_get_string(spec, "vmm", "auto"),
        [PROVIDER_ROOTFS] = json_get_string(spec, SPEC_DISK_BY, rootfs),
        [PROVIDER_NETWORK] = json_get_string(spec, "network", "auto"),
    };
    struct capability *chosen[PROVIDER_KIND_COUNT] = {NULL};
    if (operation_check_parts(op, err) < 0 ||
        provider_choose_all(op->scope, op->engine->registry, wanted, chosen, err) < 0) {
        return -1;
    }
    op->vmm = chosen[PROVIDER_VMM];
    op->rootfs = chosen[PROVIDER_ROOTFS];
    op->network = chosen[PROVIDER_NETWORK];
    operation_tell_providers(op);
    return 0;
}

static int add(struct machine *machine, const char *section, json_t *value, banger_error *err)
{
    int result = machine_add(machine, "core", section, value, err);
    json_decref(value);
    return result;
}

/* How the guest's configuration and its root come together. */
static int compose_boot(struct operation *op, struct machine *machine, banger_error *err)
{
    if (op->kernel.initramfs == NULL) {
        return add(machine, "boot_args", direct_boot_args(), err);
    }
    if (add(machine, "guest.conf", json_pack("{s:s, s:s}", "root", "/dev/vda", "root_type", "ext4"),
            err) < 0) {
        return -1;
    }
    /* Where guest_config will put the kernel's own with this VM's configuration behind it. */
    return add(machine, "initramfs", json_sprintf("%s/initramfs.cpio", op->vm_dir), err);
}

/* What follows from the record alone, but for the user's boot arguments. */
static int compose_core(struct operation *op, struct machine *machine, banger_error *err)
{
    if (add(machine, "kernel", json_string(op->kernel.path), err) < 0 ||
        add(machine, "guest.conf",
            json_pack("{s:s, s:O}", "init", "auto", "env", json_object_get(op->vm.spec, "env")),
            err) < 0) {
        return -1;
    }
    return compose_boot(op, machine, err);
}

/* Last, since of two values of one argument the kernel takes the later: the user's. */
static int compose_boot_args(struct operation *op, struct machine *machine, banger_error *err)
{
    const json_t *given = json_object_get(op->vm.spec, "boot_args");
    AUTO_FREE char *ip =
        op->kernel.initramfs == NULL ? direct_boot_ip(machine_document(machine)) : NULL;
    if (ip != NULL && add(machine, "boot_args", json_string(ip), err) < 0) {
        return -1;
    }
    return add(machine, "boot_args", json_deep_copy(given), err);
}

int compose_machine(struct operation *op, banger_error *err)
{
    struct machine *machine = scope_compose(op->scope);
    if (compose_core(op, machine, err) < 0 ||
        dispatch_provider(op->scope, op->rootfs, "contribute",
                          op->rootfs->plugin->rootfs->contribute, 0, err) < 0 ||
        dispatch_provider(op->scope, op->network, "contribute",
                          op->network->plugin->network->contribute, 0, err) < 0 ||
        dispatch_provider(op->scope, op->vmm, "contribute", op->vmm->plugin->vmm->contribute, 0,
                          err) < 0 ||
        dispatch_hook(op->scope, HOOK_CONTRIBUTE, err) < 0) {
        return -1;
    }
    return compose_boot_args(op, machine, err) < 0 ? -1 : machine_check(machine, err);
}
