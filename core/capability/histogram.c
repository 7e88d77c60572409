/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "histogram.h"

#define UNIT_BITS 6 /* 64 ns */
#define PART_BITS 3 /* a power of two in eight parts */
#define PARTS (1U << PART_BITS)

/* The first eight are one unit wide, and so are the next eight; from there on the width doubles with each
 * eight. */
static unsigned bucket_of(uint64_t ns)
{
    uint64_t units = ns >> UNIT_BITS;
    if (units < PARTS) {
        return (unsigned)units;
    }
    unsigned power = 63U - (unsigned)__builtin_clzll(units);
    unsigned shift = power - PART_BITS;
    uint64_t bucket = (uint64_t)(shift + 1) * PARTS + ((units >> shift) & (PARTS - 1));
    return bucket < HISTOGRAM_BUCKETS ? (unsigned)bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t middle_of(unsigned bucket)
{
    unsigned group = bucket / PARTS;
    unsigned shift = group > 0 ? group - 1 : 0;
    uint64_t first = group > 0 ? PARTS + bucket % PARTS : bucket;
    uint64_t low = (first << shift) << UNIT_BITS;
    uint64_t width = UINT64_C(1) << (shift + UNIT_BITS);
    return low + width / 2;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    (void)__atomic_fetch_add(&histogram->buckets[bucket_of(ns)], 1, __ATOMIC_RELAXED);
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint32_t count = __atomic_load_n(&other->buckets[i], __ATOMIC_RELAXED);
        (void)__atomic_fetch_add(&histogram->buckets[i], count, __ATOMIC_RELAXED);
    }
}

uint64_t histogram_percentile(const struct histogram *histogram, unsigned percent)
{
    struct histogram now = {{0}};
    uint64_t total = 0;
    histogram_merge(&now, histogram);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += now.buckets[i];
    }
    uint64_t wanted = (total * percent + 99) / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && total > 0; i++) {
        seen += now.buckets[i];
        if (seen >= wanted && seen > 0) {
            return middle_of(i);
        }
    }
    return 0;
}
