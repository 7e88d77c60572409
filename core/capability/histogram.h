/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long calls took, in 1 KiB: a log-linear histogram (as HdrHistogram's). Each power of two of 64 ns is
 * cut into eight equal buckets, so that a value is known to within a sixteenth of itself (below 512 ns:
 * within 32 ns); from 19 minutes on all is one. Counted with atomics.
 */
#ifndef CAPABILITY_HISTOGRAM_H
#define CAPABILITY_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 256

struct histogram {
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);
/* Adds all that `other` has; both are read and written as they are at work. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);
/* The value that so many of a hundred are not above: the middle of its bucket. 0: nothing was counted. */
uint64_t histogram_percentile(const struct histogram *histogram, unsigned percent);

#endif
