/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rate of the host's time stamp counter. Under TCG the guest's TSC is the host's, and a guest
 * kernel that has to measure it on a busy host fails now and then and hangs; a wrong rate makes its
 * clock drift by the ratio. So it is measured here and told (tsc_early_khz).
 */
#include "qemu.h"

#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include <x86intrin.h>

#define MEASURE_NS 20000000L /* the error of one reading, about 100 ns, is then 5 ppm */
#define READINGS 8

struct reading {
    int64_t ns;
    uint64_t ticks;
};

static int64_t raw_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Both clocks at one moment: the tightest of a few tries, so that an interrupt between the two does
 * not count. */
static struct reading read_both(void)
{
    struct reading best = {0, 0};
    int64_t best_gap = INT64_MAX;

    for (int i = 0; i < READINGS; i++) {
        int64_t before = raw_ns();
        uint64_t ticks = __rdtsc();
        int64_t gap = raw_ns() - before;

        if (gap < best_gap) {
            best_gap = gap;
            best = (struct reading){before + gap / 2, ticks};
        }
    }
    return best;
}

static long measure(void)
{
    struct timespec span = {.tv_nsec = MEASURE_NS};
    struct reading first = read_both();
    struct reading second;

    (void)nanosleep(&span, NULL);
    second = read_both();
    if (second.ns <= first.ns || second.ticks <= first.ticks) {
        return 0;
    }
    return (long)((double)(second.ticks - first.ticks) * 1e6 / (double)(second.ns - first.ns));
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static long measured_khz;

static void measure_once(void)
{
    measured_khz = measure();
}

long tsc_khz(void)
{
    (void)pthread_once(&once, measure_once);
    return measured_khz;
}
