/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods about the networks: the providers, and what they have on the host for all VMs. */
#include "base/cleanup.h"
#include "base/json.h"
#include "daemon/doctor.h"
#include "daemon/methods.h"
#include "lifecycle/choose.h"
#include "store/vm_table.h"

#include <string.h>

/* The running VMs of a network, as [{"name","address"}]. */
static json_t *users_of(const struct vm_list *vms, const char *network)
{
    json_t *users = json_array();
    for (size_t i = 0; i < vms->count; i++) {
        const struct vm_record *vm = &vms->items[i];
        if (vm->state != VM_RUNNING ||
            strcmp(json_get_string(vm->runtime, "core.network", ""), network) != 0) {
            continue;
        }
        json_t *first = json_array_get(json_at(vm->runtime, "core.addresses"), 0);
        (void)json_array_append_new(users,
                                    json_pack("{s:s, s:O?}", "name", vm->name, "address", first));
    }
    return users;
}

static json_t *network_view(struct daemon *daemon, struct capability *network,
                            const struct vm_list *vms)
{
    struct doctor_said said = {""};
    struct scope *scope = doctor_scope(daemon, &said);
    banger_error err = BANGER_ERROR_INIT;
    bool works =
        dispatch_provider(scope, network, "check", network->plugin->network->check, 0, &err) == 0;
    scope_unref(scope);
    return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", network->plugin->name, "summary",
                     network->plugin->summary, "works", works, "text",
                     works ? said.text : err.message, "vms", users_of(vms, network->plugin->name));
}

METHOD(method_network_list)
{
    (void)request;
    (void)params;
    struct daemon *daemon = context;
    struct vm_list vms = {0};
    if (vm_list_all(daemon->store, &vms, err) < 0) {
        return -1;
    }
    *result = json_array();
    for (size_t i = 0; i < registry_count(daemon->registry); i++) {
        struct capability *capability = registry_at(daemon->registry, i);
        if (provider_offers(capability, PROVIDER_NETWORK)) {
            (void)json_array_append_new(*result, network_view(daemon, capability, &vms));
        }
    }
    vm_list_free(&vms);
    return 0;
}

static int refuse_used(struct daemon *daemon, const char *network, banger_error *err)
{
    struct vm_list vms = {0};
    if (vm_list_all(daemon->store, &vms, err) < 0) {
        return -1;
    }
    AUTO_JSON json_t *users = users_of(&vms, network);
    vm_list_free(&vms);
    if (json_array_size(users) == 0) {
        return 0;
    }
    const char *first = json_get_string(json_array_get(users, 0), "name", "");
    size_t others = json_array_size(users) - 1;
    AUTO_FREE char *more = others > 0 ? str_format(" and %zu more", others) : xstrdup("");
    (void)error_set(err, BANGER_EBUSY, "the network '%s' is used by '%s'%s", network, first, more);
    return error_hint(err, "stop them first: banger vm stop %s", first);
}

METHOD(method_network_remove)
{
    (void)request;
    (void)result;
    struct daemon *daemon = context;
    const char *name = NULL;
    static const char *const known[] = {"network", NULL};
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_need_string(params, "network", &name, err) < 0 ||
        provider_check_name(daemon->registry, PROVIDER_NETWORK, name, err) < 0) {
        return -1;
    }
    struct capability *network = registry_find(daemon->registry, name);
    if (network == NULL || network->plugin->network->remove == NULL) {
        return error_set(err, BANGER_EUNSUPPORTED,
                         "the network '%s' has nothing on this host that could be removed", name);
    }
    if (refuse_used(daemon, name, err) < 0) {
        return -1;
    }
    struct doctor_said said = {""};
    struct scope *scope = doctor_scope(daemon, &said);
    int status =
        dispatch_provider(scope, network, "remove", network->plugin->network->remove, 0, err);
    scope_unref(scope);
    return status;
}
