/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a daemon does that comes back: VMs that run are taken up untouched, all else is cleaned up. */
#include "lifecycle_fixture.h"

#include <sys/wait.h>

/* The daemon goes and comes back; in between `meanwhile` (may be NULL) happens. */
static void come_back(struct world *world, void (*meanwhile)(void *context), void *context)
{
    banger_error err = BANGER_ERROR_INIT;
    world_stop(world);
    probe_reset();
    if (meanwhile != NULL) {
        meanwhile(context);
    }
    world_start(world);
    if (lifecycle_reconcile(&world->engine, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static void kill_and_wait(void *context)
{
    siginfo_t info;
    pid_t pid = *(const pid_t *)context;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void test_a_running_vm_is_taken_up(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    vm_create(world, "a", "run");
    vm_start(world, "a");
    pid_t pid = vmm_pid(world, "a");
    struct vm_record before = vm_of(world, "a");
    come_back(world, NULL, NULL);
    assert_int_equal(vmm_pid(world, "a"), pid);
    assert_int_equal(atomic_load(&probe.calls[HOOK_RECONCILED]), 1);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 0);
    struct vm_record after = vm_of(world, "a");
    assert_true(json_equal(before.runtime, after.runtime));
    assert_int_equal(before.started_ms, after.started_ms);
    vm_record_free(&before);
    vm_record_free(&after);

    /* Its end is noticed as before. */
    assert_int_equal(kill(pid, SIGKILL), 0);
    await_event(world, "vm.ended");
    assert_state(world, "a", "error", "KILL");
    vm_start(world, "a");
    come_back(world, NULL, NULL);
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, &err), 0);
    assert_state(world, "a", "stopped", NULL);
    vm_delete(world, "a");
    assert_nothing_left(world);
}

/* A VMM that is stopped (SIGSTOP) lives. */
static void test_a_hung_vm_is_left_alone(void **state)
{
    struct world *world = *state;
    vm_create(world, "a", "run");
    vm_start(world, "a");
    pid_t pid = vmm_pid(world, "a");
    assert_int_equal(kill(pid, SIGSTOP), 0);
    come_back(world, NULL, NULL);
    assert_int_equal(vmm_pid(world, "a"), pid);
    assert_state(world, "a", "running", NULL);
    vm_delete(world, "a"); /* TERM waits until it goes on, KILL does not */
    assert_nothing_left(world);
}

static void test_a_vm_that_ended_meanwhile(void **state)
{
    struct world *world = *state;
    vm_create(world, "a", "run");
    vm_start(world, "a");
    pid_t pid = vmm_pid(world, "a");
    come_back(world, kill_and_wait, &pid);
    assert_state(world, "a", "stopped", NULL);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 1);
    assert_true(pid_is_gone(pid));
    assert_nothing_held(world);
    vm_delete(world, "a");
    assert_nothing_left(world);
}

/* As if the daemon had been killed just before the start's last stage: the VMM runs, the record does
 * not know it yet. */
static void test_a_half_made_vm_is_cleaned_up(void **state)
{
    struct world *world = *state;
    vm_create(world, "a", "run");
    vm_start(world, "a");
    pid_t pid = vmm_pid(world, "a");
    struct vm_record vm = vm_of(world, "a");
    vm.state = VM_CREATED;
    assert_int_equal(vm_update(world->store, &vm, NULL), 0);
    vm_record_free(&vm);
    come_back(world, NULL, NULL);
    assert_true(pid_is_gone(pid));
    assert_state(world, "a", "error", "in the middle of an operation");
    assert_nothing_held(world);
    vm_start(world, "a");
    vm_delete(world, "a");
    assert_nothing_left(world);
}

static void test_ephemeral_vms_are_deleted(void **state)
{
    struct world *world = *state;
    AUTO_JSON json_t *params = vm_params("a", "run");
    AUTO_JSON json_t *vm = NULL;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(lifecycle_run(&world->engine, &caller_nobody, params, true, &vm, &err), 0);
    pid_t pid = (pid_t)json_get_int(vm, "pid", 0);
    come_back(world, NULL, NULL);
    assert_true(pid_is_gone(pid));
    assert_nothing_left(world);
}

/* One that cannot be cleaned up keeps no other from being taken up, and is tried again. */
static void test_a_failure_is_one_vms(void **state)
{
    struct world *world = *state;
    vm_create(world, "bad", "run");
    vm_create(world, "good", "run");
    vm_start(world, "bad");
    vm_start(world, "good");
    pid_t bad = vmm_pid(world, "bad");
    pid_t good = vmm_pid(world, "good");
    world_stop(world);
    kill_and_wait(&bad);
    world_start(world);
    atomic_store(&probe.keeps, true);
    assert_int_equal(lifecycle_reconcile(&world->engine, NULL), 0);
    assert_state(world, "bad", "error", "did not release");
    assert_int_equal(vmm_pid(world, "good"), good);
    atomic_store(&probe.keeps, false);
    come_back(world, NULL, NULL);
    assert_int_equal(vmm_pid(world, "good"), good);
    vm_delete(world, "bad");
    vm_delete(world, "good");
    assert_nothing_left(world);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(test_a_running_vm_is_taken_up),  TEST(test_a_hung_vm_is_left_alone),
        TEST(test_a_vm_that_ended_meanwhile), TEST(test_a_half_made_vm_is_cleaned_up),
        TEST(test_ephemeral_vms_are_deleted), TEST(test_a_failure_is_one_vms),
    };
    return cmocka_run_group_tests_name("reconcile", tests, NULL, NULL);
}
