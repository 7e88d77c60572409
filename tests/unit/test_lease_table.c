/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/lease_table.h"

#include "store/meta.h"
#include "store_fixture.h"

#include <pthread.h>

static const struct lease_pool pool = {"bridge", "address", 2, 5};

static void add_vm(struct fixture *fixture, const char *name, char id[ID_LENGTH + 1])
{
    assert_int_equal(fixture_vm(fixture, name, id, NULL), 0);
}

static int64_t take(struct fixture *fixture, const struct lease_pool *from, const char *vm)
{
    int64_t number = -1;
    assert_int_equal(lease_take(fixture->store, from, vm, false, &number, NULL), 0);
    return number;
}

static void lowest_first_and_kept(void **state)
{
    struct fixture *fixture = *state;
    char a[ID_LENGTH + 1];
    char b[ID_LENGTH + 1];
    char c[ID_LENGTH + 1];
    add_vm(fixture, "a", a);
    add_vm(fixture, "b", b);
    add_vm(fixture, "c", c);
    assert_int_equal(take(fixture, &pool, a), 2);
    assert_int_equal(take(fixture, &pool, b), 3);
    assert_int_equal(take(fixture, &pool, a), 2);
    fixture_reopen(fixture);
    assert_int_equal(take(fixture, &pool, b), 3);
    assert_int_equal(vm_remove(fixture->store, a, NULL), 0);
    assert_int_equal(take(fixture, &pool, c), 2); /* what a had */
}

static void asking_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    char a[ID_LENGTH + 1];
    char b[ID_LENGTH + 1];
    int64_t number = -1;
    add_vm(fixture, "a", a);
    add_vm(fixture, "b", b);
    assert_int_equal(lease_take(fixture->store, &pool, a, true, &number, NULL), 0);
    assert_int_equal(number, 2);
    assert_int_equal(take(fixture, &pool, b), 2);
    assert_int_equal(lease_take(fixture->store, &pool, a, true, &number, NULL), 0);
    assert_int_equal(number, 3);
}

static void a_full_pool_says_so(void **state)
{
    struct fixture *fixture = *state;
    const char *const names[] = {"a", "b", "c", "d", "e"};
    char id[ID_LENGTH + 1];
    for (size_t i = 0; i < 4; i++) {
        add_vm(fixture, names[i], id);
        assert_int_equal(take(fixture, &pool, id), 2 + (int64_t)i);
    }
    add_vm(fixture, names[4], id);
    int64_t number = -1;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(lease_take(fixture->store, &pool, id, false, &number, &err), -1);
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_non_null(strstr(err.message, "address, 2 to 5"));
    const struct lease_pool other = {"bridge", "else", 2, 5};
    assert_int_equal(take(fixture, &other, id), 2); /* pools are apart */
}

/* The range was changed: a number outside it is given up for one inside. */
static void bounds_may_move(void **state)
{
    struct fixture *fixture = *state;
    const struct lease_pool moved = {"bridge", "address", 10, 11};
    char a[ID_LENGTH + 1];
    char b[ID_LENGTH + 1];
    add_vm(fixture, "a", a);
    add_vm(fixture, "b", b);
    assert_int_equal(take(fixture, &pool, a), 2);
    assert_int_equal(take(fixture, &moved, a), 10);
    assert_int_equal(take(fixture, &moved, b), 11);
    assert_int_equal(take(fixture, &pool, b), 2);
}

struct taker {
    struct store *store;
    char vm[ID_LENGTH + 1];
    int64_t number;
};

static void *take_in_thread(void *argument)
{
    struct taker *taker = argument;
    const struct lease_pool wide = {"bridge", "wide", 1, 1000};
    (void)lease_take(taker->store, &wide, taker->vm, false, &taker->number, NULL);
    return NULL;
}

#define TAKERS 16

static void threads_never_share_a_number(void **state)
{
    struct fixture *fixture = *state;
    struct taker takers[TAKERS] = {0};
    pthread_t threads[TAKERS];
    bool seen[TAKERS + 1] = {false};
    for (size_t i = 0; i < TAKERS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "vm%zu", i);
        takers[i].store = fixture->store;
        add_vm(fixture, name, takers[i].vm);
    }
    for (size_t i = 0; i < TAKERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_in_thread, &takers[i]), 0);
    }
    for (size_t i = 0; i < TAKERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_in_range(takers[i].number, 1, TAKERS);
        assert_false(seen[takers[i].number]);
        seen[takers[i].number] = true;
    }
}

static void the_instance_stays(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *before = meta_instance(fixture->store, NULL);
    assert_non_null(before);
    assert_int_equal(strlen(before), 12);
    assert_int_equal(strspn(before, "0123456789abcdef"), 12);
    fixture_reopen(fixture);
    AUTO_FREE char *after = meta_instance(fixture->store, NULL);
    assert_string_equal(before, after);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_filled, fixture_remove)
    const struct CMUnitTest tests[] = {
        TEST(lowest_first_and_kept), TEST(asking_takes_nothing),         TEST(a_full_pool_says_so),
        TEST(bounds_may_move),       TEST(threads_never_share_a_number), TEST(the_instance_stays),
    };
    return cmocka_run_group_tests_name("leases", tests, NULL, NULL);
}
