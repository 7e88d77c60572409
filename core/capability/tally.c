/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tally.h"

#include "base/str.h"

#include <stdatomic.h>
#include <stdlib.h>

struct tally *tally_new(void)
{
    struct tally *tally = xcalloc(1, sizeof(*tally));
    atomic_init(&tally->references, 1);
    return tally;
}

struct tally *tally_ref(struct tally *tally)
{
    (void)atomic_fetch_add(&tally->references, 1);
    return tally;
}

void tally_unref(struct tally *tally)
{
    if (atomic_fetch_sub(&tally->references, 1) == 1) {
        free(tally);
    }
}

void tally_count(struct tally *tally, enum hook hook, bool failed, int64_t took_ns)
{
    struct hook_stats *stats = &tally->hooks[hook];
    uint64_t took = (uint64_t)took_ns;
    (void)__atomic_fetch_add(&stats->calls, 1, __ATOMIC_RELAXED);
    (void)__atomic_fetch_add(&stats->total_ns, took, __ATOMIC_RELAXED);
    if (failed) {
        (void)__atomic_fetch_add(&stats->failures, 1, __ATOMIC_RELAXED);
    }
    uint64_t most = __atomic_load_n(&stats->max_ns, __ATOMIC_RELAXED);
    while (took > most && !__atomic_compare_exchange_n(&stats->max_ns, &most, took, true,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

struct hook_stats tally_read(const struct tally *tally, enum hook hook)
{
    const struct hook_stats *stats = &tally->hooks[hook];
    return (struct hook_stats){
        .calls = __atomic_load_n(&stats->calls, __ATOMIC_RELAXED),
        .failures = __atomic_load_n(&stats->failures, __ATOMIC_RELAXED),
        .total_ns = __atomic_load_n(&stats->total_ns, __ATOMIC_RELAXED),
        .max_ns = __atomic_load_n(&stats->max_ns, __ATOMIC_RELAXED),
    };
}
