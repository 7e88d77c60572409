/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "standing.h"

#include "base/str.h"

#include <stdatomic.h>
#include <stdlib.h>

struct standing *standing_new(void)
{
    struct standing *standing = xcalloc(1, sizeof(*standing));
    atomic_init(&standing->references, 1);
    return standing;
}

struct standing *standing_ref(struct standing *standing)
{
    (void)atomic_fetch_add(&standing->references, 1);
    return standing;
}

void standing_unref(struct standing *standing)
{
    if (atomic_fetch_sub(&standing->references, 1) == 1) {
        free(standing);
    }
}

bool standing_note(struct standing *standing, enum hook hook, bool failed, int limit)
{
    if (!failed) {
        atomic_store(&standing->streaks[hook], 0);
        return false;
    }
    int streak = atomic_fetch_add(&standing->streaks[hook], 1) + 1;
    return limit > 0 && streak >= limit && !atomic_exchange(&standing->disabled, true);
}

bool standing_enable(struct standing *standing)
{
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        atomic_store(&standing->streaks[hook], 0);
    }
    return atomic_exchange(&standing->disabled, false);
}
