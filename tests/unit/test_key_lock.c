/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks by name: in the order of coming, each key by itself, and nothing left when all have gone. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "lifecycle/key_lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define WAITERS 8
#define PATIENCE_MS 30000

struct waiter {
    struct key_locks *locks;
    int *order; /* the next place in it is `*count`; both are guarded by the key */
    int *count;
    int number;
    pthread_t thread;
    struct key_place place;
};

static void *wait_and_note(void *context)
{
    struct waiter *waiter = context;
    AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(waiter->locks, "vm", "a");
    waiter->order[(*waiter->count)++] = waiter->number;
    return NULL;
}

static void await_users(struct key_locks *locks, unsigned users)
{
    deadline until = deadline_in(PATIENCE_MS);
    while (key_lock_users(locks, "vm", "a") < users) {
        const struct timespec moment = {.tv_nsec = 1000000};
        (void)nanosleep(&moment, NULL);
        assert_true(deadline_left_ms(until) > 0);
    }
}

static void test_first_come_first_served(void **state)
{
    (void)state;
    struct key_locks *locks = key_locks_new();
    struct waiter waiters[WAITERS];
    int order[WAITERS] = {0};
    int count = 0;
    struct key_lock *held = key_lock_take(locks, "vm", "a");
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){locks, order, &count, i, 0, {0}};
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_and_note, &waiters[i]), 0);
        await_users(locks, (unsigned)i + 2);
    }
    assert_int_equal(count, 0);
    key_lock_release(held);
    for (int i = 0; i < WAITERS; i++) {
        (void)pthread_join(waiters[i].thread, NULL);
    }
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(order[i], i);
    }
    assert_int_equal(key_lock_users(locks, "vm", "a"), 0);
    key_locks_free(locks);
}

static void test_keys_do_not_wait_for_one_another(void **state)
{
    (void)state;
    struct key_locks *locks = key_locks_new();
    AUTO_KEY_LOCK struct key_lock *a = key_lock_take(locks, "vm", "a");
    AUTO_KEY_LOCK struct key_lock *b = key_lock_take(locks, "vm", "b");
    AUTO_KEY_LOCK struct key_lock *image = key_lock_take(locks, "image", "a");
    assert_int_equal(key_lock_users(locks, "vm", "a"), 1);
    assert_int_equal(key_lock_users(locks, "kernel", "a"), 0);
    key_lock_release(a);
    a = key_lock_take(locks, "vm", "a");
    key_lock_release(a);
    key_lock_release(b);
    key_lock_release(image);
    a = b = image = NULL;
    key_lock_release(NULL);
    key_locks_free(locks);
}

static void *use_and_note(void *context)
{
    struct waiter *waiter = context;
    AUTO_KEY_LOCK struct key_lock *lock = key_place_use(&waiter->place);
    waiter->order[(*waiter->count)++] = waiter->number;
    return NULL;
}

/* Whoever wakes first: the order is that in which the places were drawn. One is left unused. */
static void test_places_keep_their_order(void **state)
{
    (void)state;
    struct key_locks *locks = key_locks_new();
    struct waiter waiters[WAITERS];
    int order[WAITERS] = {0};
    int count = 0;
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){locks, order, &count, i, 0, key_lock_join(locks, "vm", "a")};
    }
    assert_int_equal(key_lock_users(locks, "vm", "a"), WAITERS);
    for (int i = WAITERS - 1; i > 0; i--) {
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, use_and_note, &waiters[i]), 0);
    }
    key_place_leave(&waiters[0].place);
    for (int i = 1; i < WAITERS; i++) {
        (void)pthread_join(waiters[i].thread, NULL);
        assert_int_equal(order[i - 1], i);
    }
    assert_int_equal(count, WAITERS - 1);
    assert_null(key_place_use(&waiters[1].place)); /* used */
    assert_null(key_place_use(NULL));
    assert_int_equal(key_lock_users(locks, "vm", "a"), 0);
    key_locks_free(locks);
}

#define ROUNDS 500

struct counter {
    struct key_locks *locks;
    long value; /* guarded by the key alone */
};

static void *count_up(void *context)
{
    struct counter *counter = context;
    for (int i = 0; i < ROUNDS; i++) {
        AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(counter->locks, "vm", "a");
        counter->value++;
    }
    return NULL;
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    struct counter counter = {.locks = key_locks_new()};
    pthread_t threads[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &counter), 0);
    }
    for (int i = 0; i < WAITERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    assert_int_equal(counter.value, WAITERS * ROUNDS);
    key_locks_free(counter.locks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_places_keep_their_order),
        cmocka_unit_test(test_keys_do_not_wait_for_one_another),
        cmocka_unit_test(test_one_at_a_time),
    };
    return cmocka_run_group_tests_name("key_lock", tests, NULL, NULL);
}
