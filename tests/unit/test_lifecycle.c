/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start, stop, kill, restart, delete, set and prune on the stub VMM. */
#include "lifecycle_fixture.h"

#include "lifecycle/key_lock.h"

#include <sqlite3.h>

#define START_STAGES 16

/* -- Start and stop ------------------------------------------------------------------------------ */

static void test_life(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    AUTO_JSON json_t *vm = NULL;
    vm_create(world, "a", "run");
    vm_start(world, "a");
    assert_state(world, "a", "running", NULL);
    pid_t pid = vmm_pid(world, "a");
    assert_int_equal(count_rows(world), 3); /* the run folder, the probe's thing, the VMM */

    /* A success that changes nothing. */
    assert_int_equal(lifecycle_start(&world->engine, &caller_nobody, "a", &vm, &err), 0);
    assert_int_equal(json_get_int(vm, "pid", 0), pid);
    assert_int_equal(atomic_load(&probe.calls[HOOK_PREPARE]), 1);

    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, &err), 0);
    assert_state(world, "a", "stopped", NULL);
    assert_true(pid_is_gone(pid));
    assert_nothing_held(world);
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, &err), 0);

    vm_start(world, "a"); /* on the disk that it has */
    assert_true(vmm_pid(world, "a") != pid);
    pid = vmm_pid(world, "a");
    vm_delete(world, "a");
    assert_true(pid_is_gone(pid));
    assert_int_equal(atomic_load(&probe.calls[HOOK_DELETED]), 1);
    assert_nothing_left(world);
    assert_int_equal(count_operations(world, "vm.ended"), 0);
}

static void test_a_vm_that_never_ran(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    vm_create(world, "a", "run");
    assert_int_equal(lifecycle_kill(&world->engine, &caller_nobody, "a", SIGTERM, NULL, &err), 0);
    assert_state(world, "a", "stopped", NULL);
    vm_delete(world, "a");
    assert_nothing_left(world);
    assert_int_equal(lifecycle_start(&world->engine, &caller_nobody, "a", NULL, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

struct patience {
    const char *behaviour;
    int warnings; /* a TERM is told to who waits */
    int seconds_300ms;
};

static void count_warning(void *context, const char *text)
{
    (void)text;
    (*(int *)context)++;
}

/* Ctrl-Alt-Del, then TERM, then KILL, each after its deadline. */
static void test_ignored_requests(void **state)
{
    static const struct patience rows[] = {
        {"run", 0, 0}, {"late", 0, 0}, {"ignore-stop", 1, 1}, {"ignore-term", 1, 2}};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int warnings = 0;
        struct caller caller = {.warn = count_warning, .context = &warnings};
        banger_error err = BANGER_ERROR_INIT;
        vm_create(world, rows[i].behaviour, rows[i].behaviour);
        vm_start(world, rows[i].behaviour);
        pid_t pid = vmm_pid(world, rows[i].behaviour);
        int64_t began = clock_mono_ms();
        assert_int_equal(lifecycle_stop(&world->engine, &caller, rows[i].behaviour, -1, NULL, &err),
                         0);
        assert_true(clock_mono_ms() - began >= rows[i].seconds_300ms * 300);
        assert_int_equal(warnings, rows[i].warnings);
        assert_true(pid_is_gone(pid));
        assert_state(world, rows[i].behaviour, "stopped", NULL);
        assert_nothing_held(world);
        vm_delete(world, rows[i].behaviour);
    }
    assert_nothing_left(world);
}

/* -- A VMM that is slow to hear ------------------------------------------------------------------ */

static atomic_llong time_to_ask_ms; /* the most that request_stop was given */

static int slow_request_stop(const struct banger_host *host, struct banger_call *call)
{
    long long left = host->remaining_ms(call);
    if (left > atomic_load(&time_to_ask_ms)) {
        atomic_store(&time_to_ask_ms, left);
    }
    return (host->fail)(call, BANGER_EIO, "does not hear, as told");
}

static struct banger_vmm slow_vmm; /* the stub's, but for that */

static const struct banger_plugin slow_plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "slow",
    .version = "1",
    .summary = "the stub, which does not hear",
    .license = "LGPL-2.1-or-later",
    .vmm = &slow_vmm,
};

static void create_slow(struct world *world, const char *name)
{
    AUTO_JSON json_t *params = vm_params(name, "run");
    AUTO_JSON json_t *vm = NULL;
    banger_error err = BANGER_ERROR_INIT;
    json_put(params, "vmm", json_string("slow"));
    slow_vmm = *registry_find(world->registry, "stub")->plugin->vmm;
    slow_vmm.request_stop = slow_request_stop;
    if (registry_add(world->registry, &slow_plugin, "built-in", NULL, &err) < 0 ||
        registry_resolve(world->registry, &err) < 0 ||
        lifecycle_create(&world->engine, &caller_nobody, params, &vm, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

#define SHORT_MS 30

/* A provider that was late would be out of use for every VM. */
static void test_a_request_has_its_time_however_short_the_stop(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    create_slow(world, "a");
    vm_start(world, "a");
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", SHORT_MS, NULL, &err), 0);
    assert_true(atomic_load(&time_to_ask_ms) > SHORT_MS);
    vm_delete(world, "a");
    assert_nothing_left(world);
}

static void test_kill_and_restart(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    vm_create(world, "a", "run");
    vm_start(world, "a");
    pid_t first = vmm_pid(world, "a");
    assert_int_equal(lifecycle_restart(&world->engine, &caller_nobody, "a", 0, NULL, &err), 0);
    pid_t second = vmm_pid(world, "a");
    assert_true(pid_is_gone(first) && second != first);
    assert_int_equal(lifecycle_kill(&world->engine, &caller_nobody, "a", SIGKILL, NULL, &err), 0);
    assert_true(pid_is_gone(second));
    assert_state(world, "a", "stopped", NULL);
    /* Of a VM that does not run it is a start. */
    assert_int_equal(lifecycle_restart(&world->engine, &caller_nobody, "a", -1, NULL, &err), 0);
    assert_state(world, "a", "running", NULL);
    vm_delete(world, "a");
    assert_int_equal(count_operations(world, "vm.ended"), 0);
    assert_nothing_left(world);
}

/* -- Failures ------------------------------------------------------------------------------------ */

static void test_failure_in_each_hook(void **state)
{
    static const enum hook hooks[] = {HOOK_CHECK, HOOK_PREPARE, HOOK_CONTRIBUTE, HOOK_POST_START};
    struct world *world = *state;
    vm_create(world, "a", "run");
    for (size_t i = 0; i < COUNT_OF(hooks); i++) {
        banger_error err = BANGER_ERROR_INIT;
        atomic_store(&probe.fails, hooks[i]);
        assert_int_equal(lifecycle_start(&world->engine, &caller_nobody, "a", NULL, &err), -1);
        assert_int_equal(err.code, BANGER_EIO);
        assert_non_null(strstr(err.message, hook_name(hooks[i])));
        assert_non_null(strstr(err.hint, "vmm.log"));
        assert_state(world, "a", "error", hook_name(hooks[i]));
        assert_nothing_held(world);
    }
    atomic_store(&probe.fails, HOOK_COUNT);
    vm_start(world, "a");
    assert_state(world, "a", "running", NULL);
    vm_delete(world, "a");
    assert_nothing_left(world);
}

static void test_launch_is_refused(void **state)
{
    struct world *world = *state;
    AUTO_JSON json_t *params = vm_params("a", "refuse");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(lifecycle_run(&world->engine, &caller_nobody, params, false, NULL, &err), -1);
    assert_non_null(strstr(err.message, "as told"));
    assert_state(world, "a", "error", "as told"); /* for its owner to look at */
    assert_nothing_held(world);
    vm_delete(world, "a");

    err = BANGER_ERROR_INIT;
    assert_int_equal(lifecycle_run(&world->engine, &caller_nobody, params, true, NULL, &err), -1);
    assert_non_null(strstr(err.message, "as told"));
    assert_null(strstr(err.hint, "vmm.log")); /* it is gone */
    assert_nothing_left(world);
}

/* The record never calls a VM running that has ended, and what is held stays in the journal. */
static void test_cleanup_fails(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    vm_create(world, "a", "run");
    vm_start(world, "a");
    pid_t pid = vmm_pid(world, "a");
    atomic_store(&probe.keeps, true);
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, &err), -1);
    assert_non_null(strstr(err.message, "did not release"));
    assert_true(pid_is_gone(pid));
    assert_state(world, "a", "error", "did not release");
    assert_int_equal(count_rows(world), 1);
    assert_int_equal(lifecycle_delete(&world->engine, &caller_nobody, "a", NULL, &err), -1);

    atomic_store(&probe.keeps, false);
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, &err), 0);
    assert_state(world, "a", "stopped", NULL);
    assert_nothing_held(world);
    vm_delete(world, "a");
}

static void test_image_row_vanished(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    vm_create(world, "a", "run");
    vm_start(world, "a");
    pid_t pid = vmm_pid(world, "a");
    AUTO_FREE char *path = layout_database(&world->layout);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA foreign_keys = OFF; DELETE FROM images", NULL, NULL, NULL),
        SQLITE_OK);
    (void)sqlite3_close(db);

    assert_int_equal(lifecycle_restart(&world->engine, &caller_nobody, "a", 0, NULL, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_int_equal(vmm_pid(world, "a"), pid); /* not stopped in order to find that out */
    vm_delete(world, "a");
    assert_true(pid_is_gone(pid));
    assert_nothing_left(world);
}

/* -- Cancellation -------------------------------------------------------------------------------- */

struct impatient {
    int stages_until; /* this many are waited for */
    int done;
};

static void count_stage(void *context, const char *stage, const char *stage_state, const char *text,
                        int64_t elapsed_ms)
{
    (void)stage;
    (void)text;
    (void)elapsed_ms;
    ((struct impatient *)context)->done += strcmp(stage_state, "done") == 0;
}

static bool has_enough(void *context)
{
    const struct impatient *impatient = context;
    return impatient->done >= impatient->stages_until;
}

static void test_cancelled_after_each_stage(void **state)
{
    struct world *world = *state;
    AUTO_JSON json_t *params = vm_params("a", "run");
    for (int i = 0; i < START_STAGES; i++) {
        struct impatient impatient = {.stages_until = i};
        struct caller caller = {
            .progress = count_stage, .cancelled = has_enough, .context = &impatient};
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(lifecycle_run(&world->engine, &caller, params, i % 2, NULL, &err), -1);
        assert_int_equal(err.code, BANGER_ECANCELLED);
        assert_nothing_left(world);
    }
    struct impatient patient = {.stages_until = START_STAGES};
    struct caller caller = {.progress = count_stage, .cancelled = has_enough, .context = &patient};
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(lifecycle_run(&world->engine, &caller, params, false, NULL, &err), 0);
    vm_delete(world, "a");
}

/* -- Two at once --------------------------------------------------------------------------------- */

struct task {
    struct world *world;
    const char *vm;
    bool is_start;
    struct impatient *impatient; /* NULL: never cancelled */
    int result;
    banger_error err;
    pthread_t thread;
};

static void *task_main(void *context)
{
    struct task *task = context;
    struct caller caller = {.cancelled = task->impatient != NULL ? has_enough : NULL,
                            .context = task->impatient};
    struct engine *engine = &task->world->engine;
    task->result = task->is_start ? lifecycle_start(engine, &caller, task->vm, NULL, &task->err)
                                  : lifecycle_stop(engine, &caller, task->vm, -1, NULL, &task->err);
    return NULL;
}

/* Begins the task, and waits until `users` hold the VM's lock or wait for it. */
static void task_begin(struct task *task, const char *vm_id, unsigned users)
{
    assert_int_equal(pthread_create(&task->thread, NULL, task_main, task), 0);
    deadline until = deadline_in(PATIENCE_S * 1000);
    while (key_lock_users(task->world->engine.locks, "vm", vm_id) < users) {
        const struct timespec moment = {.tv_nsec = 1000000};
        (void)nanosleep(&moment, NULL);
        assert_true(deadline_left_ms(until) > 0);
    }
}

static void test_first_come_first_served(void **state)
{
    struct world *world = *state;
    struct impatient gone = {0};
    vm_create(world, "slow", "run");
    vm_create(world, "other", "run");
    struct vm_record slow = vm_of(world, "slow");
    struct task tasks[] = {
        {.world = world, .vm = "slow", .is_start = true},
        {.world = world, .vm = "slow"},
        {.world = world, .vm = "slow", .is_start = true},
        {.world = world, .vm = "slow", .impatient = &gone}, /* leaves the queue */
        {.world = world, .vm = "slow"}};
    probe.only = "slow";
    atomic_store(&probe.blocks, HOOK_PREPARE);
    task_begin(&tasks[0], slow.id, 1);
    probe_wait(&probe.blocked);
    for (unsigned i = 1; i < COUNT_OF(tasks); i++) {
        task_begin(&tasks[i], slow.id, i + 1);
    }
    vm_start(world, "other"); /* does not wait for any of them */
    vm_delete(world, "other");
    atomic_store(&probe.blocks, HOOK_COUNT);
    probe_set(&probe.let_go);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        (void)pthread_join(tasks[i].thread, NULL);
        assert_int_equal(tasks[i].result, tasks[i].impatient != NULL ? -1 : 0);
    }
    assert_int_equal(tasks[3].err.code, BANGER_ECANCELLED);

    static const char *const order[] = {"vm.start", "vm.stop", "vm.start", "vm.stop"};
    AUTO_JSON json_t *log = oplog_list(world->store, slow.id, 10, NULL);
    assert_int_equal(json_array_size(log), COUNT_OF(order));
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const json_t *operation = json_array_get(log, i);
        assert_string_equal(json_get_string(operation, "kind", ""), order[i]);
        assert_string_equal(json_get_string(operation, "outcome", ""), "done");
    }
    assert_state(world, "slow", "stopped", NULL);
    vm_record_free(&slow);
    vm_delete(world, "slow");
    assert_nothing_left(world);
}

/* A VM that is started between the list and its turn is not pruned. */
static void test_prune(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    AUTO_JSON json_t *deleted = NULL;
    vm_create(world, "idle", "run");
    vm_create(world, "runs", "run");
    vm_create(world, "starts", "run");
    vm_start(world, "runs");
    struct vm_record starts = vm_of(world, "starts");
    struct task task = {.world = world, .vm = "starts", .is_start = true};
    probe.only = "starts";
    atomic_store(&probe.blocks, HOOK_PREPARE);
    task_begin(&task, starts.id, 1);
    probe_wait(&probe.blocked);
    assert_int_equal(lifecycle_prune(&world->engine, &caller_nobody, &deleted, &err), 0);
    probe_set(&probe.let_go);
    (void)pthread_join(task.thread, NULL);
    assert_int_equal(task.result, 0);
    assert_int_equal(json_array_size(deleted), 1);
    assert_string_equal(json_get_string(json_array_get(deleted, 0), "name", ""), "idle");
    vm_record_free(&starts);
    vm_delete(world, "runs");
    vm_delete(world, "starts");
    assert_nothing_left(world);
}

/* -- set ----------------------------------------------------------------------------------------- */

static int set(struct world *world, json_t *changes, banger_error *err)
{
    int result = lifecycle_set(&world->engine, &caller_nobody, "a", changes, NULL, err);
    json_decref(changes);
    return result;
}

static void test_set(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    vm_create(world, "a", "run");
    assert_int_equal(set(world, json_pack("{s:i}", "vcpu", 3), &err), 0);
    assert_int_equal(set(world, json_pack("{s:i}", "vcpus", 3), &err), -1);
    assert_int_equal(err.code, BANGER_EINVALID);
    assert_int_equal(set(world, json_pack("{s:i}", "disk_mib", 63), &err), -1);
    assert_int_equal(set(world, json_pack("{s:s}", "vmm", "qmeu"), &err), -1);
    assert_int_equal(err.code, BANGER_EINVALID);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CONFIGURE]), 0); /* nobody runs */

    /* A start that fails before the disk is made, or a stop, does not tie the VM to a provider. */
    atomic_store(&probe.fails, HOOK_CHECK);
    assert_int_equal(lifecycle_start(&world->engine, &caller_nobody, "a", NULL, &err), -1);
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, &err), 0);
    assert_int_equal(set(world, json_pack("{s:s}", "rootfs", "auto"), &err), 0);
    atomic_store(&probe.fails, HOOK_COUNT);
    vm_start(world, "a");
    assert_int_equal(set(world, json_pack("{s:s}", "rootfs", "copy"), &err), 0);
    assert_int_equal(set(world, json_pack("{s:i}", "memory_mib", 128), &err), 0);
    assert_int_equal(atomic_load(&probe.calls[HOOK_CONFIGURE]), 2);
    assert_int_equal(set(world, json_pack("{s:i}", "disk_mib", 65), &err), -1); /* while it runs */
    assert_int_equal(err.code, BANGER_EBUSY);

    /* One that fails is taken back: capabilities are told what is still so. */
    atomic_store(&probe.fails, HOOK_CONFIGURE);
    assert_int_equal(set(world, json_pack("{s:i}", "memory_mib", 256), &err), -1);
    assert_int_equal(atomic_load(&probe.calls[HOOK_RECONCILED]), 1);
    atomic_store(&probe.fails, HOOK_COUNT);

    struct vm_record vm = vm_of(world, "a");
    assert_int_equal(json_get_int(vm.spec, "vcpu", 0), 3);
    assert_int_equal(json_get_int(vm.spec, "memory_mib", 0), 128);
    assert_int_equal(json_get_int(vm.spec, "disk_mib", 0), 64);
    vm_record_free(&vm);
    vm_delete(world, "a");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(test_life),
        TEST(test_a_vm_that_never_ran),
        TEST(test_ignored_requests),
        TEST(test_a_request_has_its_time_however_short_the_stop),
        TEST(test_kill_and_restart),
        TEST(test_failure_in_each_hook),
        TEST(test_launch_is_refused),
        TEST(test_cleanup_fails),
        TEST(test_image_row_vanished),
        TEST(test_cancelled_after_each_stage),
        TEST(test_first_come_first_served),
        TEST(test_prune),
        TEST(test_set),
    };
    return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
