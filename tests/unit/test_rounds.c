/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon comes back to by itself: VMs that nobody knows of, and those that could not be deleted. */
#include "lifecycle_fixture.h"

#include "lifecycle/key_lock.h"
#include "lifecycle/rounds.h"

#include <sys/wait.h>

/* As if the save of its end had failed, or nobody could tell at the daemon's start whether it lives. */
static void call_it_running(struct world *world, const char *name)
{
    struct vm_record vm = vm_of(world, name);
    vm.state = VM_RUNNING;
    assert_int_equal(vm_update(world->store, &vm, NULL), 0);
    vm_record_free(&vm);
}

/* With what it has started. */
static void play_round(struct world *world)
{
    rounds_make_one(&world->engine);
    pool_drain(world->pool);
}

static enum vm_state state_of(struct world *world, const char *name)
{
    struct vm_record vm = vm_of(world, name);
    enum vm_state state = vm.state;
    vm_record_free(&vm);
    return state;
}

static bool is_there(struct world *world, const char *name)
{
    struct vm_record vm = {0};
    bool found = vm_find(world->store, name, &vm, NULL) == 0;
    vm_record_free(&vm);
    return found;
}

static void one_that_is_called_running_and_has_ended_is_cleaned_up(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "run");
    vm_start(world, "web");
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "web", -1, NULL, NULL), 0);
    call_it_running(world, "web");
    probe_reset();
    /* More than one, while the stop's VMM is looked at a second time, for nothing. */
    while (state_of(world, "web") == VM_RUNNING) {
        play_round(world);
    }
    assert_state(world, "web", "stopped", NULL);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 1);
    play_round(world);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 1);
    vm_delete(world, "web");
}

static void one_that_lives_unknown_is_taken_up(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "run");
    vm_start(world, "web");
    struct vm_record vm = vm_of(world, "web");
    pid_t pid = vmm_pid(world, "web");
    live_remove(&world->engine, vm.id);
    assert_false(live_is_known(&world->engine, vm.id));
    probe_reset();
    play_round(world);
    assert_true(live_is_running(&world->engine, vm.id));
    assert_int_equal(vmm_pid(world, "web"), pid);
    assert_int_equal(atomic_load(&probe.calls[HOOK_RECONCILED]), 1);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 0);
    vm_record_free(&vm);
    vm_delete(world, "web");
}

static void one_at_work_is_left_for_the_next_round(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "run");
    call_it_running(world, "web");
    struct vm_record vm = vm_of(world, "web");
    struct key_lock *lock = key_lock_take(world->engine.locks, "vm", vm.id);
    play_round(world); /* does not wait */
    assert_state(world, "web", "running", NULL);
    key_lock_release(lock);
    play_round(world);
    assert_state(world, "web", "stopped", NULL);
    vm_record_free(&vm);
    vm_delete(world, "web");
}

/* The daemon comes back, and a hook fails, twice. */
static void one_that_a_hook_failed_for_is_told_of_later(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "run");
    vm_start(world, "web");
    world_stop(world);
    probe_reset();
    atomic_store(&probe.fails, HOOK_RECONCILED);
    world_start(world);
    assert_int_equal(lifecycle_reconcile(&world->engine, NULL), 0);
    assert_state(world, "web", "running", NULL);
    play_round(world);
    assert_int_equal(atomic_load(&probe.calls[HOOK_RECONCILED]), 4); /* twice each */
    atomic_store(&probe.fails, HOOK_COUNT);
    for (int round = 2; round <= 5; round++) {
        play_round(world);
    }
    assert_int_equal(atomic_load(&probe.calls[HOOK_RECONCILED]), 5);
    vm_delete(world, "web");
    assert_nothing_left(world);
}

/* A VMM that ends while a hook fails. The error code is the hook's, and says nothing of the VM. */
static void one_that_could_not_be_cleaned_up_is_later(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "run");
    vm_start(world, "web");
    probe_reset();
    atomic_store(&probe.code, BANGER_ENOTFOUND);
    atomic_store(&probe.fails, HOOK_CLEANUP);
    assert_int_equal(kill(vmm_pid(world, "web"), SIGKILL), 0);
    await_event_of(world, "vm.ended", "web");
    pool_drain(world->pool);
    assert_state(world, "web", "error",
                 "signal KILL; capability 'probe': cleanup: the probe fails");
    play_round(world);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 2);
    atomic_store(&probe.fails, HOOK_COUNT);
    play_round(world);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 2);
    play_round(world);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 3);
    assert_state(world, "web", "error", "the VMM was ended by signal KILL"); /* and no more */
    struct vm_record vm = vm_of(world, "web");
    assert_null(strstr(vm.last_error, "probe"));
    assert_int_equal(json_object_size(vm.runtime), 0);
    vm_record_free(&vm);
    vm_delete(world, "web");
    assert_nothing_left(world);
}

/* Asked for by somebody, who was told that it failed. */
static void what_a_stop_could_not_give_back_is_later(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    vm_create(world, "web", "run");
    vm_start(world, "web");
    atomic_store(&probe.fails, HOOK_CLEANUP);
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "web", -1, NULL, &err), -1);
    assert_state(world, "web", "error", "the probe fails in cleanup");
    atomic_store(&probe.fails, HOOK_COUNT);
    while (state_of(world, "web") == VM_ERROR) { /* the end of its VMM may be looked at still */
        play_round(world);
    }
    assert_state(world, "web", "stopped", NULL);
    vm_delete(world, "web");
    assert_nothing_left(world);
}

/* Its own error stays, when what was left of it is given back. */
static void what_a_start_could_not_give_back_is_later(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "fail");
    atomic_store(&probe.fails, HOOK_PREPARE);
    atomic_store(&probe.keeps, true);
    assert_int_equal(lifecycle_start(&world->engine, &caller_nobody, "web", NULL, NULL), -1);
    assert_state(world, "web", "error", "did not release its thing");
    atomic_store(&probe.keeps, false);
    play_round(world);
    assert_nothing_held(world);
    assert_state(world, "web", "error", "the probe fails in prepare");
    struct vm_record vm = vm_of(world, "web");
    assert_null(strstr(vm.last_error, "release")); /* that is over */
    vm_record_free(&vm);
    atomic_store(&probe.fails, HOOK_COUNT);
    vm_delete(world, "web");
}

/* The daemon comes back, and cannot clean up behind what ended meanwhile: how is not known, and nothing is made up. */
static void what_a_new_daemon_could_not_give_back_is_later(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "run");
    vm_start(world, "web");
    pid_t pid = vmm_pid(world, "web");
    world_stop(world);
    siginfo_t info;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    atomic_store(&probe.fails, HOOK_CLEANUP);
    world_start(world);
    assert_int_equal(lifecycle_reconcile(&world->engine, NULL), 0);
    assert_state(world, "web", "error", "the probe fails in cleanup");
    atomic_store(&probe.fails, HOOK_COUNT);
    play_round(world);
    assert_state(world, "web", "stopped", NULL);
    vm_delete(world, "web");
    assert_nothing_left(world);
}

static void abandon(struct world *world, const char *name)
{
    struct vm_record vm = vm_of(world, name);
    lifecycle_abandon(&world->engine, vm.id);
    vm_record_free(&vm);
}

static void one_that_is_abandoned_is_deleted(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "run");
    vm_start(world, "web");
    abandon(world, "web");
    assert_false(is_there(world, "web"));
    assert_nothing_left(world);
}

/* Tried after 1, 2, 4, ... rounds, until it can be deleted. */
static void one_that_cannot_be_deleted_is_tried_less_and_less_often(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "run");
    atomic_store(&probe.fails, HOOK_CLEANUP);
    abandon(world, "web");
    for (int round = 1; round <= 7; round++) {
        play_round(world);
    }
    /* At once, and in rounds 1, 3 and 7. */
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 4);
    atomic_store(&probe.fails, HOOK_COUNT);
    for (int round = 8; round <= 14; round++) {
        play_round(world);
    }
    assert_true(is_there(world, "web"));
    play_round(world);
    assert_false(is_there(world, "web"));
    play_round(world);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 5);
    assert_nothing_left(world);
}

static void one_that_somebody_has_deleted_is_forgotten(void **state)
{
    struct world *world = *state;
    vm_create(world, "web", "run");
    atomic_store(&probe.fails, HOOK_CLEANUP);
    abandon(world, "web");
    atomic_store(&probe.fails, HOOK_COUNT);
    vm_delete(world, "web");
    probe_reset();
    play_round(world);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 0);
}

/* -- The timer -------------------------------------------------------------------------------------- */

struct timer_test {
    struct rounds *rounds;
    bool done;
};

static void stop_rounds(void *context)
{
    struct timer_test *test = context;
    rounds_stop(test->rounds);
    probe_set(&test->done);
}

static void rounds_come_by_themselves(void **state)
{
    struct world *world = *state;
    json_put(world->config, "health_interval", json_integer(10));
    struct timer_test test = {.rounds = rounds_new(&world->engine)};
    vm_create(world, "web", "run");
    call_it_running(world, "web");
    rounds_begin(test.rounds);
    await_event_of(world, "vm.reconcile", "web");
    assert_state(world, "web", "stopped", NULL);
    vm_create(world, "db", "run");
    call_it_running(world, "db");
    await_event_of(world, "vm.reconcile", "db"); /* and again */
    loop_post(world->loop, stop_rounds, &test);
    probe_wait(&test.done);
    vm_delete(world, "web");
    vm_delete(world, "db");
    world_stop(world); /* the last round, and what it posted */
    rounds_free(test.rounds);
    world_start(world);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(one_that_is_called_running_and_has_ended_is_cleaned_up),
        TEST(one_that_lives_unknown_is_taken_up),
        TEST(one_at_work_is_left_for_the_next_round),
        TEST(one_that_a_hook_failed_for_is_told_of_later),
        TEST(one_that_could_not_be_cleaned_up_is_later),
        TEST(what_a_stop_could_not_give_back_is_later),
        TEST(what_a_start_could_not_give_back_is_later),
        TEST(what_a_new_daemon_could_not_give_back_is_later),
        TEST(one_that_is_abandoned_is_deleted),
        TEST(one_that_cannot_be_deleted_is_tried_less_and_less_often),
        TEST(one_that_somebody_has_deleted_is_forgotten),
        TEST(rounds_come_by_themselves),
    };
    return cmocka_run_group_tests_name("rounds", tests, NULL, NULL);
}
