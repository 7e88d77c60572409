/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/choose.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>

static const char *const kind_names[PROVIDER_KIND_COUNT] = {
    [PROVIDER_VMM] = "vmm",
    [PROVIDER_ROOTFS] = "rootfs",
    [PROVIDER_NETWORK] = "network",
};

const char *provider_kind_name(enum provider_kind kind)
{
    return kind_names[kind];
}

bool provider_offers(const struct capability *capability, enum provider_kind kind)
{
    const struct banger_plugin *plugin = capability->plugin;
    switch (kind) {
    case PROVIDER_VMM:
        return plugin->vmm != NULL;
    case PROVIDER_ROOTFS:
        return plugin->rootfs != NULL;
    default:
        return plugin->network != NULL;
    }
}

int32_t provider_rank(const struct capability *capability, enum provider_kind kind)
{
    const struct banger_plugin *plugin = capability->plugin;
    switch (kind) {
    case PROVIDER_VMM:
        return plugin->vmm->rank;
    case PROVIDER_ROOTFS:
        return plugin->rootfs->rank;
    default:
        return plugin->network->rank;
    }
}

banger_hook provider_check(const struct capability *capability, enum provider_kind kind)
{
    const struct banger_plugin *plugin = capability->plugin;
    switch (kind) {
    case PROVIDER_VMM:
        return plugin->vmm->check;
    case PROVIDER_ROOTFS:
        return plugin->rootfs->check;
    default:
        return plugin->network->check;
    }
}

static const char *const *provider_needs(const struct capability *capability,
                                         enum provider_kind kind)
{
    const struct banger_plugin *plugin = capability->plugin;
    switch (kind) {
    case PROVIDER_VMM:
        return NULL;
    case PROVIDER_ROOTFS:
        return plugin->rootfs->needs;
    default:
        return plugin->network->needs;
    }
}

static bool has_feature(const struct capability *vmm, const char *feature)
{
    const char *const *at = vmm->plugin->vmm->features;
    for (; at != NULL && *at != NULL; at++) {
        if (strcmp(*at, feature) == 0) {
            return true;
        }
    }
    return false;
}

/* The first need that the VMM does not cover; NULL when all are. */
static const char *missing_feature(const struct capability *capability, enum provider_kind kind,
                                   const struct capability *vmm)
{
    const char *const *need = provider_needs(capability, kind);
    for (; vmm != NULL && need != NULL && *need != NULL; need++) {
        if (!has_feature(vmm, *need)) {
            return *need;
        }
    }
    return NULL;
}

static int accepts(struct scope *scope, struct capability *capability, enum provider_kind kind,
                   const struct capability *vmm, banger_error *err)
{
    const char *missing = missing_feature(capability, kind, vmm);
    if (vmm != NULL && missing != NULL) {
        return error_set(err, BANGER_EUNSUPPORTED,
                         "%s '%s' needs %s, which vmm '%s' does not offer", kind_names[kind],
                         capability->plugin->name, missing, vmm->plugin->name);
    }
    return dispatch_provider(scope, capability, "check", provider_check(capability, kind), 0, err);
}

#define PROVIDERS_MAX 32

/* The providers of a kind, best first; returns how many. */
static size_t ranked(const struct registry *registry, enum provider_kind kind,
                     struct capability *list[PROVIDERS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < registry_count(registry) && count < PROVIDERS_MAX; i++) {
        struct capability *capability = registry_at(registry, i);
        if (!provider_offers(capability, kind)) {
            continue;
        }
        size_t at = count++;
        for (; at > 0 && provider_rank(list[at - 1], kind) < provider_rank(capability, kind);
             at--) {
            list[at] = list[at - 1];
        }
        list[at] = capability;
    }
    return count;
}

static int unknown_provider(struct capability *const *list, size_t count, enum provider_kind kind,
                            const char *wanted, banger_error *err)
{
    const char *names[PROVIDERS_MAX];
    AUTO_BUF struct buf all = BUF_INIT;
    buf_puts(&all, "auto");
    for (size_t i = 0; i < count; i++) {
        names[i] = list[i]->plugin->name;
        buf_printf(&all, ", %s", names[i]);
    }
    (void)error_set(err, BANGER_EINVALID, "unknown %s provider '%s': use one of %s",
                    kind_names[kind], wanted, all.data);
    const char *nearest = str_nearest(wanted, names, count);
    return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest) : -1;
}

static struct capability *find_named(struct capability *const *list, size_t count,
                                     const char *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->plugin->name, wanted) == 0) {
            return list[i];
        }
    }
    return NULL;
}

int provider_check_name(struct registry *registry, enum provider_kind kind, const char *wanted,
                        banger_error *err)
{
    struct capability *list[PROVIDERS_MAX];
    size_t count = ranked(registry, kind, list);
    if (strcmp(wanted, "auto") == 0 || find_named(list, count, wanted) != NULL) {
        return 0;
    }
    return unknown_provider(list, count, kind, wanted, err);
}

/* Whether a refusal is about the host, which the next provider may suit. Any other (a full disk, a port
 * that is taken, a range that overlaps) is about what was asked for or configured: to take another
 * provider then would be a silent fallback. */
static bool is_unsuited(const banger_error *refusal)
{
    return refusal->code == BANGER_EUNSUPPORTED || refusal->code == BANGER_EPERMISSION;
}

/* The best that suits the host; when none does, the reasons of all. */
static int choose_best(struct scope *scope, struct capability *const *list, size_t count,
                       enum provider_kind kind, const struct capability *vmm,
                       struct capability **chosen, banger_error *err)
{
    banger_error reasons = BANGER_ERROR_INIT;
    for (size_t i = 0; i < count; i++) {
        banger_error reason = BANGER_ERROR_INIT;
        if (provider_rank(list[i], kind) < 0) {
            continue; /* only by name: no network, a test instrument */
        }
        if (accepts(scope, list[i], kind, vmm, &reason) == 0) {
            *chosen = list[i];
            return 0;
        }
        if (!is_unsuited(&reason)) {
            if (err != NULL) {
                *err = reason;
            }
            return -1;
        }
        error_join(&reasons, &reason);
    }
    bool any = reasons.code != 0;
    (void)error_set(err, BANGER_EUNSUPPORTED, "no %s provider works here: %s", kind_names[kind],
                    any ? reasons.message : "none is loaded");
    return error_hint(err, "%s",
                      reasons.hint[0] != '\0' ? reasons.hint : "banger doctor tells more");
}

int provider_choose(struct scope *scope, struct registry *registry, enum provider_kind kind,
                    const char *wanted, const struct capability *vmm, struct capability **chosen,
                    banger_error *err)
{
    struct capability *list[PROVIDERS_MAX];
    size_t count = ranked(registry, kind, list);
    if (strcmp(wanted, "auto") == 0) {
        return choose_best(scope, list, count, kind, vmm, chosen, err);
    }
    struct capability *named = find_named(list, count, wanted);
    if (named == NULL) {
        return unknown_provider(list, count, kind, wanted, err);
    }
    *chosen = named;
    return accepts(scope, named, kind, vmm, err);
}

/* What goes with a VMM that has been chosen. */
static int choose_others(struct scope *scope, struct registry *registry,
                         const char *const wanted[PROVIDER_KIND_COUNT],
                         struct capability *chosen[PROVIDER_KIND_COUNT], banger_error *err)
{
    for (int kind = PROVIDER_VMM + 1; kind < PROVIDER_KIND_COUNT; kind++) {
        if (provider_choose(scope, registry, (enum provider_kind)kind, wanted[kind],
                            chosen[PROVIDER_VMM], &chosen[kind], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Goes through the VMMs that suit the host, best first. When none leads to an end, the error is the
 * last one's: it is the one of the VMM that asks for least. */
static int choose_with_best(struct scope *scope, struct registry *registry,
                            const char *const wanted[PROVIDER_KIND_COUNT],
                            struct capability *chosen[PROVIDER_KIND_COUNT], banger_error *err)
{
    struct capability *list[PROVIDERS_MAX];
    size_t count = ranked(registry, PROVIDER_VMM, list);
    banger_error reason = BANGER_ERROR_INIT;
    for (size_t i = 0; i < count && provider_rank(list[i], PROVIDER_VMM) >= 0; i++) {
        banger_error refusal = BANGER_ERROR_INIT;
        if (accepts(scope, list[i], PROVIDER_VMM, NULL, &refusal) < 0) {
            if (is_unsuited(&refusal)) {
                continue;
            }
            reason = refusal;
            break;
        }
        chosen[PROVIDER_VMM] = list[i];
        reason = (banger_error)BANGER_ERROR_INIT;
        if (choose_others(scope, registry, wanted, chosen, &reason) == 0) {
            return 0;
        }
        if (!is_unsuited(&reason)) {
            break;
        }
    }
    if (reason.code == 0) { /* none suits the host: the reasons of all */
        return choose_best(scope, list, count, PROVIDER_VMM, NULL, &chosen[PROVIDER_VMM], err);
    }
    if (err != NULL) {
        *err = reason;
    }
    return -1;
}

int provider_choose_all(struct scope *scope, struct registry *registry,
                        const char *const wanted[PROVIDER_KIND_COUNT],
                        struct capability *chosen[PROVIDER_KIND_COUNT], banger_error *err)
{
    if (strcmp(wanted[PROVIDER_VMM], "auto") == 0) {
        return choose_with_best(scope, registry, wanted, chosen, err);
    }
    return provider_choose(scope, registry, PROVIDER_VMM, wanted[PROVIDER_VMM], NULL,
                           &chosen[PROVIDER_VMM], err) < 0
               ? -1
               : choose_others(scope, registry, wanted, chosen, err);
}
