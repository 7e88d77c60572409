/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMMs that end by themselves: each ends in one change of state and one cleanup. And processes that
 * the journal names but that are not ours. */
#include "host/signal.h"
#include "lifecycle_fixture.h"

#include <sys/prctl.h>
#include <sys/wait.h>

/* -- Ends ---------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STRIDE 17 /* of all statuses and signals; it sees the same code each time */
#else
#define STRIDE 1
#endif
#define SIGNAL_LAST 64
#define ENDS_A_WORLD 32 /* then a new one: what is looked for among its events is soon found */

/* What the default action of a signal does: signal(7). */
static bool ends_a_process(int number)
{
    static const int others[] = {SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
                                 SIGTTIN, SIGTTOU, SIGURG,  SIGWINCH};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (others[i] == number) {
            return false;
        }
    }
    return true;
}

/* The pipe with the command in it, for the caller to keep open until the stub has ended: a start does
 * not wait until the stub reads, and a pipe that nobody has open forgets what was written. */
static int exit_with(struct world *world, const char *name, int status)
{
    struct vm_record vm = vm_of(world, name);
    AUTO_FREE char *dir = layout_vm_run_dir(&world->layout, vm.id);
    AUTO_FREE char *path = str_format("%s/stub.fifo", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC); /* does not wait for a reader */
    const char command[] = {'x', (char)status};
    assert_int_equal(write(fd, command, sizeof(command)), sizeof(command));
    vm_record_free(&vm);
    return fd;
}

/* A VM's VMM ends by a signal, or by itself with a status: one change of state, one cleanup. `reason`:
 * NULL, or what the record says. */
static void assert_one_end(struct world *world, int number, int status, const char *reason)
{
    AUTO_FREE char *name = str_format("%s%d", number != 0 ? "signal" : "status", number + status);
    vm_create(world, name, "run");
    vm_start(world, name);
    pid_t pid = vmm_pid(world, name);
    AUTO_CLOSE int control = -1;
    size_t before = count_operations(world, "vm.ended");
    probe_reset();
    if (number != 0) {
        assert_int_equal(kill(pid, number), 0);
    } else {
        control = exit_with(world, name, status);
    }
    await_event_of(world, "vm.ended", name);
    assert_state(world, name, reason != NULL ? "error" : "stopped", reason);
    assert_true(pid_is_gone(pid));
    assert_int_equal(atomic_load(&probe.calls[HOOK_CLEANUP]), 1);
    assert_nothing_held(world);
    vm_delete(world, name);
    assert_nothing_left(world);
    assert_int_equal(count_operations(world, "vm.ended"), before + 1);
}

static struct world *world_of_round(void **state, int round)
{
    if (round % ENDS_A_WORLD == ENDS_A_WORLD - 1) {
        (void)world_close(state);
        (void)world_open(state);
    }
    return *state;
}

static void test_every_status(void **state)
{
    int rounds = 0;
    for (int status = 0; status <= 255; status += STRIDE) {
        AUTO_FREE char *reason = str_format("ended by itself with status %d", status);
        struct world *world = world_of_round(state, rounds++);
        assert_one_end(world, 0, status, status != 0 ? reason : NULL);
    }
    assert_int_equal(rounds, 255 / STRIDE + 1);
}

static void test_every_signal(void **state)
{
    int rounds = 0;
    for (int number = 1; number <= SIGNAL_LAST; number += STRIDE) {
        if (ends_a_process(number)) {
            AUTO_FREE char *reason = str_format("ended by signal %s", signal_name(number));
            assert_one_end(world_of_round(state, rounds++), number, 0, reason);
        }
    }
    assert_true(STRIDE > 1 || rounds == SIGNAL_LAST - 8);
}

/* The end is noticed while a start is still on its way, or after it: a failure in either case. */
static void test_ends_at_once(void **state)
{
    static const char *const behaviours[] = {"exit", "crash"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(behaviours); i++) {
        vm_create(world, behaviours[i], behaviours[i]);
        if (lifecycle_start(&world->engine, &caller_nobody, behaviours[i], NULL, NULL) == 0) {
            await_event_of(world, "vm.ended", behaviours[i]);
        }
        assert_state(world, behaviours[i], "error", "VMM");
        assert_nothing_held(world);
        vm_delete(world, behaviours[i]);
    }
    assert_nothing_left(world);
}

static void test_cleanup_after_an_end_fails(void **state)
{
    struct world *world = *state;
    vm_create(world, "a", "run");
    vm_start(world, "a");
    atomic_store(&probe.fails, HOOK_CLEANUP);
    assert_int_equal(kill(vmm_pid(world, "a"), SIGKILL), 0);
    await_event(world, "vm.ended");
    assert_state(world, "a", "error", "cleanup");
    atomic_store(&probe.fails, HOOK_COUNT);
    vm_start(world, "a"); /* which cleans up first */
    assert_state(world, "a", "running", NULL);
    vm_delete(world, "a");
    assert_nothing_left(world);
}

/* -- Strangers ----------------------------------------------------------------------------------- */

/* A process that waits for its end. */
static pid_t make_process(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent) {
            (void)pause();
        }
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static void add_row(struct world *world, const char *vm_id, const struct process_id *process)
{
    AUTO_JSON json_t *attrs =
        json_pack("{s:s, s:i, s:I, s:s}", "role", "vmm", "pid", (int)process->pid, "start_ticks",
                  (json_int_t)process->start_ticks, "boot_id", process->boot_id);
    int64_t row = journal_intend(world->store, vm_id, "core", "process", "/bin/vmm", attrs, NULL);
    assert_true(row > 0);
    assert_int_equal(journal_held(world->store, row, NULL, NULL), 0);
}

static void test_a_stranger_is_never_signalled(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    vm_create(world, "a", "run");
    struct vm_record vm = vm_of(world, "a");
    struct process_id ours;
    assert_int_equal(process_identify(make_process(), &ours, NULL), 0);
    struct process_id later = ours;
    struct process_id other_boot = ours;
    later.start_ticks++;
    memset(other_boot.boot_id, '0', BOOT_ID_LENGTH);
    add_row(world, vm.id, &later);
    add_row(world, vm.id, &other_boot);
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, &err), 0);
    assert_nothing_held(world);
    assert_int_equal(waitpid(ours.pid, NULL, WNOHANG), 0); /* it lives */

    add_row(world, vm.id, &ours);
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, &err), 0);
    assert_true(pid_is_gone(ours.pid)); /* reaped, too */
    assert_nothing_held(world);
    vm_record_free(&vm);
    vm_delete(world, "a");
}

/* A helper that has ended by itself does not stay in the process table. */
static void test_an_ended_helper_is_reaped(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    vm_create(world, "a", "run");
    struct vm_record vm = vm_of(world, "a");
    struct process_id helper;
    siginfo_t info;
    assert_int_equal(process_identify(make_process(), &helper, NULL), 0);
    add_row(world, vm.id, &helper);
    assert_int_equal(kill(helper.pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)helper.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, &err), 0);
    assert_true(pid_is_gone(helper.pid));
    vm_record_free(&vm);
    vm_delete(world, "a");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(test_every_status),
        TEST(test_every_signal),
        TEST(test_ends_at_once),
        TEST(test_cleanup_after_an_end_fails),
        TEST(test_a_stranger_is_never_signalled),
        TEST(test_an_ended_helper_is_reaped),
    };
    return cmocka_run_group_tests_name("vm_ended", tests, NULL, NULL);
}
