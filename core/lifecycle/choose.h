/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing providers: a named one, or with "auto" the best whose check accepts this host. */
#ifndef LIFECYCLE_CHOOSE_H
#define LIFECYCLE_CHOOSE_H

#include "capability/dispatch.h"

enum provider_kind {
    PROVIDER_VMM,
    PROVIDER_ROOTFS,
    PROVIDER_NETWORK,
    PROVIDER_KIND_COUNT,
};

const char *provider_kind_name(enum provider_kind kind); /* "vmm", "rootfs", "network" */
bool provider_offers(const struct capability *capability, enum provider_kind kind);
int32_t provider_rank(const struct capability *capability, enum provider_kind kind);
banger_hook provider_check(const struct capability *capability, enum provider_kind kind);

/* `wanted` is a name or "auto". `vmm` (NULL for the VMM itself) is the one chosen before: what it
 * offers must cover what the provider needs. */
int provider_choose(struct scope *scope, struct registry *registry, enum provider_kind kind,
                    const char *wanted, const struct capability *vmm, struct capability **chosen,
                    banger_error *err);

/* One of each kind, `wanted` and `chosen` by kind. With "auto" the best VMM for which there are a
 * rootfs and a network too: one that suits the host alone may leave none (Firecracker has no network
 * for a user without privilege). */
int provider_choose_all(struct scope *scope, struct registry *registry,
                        const char *const wanted[PROVIDER_KIND_COUNT],
                        struct capability *chosen[PROVIDER_KIND_COUNT], banger_error *err);

/* Whether there is such a provider at all ("auto" always is); the error names the nearest. */
int provider_check_name(struct registry *registry, enum provider_kind kind, const char *wanted,
                        banger_error *err);

#endif
