/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counters of hooks: what the histogram knows, and how well. */
#include "base/cleanup.h"
#include "capability/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

static uint64_t told(uint64_t ns)
{
    struct histogram histogram = {{0}};
    histogram_add(&histogram, ns);
    return histogram_percentile(&histogram, 50);
}

static void a_value_is_known_to_a_sixteenth(void **state)
{
    (void)state;
    for (uint64_t ns = 512; ns < UINT64_C(1) << 40; ns += ns / 97 + 1) {
        uint64_t told_ns = told(ns);
        uint64_t error = told_ns > ns ? told_ns - ns : ns - told_ns;
        if (error * 16 > ns) {
            fail_msg("%llu ns is told as %llu", (unsigned long long)ns,
                     (unsigned long long)told_ns);
        }
    }
    for (uint64_t ns = 0; ns < 512; ns++) {
        assert_in_range(told(ns) + 32 - ns, 0, 64);
    }
    assert_true(told(UINT64_MAX) >= UINT64_C(1) << 39); /* the last bucket takes the rest */
}

static void percentiles_are_ranks(void **state)
{
    (void)state;
    struct histogram histogram = {{0}};
    assert_int_equal(histogram_percentile(&histogram, 50), 0);
    for (int i = 0; i < 98; i++) {
        histogram_add(&histogram, 1000);
    }
    histogram_add(&histogram, 1000000);
    histogram_add(&histogram, 1000000000);
    assert_in_range(histogram_percentile(&histogram, 50), 938, 1062);
    assert_in_range(histogram_percentile(&histogram, 98), 938, 1062);
    assert_in_range(histogram_percentile(&histogram, 99), 937500, 1062500);
    assert_in_range(histogram_percentile(&histogram, 100), 937500000, 1062500000);
}

static void report_is_of_one_or_of_all(void **state)
{
    (void)state;
    struct tally *tally = tally_new();
    tally_count(tally, HOOK_CHECK, false, 2000);
    tally_count(tally, HOOK_CHECK, true, 4000);
    tally_count(tally, HOOK_PREPARE, false, 9000000);
    struct hook_report check = tally_report(tally, HOOK_CHECK);
    assert_int_equal(check.calls, 2);
    assert_int_equal(check.failures, 1);
    assert_int_equal(check.mean_ns, 3000);
    assert_int_equal(check.max_ns, 4000);
    assert_in_range(check.p50_ns, 1875, 2125);
    assert_in_range(check.p99_ns, 3750, 4000); /* never above the highest */
    struct hook_report all = tally_report_all(tally);
    assert_int_equal(all.calls, 3);
    assert_int_equal(all.failures, 1);
    assert_int_equal(all.max_ns, 9000000);
    assert_in_range(all.p50_ns, 3750, 4250);
    assert_int_equal(tally_report(tally, HOOK_DELETED).calls, 0);
    assert_int_equal(tally_report(tally, HOOK_DELETED).p99_ns, 0);
    tally_unref(tally);
}

#define THREADS 4
#define ROUNDS 2000

static void *count(void *context)
{
    for (int i = 0; i < ROUNDS; i++) {
        tally_count(context, HOOK_PREPARE, false, 1000);
        (void)tally_report_all(context);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    struct tally *tally = tally_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, tally), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += tally->hooks[HOOK_PREPARE].times->buckets[i];
    }
    assert_int_equal(seen, THREADS * ROUNDS);
    assert_int_equal(tally_report(tally, HOOK_PREPARE).calls, THREADS * ROUNDS);
    tally_unref(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_known_to_a_sixteenth),
        cmocka_unit_test(percentiles_are_ranks),
        cmocka_unit_test(report_is_of_one_or_of_all),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
