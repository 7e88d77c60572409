/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Health, with a rootfs provider that answers as it is told. */
#include "lifecycle_fixture.h"

#include "lifecycle/key_lock.h"
#include "lifecycle/rounds.h"

static struct {
    atomic_int asked;
    atomic_int code;  /* what it fails with; 0: it is well */
    atomic_bool late; /* answers when the test lets go */
    atomic_bool keeps;
    char seen[32]; /* what it kept in the round before */
} doctor;

static int path_of_disk(const struct banger_host *host, struct banger_call *call, char *path)
{
    (void)snprintf(path, PATH_MAX, "%s/rootfs.img", host->get_string(call, "vm.dir", "?"));
    return 0;
}

static int sick_check(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    return 0;
}

static int sick_contribute(const struct banger_host *host, struct banger_call *call)
{
    char path[PATH_MAX];
    (void)path_of_disk(host, call, path);
    AUTO_FREE char *drive =
        str_format("[{\"id\":\"rootfs\",\"path\":\"%s\",\"root\":true,\"format\":\"raw\"}]", path);
    return host->contribute(call, "drives", drive);
}

static int sick_health(const struct banger_host *host, struct banger_call *call)
{
    atomic_fetch_add(&doctor.asked, 1);
    (void)snprintf(doctor.seen, sizeof(doctor.seen), "%s",
                   host->get_string(call, "runtime.sick.note", ""));
    if (atomic_load(&doctor.keeps)) {
        (void)host->set_json(call, "note", "\"warned\"");
    }
    if (atomic_load(&doctor.late)) {
        probe_wait(&probe.let_go);
    }
    if (atomic_load(&doctor.code) != 0) {
        host->hint(call, "make it larger");
        return (host->fail)(call, atomic_load(&doctor.code), "its disk is full");
    }
    return 0;
}

static const char *const needs[] = {"drive:file", NULL};

static const struct banger_rootfs sick_rootfs = {
    .size = sizeof(sick_rootfs),
    .needs = needs,
    .check = sick_check,
    .create = sick_check,
    .contribute = sick_contribute,
    .health = sick_health,
};

static const struct banger_plugin sick_plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "sick",
    .version = "1",
    .summary = "says whether it is well",
    .license = "LGPL-2.1-or-later",
    .rootfs = &sick_rootfs,
};

static int open_world(void **state)
{
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(world_open(state), 0);
    const struct world *world = *state;
    if (registry_add(world->registry, &sick_plugin, "built-in", NULL, &err) < 0 ||
        registry_resolve(world->registry, &err) < 0) {
        fail_msg("%s", err.message);
    }
    atomic_store(&doctor.asked, 0);
    atomic_store(&doctor.code, 0);
    atomic_store(&doctor.late, false);
    atomic_store(&doctor.keeps, false);
    return 0;
}

static void start_vm(struct world *world, const char *name, const char *rootfs)
{
    AUTO_JSON json_t *params = vm_params(name, "run");
    AUTO_JSON json_t *vm = NULL;
    banger_error err = BANGER_ERROR_INIT;
    json_put(params, "rootfs", json_string(rootfs));
    if (lifecycle_create(&world->engine, &caller_nobody, params, &vm, &err) < 0) {
        fail_msg("%s", err.message);
    }
    vm_start(world, name);
}

/* A round in which the VM is asked: one at work is left out, and what a stop leaves to do (the end of its VMM is
 * noticed a second time, and is nothing) may still be on its way. */
static void ask_in_its_turn(struct world *world, const char *name)
{
    struct vm_record vm = vm_of(world, name);
    for (int before = atomic_load(&doctor.asked); atomic_load(&doctor.asked) == before;) {
        key_lock_release(key_lock_take(world->engine.locks, "vm", vm.id));
        rounds_make_one(&world->engine);
    }
    vm_record_free(&vm);
}

static void one_that_is_well_is_left_alone(void **state)
{
    struct world *world = *state;
    start_vm(world, "web", "sick");
    rounds_make_one(&world->engine);
    rounds_make_one(&world->engine);
    assert_int_equal(atomic_load(&doctor.asked), 2);
    assert_state(world, "web", "running", NULL);
    vm_delete(world, "web");
}

static void one_that_is_not_is_ended_and_says_why(void **state)
{
    struct world *world = *state;
    start_vm(world, "web", "sick");
    start_vm(world, "db", "copy");
    atomic_store(&doctor.code, BANGER_EFULL);
    rounds_make_one(&world->engine);
    assert_state(world, "web", "error", "its disk is full; make it larger");
    assert_state(world, "db", "running", NULL);
    rounds_make_one(&world->engine);                 /* it is not live any more */
    assert_int_equal(atomic_load(&doctor.asked), 2); /* once in the round, once in the operation */
    atomic_store(&doctor.code, 0);
    vm_start(world, "web");
    assert_state(world, "web", "running", NULL);
    vm_delete(world, "web");
    vm_delete(world, "db");
}

static void one_without_the_function_is_not_asked(void **state)
{
    struct world *world = *state;
    start_vm(world, "db", "copy");
    rounds_make_one(&world->engine);
    assert_int_equal(atomic_load(&doctor.asked), 0);
    vm_delete(world, "db");
}

static void one_at_work_is_left_for_the_next_round(void **state)
{
    struct world *world = *state;
    start_vm(world, "web", "sick");
    struct vm_record vm = vm_of(world, "web");
    struct key_lock *lock = key_lock_take(world->engine.locks, "vm", vm.id);
    rounds_make_one(&world->engine); /* does not wait */
    assert_int_equal(atomic_load(&doctor.asked), 0);
    key_lock_release(lock);
    rounds_make_one(&world->engine);
    assert_int_equal(atomic_load(&doctor.asked), 1);
    vm_record_free(&vm);
    vm_delete(world, "web");
}

static void no_answer_is_no_reason_to_end_it(void **state)
{
    struct world *world = *state;
    start_vm(world, "web", "sick");
    atomic_store(&doctor.late, true);
    rounds_make_one(&world->engine); /* left behind */
    rounds_make_one(&world->engine); /* still in there */
    assert_int_equal(atomic_load(&doctor.asked), 1);
    assert_state(world, "web", "running", NULL);
    probe_set(&probe.let_go);
    helper_drain();
    vm_delete(world, "web");
}

static void what_it_keeps_is_there_in_the_next_round_and_gone_in_the_next_run(void **state)
{
    struct world *world = *state;
    start_vm(world, "web", "sick");
    atomic_store(&doctor.keeps, true);
    ask_in_its_turn(world, "web");
    assert_string_equal(doctor.seen, "");
    ask_in_its_turn(world, "web");
    assert_string_equal(doctor.seen, "warned");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "web", 0, NULL, &err), 0);
    vm_start(world, "web");
    ask_in_its_turn(world, "web");
    assert_string_equal(doctor.seen, "");
    vm_delete(world, "web");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, world_close)
    const struct CMUnitTest tests[] = {
        TEST(one_that_is_well_is_left_alone),
        TEST(one_that_is_not_is_ended_and_says_why),
        TEST(one_without_the_function_is_not_asked),
        TEST(one_at_work_is_left_for_the_next_round),
        TEST(no_answer_is_no_reason_to_end_it),
        TEST(what_it_keeps_is_there_in_the_next_round_and_gone_in_the_next_run),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
