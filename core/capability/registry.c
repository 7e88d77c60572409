/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "capability/descriptor.h"
#include "capability/dispatch.h"
#include "capability/helper.h"
#include "capability/order.h"
#include "capability/policy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define TIMEOUT_DEFAULT_MS 10000

struct entry {
    struct capability capability; /* first: a capability is found again by its address */
    struct descriptor descriptor;
    struct entry *next; /* among those left behind */
};

struct registry {
    struct capability **items;
    size_t count;
    int64_t timeout_ms;
};

struct registry *registry_new(void)
{
    struct registry *registry = xcalloc(1, sizeof(*registry));
    registry->timeout_ms = TIMEOUT_DEFAULT_MS;
    return registry;
}

void registry_set_timeout(struct registry *registry, int64_t timeout_ms)
{
    registry->timeout_ms = timeout_ms;
}

/* Entries whose registry is gone while a hook of theirs has not returned. */
static struct entry *left_behind;
static pthread_mutex_t left_behind_lock = PTHREAD_MUTEX_INITIALIZER;

static void leave_behind(struct entry *entry)
{
    (void)pthread_mutex_lock(&left_behind_lock);
    entry->next = left_behind;
    left_behind = entry;
    (void)pthread_mutex_unlock(&left_behind_lock);
}

static void entry_free(struct entry *entry)
{
    if (atomic_load(&entry->capability.stuck) != 0) {
        leave_behind(entry);
        return;
    }
    free(entry->capability.origin);
    json_decref(entry->capability.config);
    descriptor_clear(&entry->descriptor);
    free(entry);
}

/* `start` and `stop` are about the plugin, not about a VM: no input, no services, no journal. */
static int call_once(struct registry *registry, struct capability *capability, const char *name,
                     banger_hook function, banger_error *err)
{
    const struct scope_init init = {.registry = registry};
    struct scope *scope = scope_new(&init);
    int result = dispatch_provider(scope, capability, name, function, 0, err);
    scope_unref(scope);
    return result;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL) {
        return;
    }
    for (size_t i = registry->count; i-- > 0;) {
        struct capability *capability = registry->items[i];
        banger_error err = BANGER_ERROR_INIT;
        if (call_once(registry, capability, "stop", capability->plugin->stop, &err) < 0) {
            log_warn("%s", err.message);
        }
    }
    helper_drain();
    for (size_t i = 0; i < registry->count; i++) {
        entry_free((struct entry *)registry->items[i]);
    }
    free(registry->items);
    free(registry);
}

static int check_duplicate(const struct registry *registry, const char *name, banger_error *err)
{
    const struct capability *other = registry_find(registry, name);
    if (other == NULL) {
        return 0;
    }
    return error_set(err, BANGER_EEXISTS, "a capability named '%s' is loaded already, from %s",
                     name, other->origin);
}

int registry_add(struct registry *registry, const struct banger_plugin *plugin, const char *origin,
                 const json_t *policy, banger_error *err)
{
    if (policy_disables(policy)) {
        return 0;
    }
    struct entry *entry = xcalloc(1, sizeof(*entry));
    struct capability *capability = &entry->capability;
    if (descriptor_adopt(plugin, &entry->descriptor, err) < 0) {
        entry_free(entry);
        return -1;
    }
    capability->plugin = &entry->descriptor.plugin;
    capability->origin = xstrdup(origin);
    if (check_duplicate(registry, capability->plugin->name, err) < 0 ||
        policy_apply(capability, policy, registry->timeout_ms, err) < 0 ||
        call_once(registry, capability, "start", capability->plugin->start, err) < 0) {
        entry_free(entry);
        return -1;
    }
    registry->items = xrealloc(registry->items, (registry->count + 1) * sizeof(*registry->items));
    registry->items[registry->count++] = capability;
    return 0;
}

int registry_resolve(struct registry *registry, banger_error *err)
{
    return order_resolve(registry->items, registry->count, err);
}

const char *registry_nearest(const struct registry *registry, const char *name)
{
    AUTO_FREE const char **names = xcalloc(registry->count + 1, sizeof(*names));
    for (size_t i = 0; i < registry->count; i++) {
        names[i] = registry->items[i]->plugin->name;
    }
    return str_nearest(name, names, registry->count);
}

static int unknown_policy(const struct registry *registry, const char *name, banger_error *err)
{
    (void)error_set(err, BANGER_EINVALID, "plugins.%s: no plugin of that name is loaded", name);
    const char *nearest = registry_nearest(registry, name);
    return nearest != NULL ? error_hint(err, "did you mean 'plugins.%s'?", nearest) : -1;
}

int registry_check_policies(const struct registry *registry, const json_t *policies,
                            banger_error *err)
{
    const char *name = NULL;
    json_t *policy = NULL;
    json_object_foreach ((json_t *)policies, name, policy) {
        if (registry_find(registry, name) == NULL && !policy_disables(policy)) {
            return unknown_policy(registry, name, err);
        }
    }
    return 0;
}

size_t registry_count(const struct registry *registry)
{
    return registry->count;
}

struct capability *registry_at(const struct registry *registry, size_t index)
{
    return index < registry->count ? registry->items[index] : NULL;
}

struct capability *registry_find(const struct registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->count; i++) {
        if (strcmp(registry->items[i]->plugin->name, name) == 0) {
            return registry->items[i];
        }
    }
    return NULL;
}
