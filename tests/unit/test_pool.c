/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/clock.h"
#include "rpc/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define THREADS 8
#define LIMIT_MS 10000

struct crowd {
    struct pool *pool;
    pthread_barrier_t meeting;
    atomic_int done;
    atomic_int inside;
    atomic_int most;
};

/* Returns only when THREADS of them run at the same time. */
static void meet(void *context)
{
    struct crowd *crowd = context;
    (void)pthread_barrier_wait(&crowd->meeting);
    atomic_fetch_add(&crowd->done, 1);
}

static void as_many_threads_as_jobs(void **state)
{
    (void)state;
    struct crowd crowd = {.pool = pool_new(THREADS, LIMIT_MS)};
    pthread_barrier_init(&crowd.meeting, NULL, THREADS);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < THREADS; i++) {
            pool_submit(crowd.pool, meet, &crowd);
        }
    }
    pool_drain(crowd.pool);
    assert_int_equal(pool_jobs(crowd.pool), 0);
    assert_int_equal(atomic_load(&crowd.done), 20 * THREADS);
    pool_free(crowd.pool);
    pthread_barrier_destroy(&crowd.meeting);
}

static void count(void *context)
{
    struct crowd *crowd = context;
    int inside = atomic_fetch_add(&crowd->inside, 1) + 1;
    int most = atomic_load(&crowd->most);
    while (inside > most && !atomic_compare_exchange_weak(&crowd->most, &most, inside)) {
    }
    sched_yield();
    atomic_fetch_sub(&crowd->inside, 1);
    atomic_fetch_add(&crowd->done, 1);
}

static void never_more_threads_than_allowed(void **state)
{
    (void)state;
    struct crowd crowd = {.pool = pool_new(3, LIMIT_MS)};
    for (int i = 0; i < 2000; i++) {
        pool_submit(crowd.pool, count, &crowd);
    }
    pool_free(crowd.pool);
    assert_int_equal(atomic_load(&crowd.done), 2000);
    assert_in_range(atomic_load(&crowd.most), 1, 3);
}

static void breed(void *context)
{
    struct crowd *crowd = context;
    if (atomic_fetch_add(&crowd->done, 1) < 100) {
        pool_submit(crowd->pool, breed, crowd);
    }
}

static void jobs_of_jobs_are_waited_for(void **state)
{
    (void)state;
    struct crowd crowd = {.pool = pool_new(2, LIMIT_MS)};
    pool_submit(crowd.pool, breed, &crowd);
    pool_free(crowd.pool);
    assert_int_equal(atomic_load(&crowd.done), 101);
}

static int count_tasks(void)
{
    int tasks = 0;
    AUTO_CLOSEDIR DIR *dir = opendir("/proc/self/task");
    while (readdir(dir) != NULL) {
        tasks++;
    }
    return tasks;
}

/* The kernel announces the end of a thread to nobody but its joiner: this has to look. */
static void idle_threads_end(void **state)
{
    (void)state;
    int before = count_tasks();
    struct crowd crowd = {.pool = pool_new(THREADS, 5)};
    pthread_barrier_init(&crowd.meeting, NULL, THREADS);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < THREADS; i++) {
            pool_submit(crowd.pool, meet, &crowd);
        }
        deadline until = deadline_in(LIMIT_MS);
        while (count_tasks() > before && deadline_left_ms(until) > 0) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        assert_int_equal(count_tasks(), before);
    }
    assert_int_equal(atomic_load(&crowd.done), 3 * THREADS);
    pool_free(crowd.pool);
    pthread_barrier_destroy(&crowd.meeting);
}

static void an_unused_pool_is_freed(void **state)
{
    (void)state;
    pool_free(NULL);
    struct pool *pool = pool_new(1, 0);
    pool_drain(pool);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_threads_as_jobs),
        cmocka_unit_test(never_more_threads_than_allowed),
        cmocka_unit_test(jobs_of_jobs_are_waited_for),
        cmocka_unit_test(idle_threads_end),
        cmocka_unit_test(an_unused_pool_is_freed),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
