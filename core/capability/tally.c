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
    if (atomic_fetch_sub(&tally->references, 1) != 1) {
        return;
    }
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        free(tally->hooks[hook].times);
    }
    free(tally);
}

/* Made at the first call: most capabilities have two or three hooks. */
static struct histogram *times_of(struct hook_stats *stats)
{
    struct histogram *times = __atomic_load_n(&stats->times, __ATOMIC_ACQUIRE);
    if (times != NULL) {
        return times;
    }
    struct histogram *made = xcalloc(1, sizeof(*made));
    if (__atomic_compare_exchange_n(&stats->times, &times, made, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        return made;
    }
    free(made); /* another thread was first */
    return times;
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
    histogram_add(times_of(stats), took);
    uint64_t most = __atomic_load_n(&stats->max_ns, __ATOMIC_RELAXED);
    while (took > most && !__atomic_compare_exchange_n(&stats->max_ns, &most, took, true,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

/* Adds one hook's numbers to a sum. */
static void add_up(const struct hook_stats *stats, struct hook_stats *sum)
{
    uint64_t most = __atomic_load_n(&stats->max_ns, __ATOMIC_RELAXED);
    const struct histogram *times = __atomic_load_n(&stats->times, __ATOMIC_ACQUIRE);
    sum->calls += __atomic_load_n(&stats->calls, __ATOMIC_RELAXED);
    sum->failures += __atomic_load_n(&stats->failures, __ATOMIC_RELAXED);
    sum->total_ns += __atomic_load_n(&stats->total_ns, __ATOMIC_RELAXED);
    sum->max_ns = most > sum->max_ns ? most : sum->max_ns;
    if (times != NULL) {
        histogram_merge(sum->times, times);
    }
}

static uint64_t percentile(const struct hook_stats *sum, unsigned percent)
{
    uint64_t ns = histogram_percentile(sum->times, percent);
    return ns < sum->max_ns ? ns : sum->max_ns; /* the middle of the last bucket may lie above */
}

static struct hook_report report(const struct hook_stats *sum)
{
    return (struct hook_report){
        .calls = sum->calls,
        .failures = sum->failures,
        .mean_ns = sum->calls > 0 ? sum->total_ns / sum->calls : 0,
        .p50_ns = percentile(sum, 50),
        .p99_ns = percentile(sum, 99),
        .max_ns = sum->max_ns,
    };
}

struct hook_report tally_report(const struct tally *tally, enum hook hook)
{
    struct histogram times = {{0}};
    struct hook_stats sum = {.times = &times};
    add_up(&tally->hooks[hook], &sum);
    return report(&sum);
}

struct hook_report tally_report_all(const struct tally *tally)
{
    struct histogram times = {{0}};
    struct hook_stats sum = {.times = &times};
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        add_up(&tally->hooks[hook], &sum);
    }
    return report(&sum);
}
