/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real engine in a folder of its own: real store, journal, loop and plugins (copy, user), the
 * stub VMM of tests/fixtures/stub-vmm in place of a machine, and `probe`, a capability that counts
 * its hooks and fails, blocks or keeps what it holds when it is told to.
 *
 * What is asserted is asserted on the test's own thread; what waits, waits for an event of the
 * engine.
 */
#ifndef TESTS_LIFECYCLE_FIXTURE_H
#define TESTS_LIFECYCLE_FIXTURE_H

#include "base/cleanup.h"
#include "base/json.h"
#include "capability/helper.h"
#include "capability/loader.h"
#include "config/config.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/live.h"
#include "rpc/pool.h"
#include "store/image_table.h"
#include "store/journal.h"
#include "store/oplog.h"
#include "store/vm_table.h"
#include "temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 30 /* an event that has not come by then never will */
#define DISK_BYTES (64 << 20)

/* -- The probe ---------------------------------------------------------------------------------- */

static struct probe {
    atomic_int calls[HOOK_COUNT];
    atomic_int fails;      /* the hook that fails; HOOK_COUNT: none */
    atomic_int code;       /* with which */
    atomic_int blocks;     /* the hook that waits for probe_let_go; HOOK_COUNT: none */
    atomic_bool keeps;     /* cleanup does not give back what prepare took */
    const char *only;      /* the VM that blocks; NULL: any */
    pthread_mutex_t mutex; /* guards the next two */
    pthread_cond_t changed;
    bool blocked;
    bool let_go;
} probe = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static inline void probe_wait(const bool *flag)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    int waited = 0;
    (void)pthread_mutex_lock(&probe.mutex);
    while (!*flag && waited == 0) {
        waited = pthread_cond_timedwait(&probe.changed, &probe.mutex, &until);
    }
    (void)pthread_mutex_unlock(&probe.mutex);
}

static inline void probe_set(bool *flag)
{
    (void)pthread_mutex_lock(&probe.mutex);
    *flag = true;
    (void)pthread_cond_broadcast(&probe.changed);
    (void)pthread_mutex_unlock(&probe.mutex);
}

static inline void probe_reset(void)
{
    for (int i = 0; i < HOOK_COUNT; i++) {
        atomic_store(&probe.calls[i], 0);
    }
    atomic_store(&probe.fails, HOOK_COUNT);
    atomic_store(&probe.code, BANGER_EIO);
    atomic_store(&probe.blocks, HOOK_COUNT);
    atomic_store(&probe.keeps, false);
    probe.only = NULL;
    probe.blocked = false;
    probe.let_go = false;
}

static inline int probe_hook(enum hook hook, const struct banger_host *host,
                             struct banger_call *call)
{
    atomic_fetch_add(&probe.calls[hook], 1);
    if (atomic_load(&probe.blocks) == (int)hook &&
        (probe.only == NULL || strcmp(host->get_string(call, "vm.name", ""), probe.only) == 0)) {
        probe_set(&probe.blocked);
        probe_wait(&probe.let_go);
    }
    if (atomic_load(&probe.fails) == (int)hook) {
        /* In parentheses: cmocka has a macro of that name. */
        return (host->fail)(call, atomic_load(&probe.code), "the probe fails in %s, as told",
                            hook_name(hook));
    }
    return 0;
}

static int probe_check(const struct banger_host *host, struct banger_call *call)
{
    return probe_hook(HOOK_CHECK, host, call);
}

static int probe_prepare(const struct banger_host *host, struct banger_call *call)
{
    int64_t row = host->resource_intend(call, "thing", "a thing", "{}");
    return row > 0 && host->resource_held(call, row, NULL) == 0
               ? probe_hook(HOOK_PREPARE, host, call)
               : -1;
}

static int probe_contribute(const struct banger_host *host, struct banger_call *call)
{
    return probe_hook(HOOK_CONTRIBUTE, host, call);
}

static int probe_post_start(const struct banger_host *host, struct banger_call *call)
{
    return probe_hook(HOOK_POST_START, host, call);
}

static int probe_cleanup(const struct banger_host *host, struct banger_call *call)
{
    if (probe_hook(HOOK_CLEANUP, host, call) < 0) {
        return -1;
    }
    const char *text = host->get_json(call, "resources");
    AUTO_JSON json_t *rows = json_loads(text != NULL ? text : "[]", 0, NULL);
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach (rows, i, row) {
        if (!atomic_load(&probe.keeps) &&
            host->resource_gone(call, json_get_int(row, "id", 0)) < 0) {
            return -1;
        }
    }
    return 0;
}

static int probe_configure(const struct banger_host *host, struct banger_call *call)
{
    return probe_hook(HOOK_CONFIGURE, host, call);
}

static int probe_deleted(const struct banger_host *host, struct banger_call *call)
{
    return probe_hook(HOOK_DELETED, host, call);
}

static int probe_reconciled(const struct banger_host *host, struct banger_call *call)
{
    return probe_hook(HOOK_RECONCILED, host, call);
}

static const struct banger_hooks probe_hooks = {
    .size = sizeof(probe_hooks),
    .check = probe_check,
    .prepare = probe_prepare,
    .contributeMachineConfig = probe_contribute,
    .postStart = probe_post_start,
    .cleanup = probe_cleanup,
    .configure = probe_configure,
    .deleted = probe_deleted,
    .reconciled = probe_reconciled,
};

static const struct banger_plugin probe_plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "probe",
    .version = "1",
    .summary = "counts its hooks",
    .license = "LGPL-2.1-or-later",
    .hooks = &probe_hooks,
};

/* -- The world ---------------------------------------------------------------------------------- */

struct world {
    struct temp_dir dir;
    struct layout layout;
    json_t *config;
    struct registry *registry;
    struct store *store;
    struct loop *loop;
    pthread_t loop_thread;
    struct pool *pool; /* NULL while the engine is being closed */
    struct engine engine;
    pthread_mutex_t mutex;
    pthread_cond_t event; /* the engine has told of one */
};

static inline char *world_dir(const struct world *world, const char *name)
{
    char *path = xstrdup(temp_dir_at(&world->dir, name));
    assert_int_equal(mkdir(path, 0700), 0);
    return path;
}

static inline void load_plugin(struct world *world, const char *name)
{
    AUTO_FREE char *path = str_format("%s/%s.so", getenv("BANGER_BUILD"), name);
    banger_error err = BANGER_ERROR_INIT;
    const struct loader loader = {.registry = world->registry, .bundled = true};
    if (loader_load_file(&loader, path, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static inline void load_plugins(struct world *world)
{
    banger_error err = BANGER_ERROR_INIT;
    world->registry = registry_new();
    load_plugin(world, "tests/stub/stub");
    load_plugin(world, "plugins/copy");
    load_plugin(world, "plugins/user-network");
    if (registry_add(world->registry, &probe_plugin, "built-in", NULL, &err) < 0 ||
        registry_resolve(world->registry, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

/* An image that is one hole, and a kernel that no machine will run. */
static inline void fill_store(struct world *world)
{
    temp_dir_write(&world->dir, "disk", "");
    assert_int_equal(truncate(temp_dir_at(&world->dir, "disk"), DISK_BYTES), 0);
    temp_dir_write(&world->dir, "vmlinux", "kernel");
    temp_dir_write(&world->dir, "initramfs", "initramfs");
    AUTO_FREE char *disk = xstrdup(temp_dir_at(&world->dir, "disk"));
    AUTO_FREE char *vmlinux = xstrdup(temp_dir_at(&world->dir, "vmlinux"));
    AUTO_FREE char *initramfs = xstrdup(temp_dir_at(&world->dir, "initramfs"));
    char text[] = "test";
    struct image_record image = {
        .name = "tiny", .path = disk, .size_bytes = DISK_BYTES, .origin = text};
    struct kernel_record kernel = {
        .name = "cloud", .path = vmlinux, .initramfs = initramfs, .version = text, .origin = text};
    id_new(image.id);
    id_new(kernel.id);
    assert_int_equal(image_insert(world->store, &image, NULL), 0);
    assert_int_equal(kernel_insert(world->store, &kernel, NULL), 0);
}

static void world_defer(void *context, void (*fn)(void *context), void *argument)
{
    struct world *world = context;
    if (world->pool != NULL) {
        pool_submit(world->pool, fn, argument);
    } else {
        fn(argument);
    }
}

static void world_announce(void *context)
{
    struct world *world = context;
    (void)pthread_mutex_lock(&world->mutex);
    (void)pthread_cond_broadcast(&world->event);
    (void)pthread_mutex_unlock(&world->mutex);
}

static void *world_loop(void *context)
{
    (void)loop_run(context, NULL);
    return NULL;
}

static void stop_loop(void *context)
{
    loop_stop(context);
}

/* As a daemon that comes up. */
static inline void world_start(struct world *world)
{
    AUTO_FREE char *path = layout_database(&world->layout);
    world->store = store_open(path, NULL);
    world->loop = loop_new(NULL);
    world->pool = pool_new(16, 1000);
    assert_non_null(world->store);
    world->engine = (struct engine){
        .layout = &world->layout,
        .store = world->store,
        .registry = world->registry,
        .loop = world->loop,
        .config = world->config,
        .defer = world_defer,
        .announce = world_announce,
        .context = world,
    };
    engine_init(&world->engine);
    assert_int_equal(pthread_create(&world->loop_thread, NULL, world_loop, world->loop), 0);
}

static inline void drain_loop(struct loop *loop)
{
    loop_post(loop, stop_loop, loop);
    (void)loop_run(loop, NULL);
}

/* As a daemon that ends: VMs run on. */
static inline void world_stop(struct world *world)
{
    loop_post(world->loop, stop_loop, world->loop);
    (void)pthread_join(world->loop_thread, NULL);
    pool_free(STEAL(world->pool));
    drain_loop(world->loop);
    engine_free(&world->engine);
    drain_loop(world->loop);
    loop_free(world->loop);
    store_close(world->store);
}

static inline int world_open(void **state)
{
    struct world *world = xcalloc(1, sizeof(*world));
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)pthread_cond_init(&world->event, NULL);
    temp_dir_make(&world->dir);
    world->layout = (struct layout){.config_dir = world_dir(world, "config"),
                                    .state_dir = world_dir(world, "state"),
                                    .run_dir = world_dir(world, "run"),
                                    .cache_dir = world_dir(world, "cache")};
    banger_error err = BANGER_ERROR_INIT;
    world->config = config_load(temp_dir_at(&world->dir, "config/config.lua"), &err);
    if (world->config == NULL) {
        fail_msg("%s", err.message);
    }
    json_put(world->config, "stop_timeout", json_integer(300));
    json_put(world->config, "term_timeout", json_integer(300));
    load_plugins(world);
    world_start(world);
    fill_store(world);
    probe_reset();
    *state = world;
    return 0;
}

static inline int world_close(void **state)
{
    struct world *world = *state;
    world_stop(world);
    registry_free(world->registry);
    json_decref(world->config);
    layout_free(&world->layout);
    temp_dir_remove(&world->dir);
    (void)pthread_cond_destroy(&world->event);
    (void)pthread_mutex_destroy(&world->mutex);
    free(world);
    helper_drain();
    return 0;
}

/* -- What tests ask ----------------------------------------------------------------------------- */

/* Parameters of a VM of that name whose stub behaves so. */
static inline json_t *vm_params(const char *name, const char *behaviour)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:{s:s}}", "name", name,
                     "image", "tiny", "kernel", "cloud", "vcpu", 1, "memory_mib", 64, "disk_mib",
                     64, "vmm", "stub", "rootfs", "copy", "network", "user", "labels", "stub",
                     behaviour);
}

static inline void vm_create(struct world *world, const char *name, const char *behaviour)
{
    AUTO_JSON json_t *params = vm_params(name, behaviour);
    AUTO_JSON json_t *vm = NULL;
    banger_error err = BANGER_ERROR_INIT;
    if (lifecycle_create(&world->engine, &caller_nobody, params, &vm, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(json_get_string(vm, "state", ""), "created");
}

static inline void vm_start(struct world *world, const char *name)
{
    banger_error err = BANGER_ERROR_INIT;
    if (lifecycle_start(&world->engine, &caller_nobody, name, NULL, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static inline void vm_delete(struct world *world, const char *name)
{
    banger_error err = BANGER_ERROR_INIT;
    if (lifecycle_delete(&world->engine, &caller_nobody, name, NULL, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

/* The record's contents are the caller's. */
static inline struct vm_record vm_of(struct world *world, const char *name)
{
    struct vm_record vm = {0};
    banger_error err = BANGER_ERROR_INIT;
    if (vm_find(world->store, name, &vm, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return vm;
}

static inline void assert_state(struct world *world, const char *name, const char *state,
                                const char *last_error)
{
    struct vm_record vm = vm_of(world, name);
    assert_string_equal(vm_state_name(vm.state), state);
    if (last_error == NULL) {
        assert_null(vm.last_error);
    } else if (vm.last_error == NULL || strstr(vm.last_error, last_error) == NULL) {
        fail_msg("last_error is '%s', without '%s'", str_or(vm.last_error, "NULL"), last_error);
    }
    vm_record_free(&vm);
}

static inline pid_t vmm_pid(struct world *world, const char *name)
{
    struct vm_record vm = vm_of(world, name);
    struct process_id process = {0};
    assert_int_equal(live_process(&world->engine, vm.id, &process, NULL, NULL), 0);
    vm_record_free(&vm);
    return process.pid;
}

static inline bool pid_is_gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

static inline size_t count_rows(struct world *world)
{
    struct resource_list rows = {0};
    assert_int_equal(journal_list_all(world->store, &rows, NULL), 0);
    size_t count = rows.count;
    resource_list_free(&rows);
    return count;
}

static inline size_t count_entries(const struct world *world, const char *folder)
{
    AUTO_CLOSEDIR DIR *dir = opendir(temp_dir_at(&world->dir, folder));
    size_t count = 0;
    for (struct dirent *entry = NULL; dir != NULL && (entry = readdir(dir)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    return count;
}

/* Nothing is held for any VM; their records and disks may be there. */
static inline void assert_nothing_held(struct world *world)
{
    assert_int_equal(count_rows(world), 0);
    assert_int_equal(count_entries(world, "run/vms"), 0);
}

static inline void assert_nothing_left(struct world *world)
{
    struct vm_list list = {0};
    assert_nothing_held(world);
    assert_int_equal(vm_list_all(world->store, &list, NULL), 0);
    assert_int_equal(list.count, 0);
    vm_list_free(&list);
    assert_int_equal(count_entries(world, "state/vms"), 0);
}

/* How many operations of that kind the log has; each has ended. */
static inline size_t count_operations(struct world *world, const char *kind)
{
    AUTO_JSON json_t *all = oplog_list(world->store, NULL, 1000, NULL);
    size_t count = 0;
    size_t i = 0;
    json_t *operation = NULL;
    json_array_foreach (all, i, operation) {
        assert_string_not_equal(json_get_string(operation, "outcome", ""), "running");
        count += strcmp(json_get_string(operation, "kind", ""), kind) == 0;
    }
    return count;
}

/* Of the VM of that name; NULL: of any. */
static inline bool has_event(struct world *world, const char *type, const char *name)
{
    AUTO_JSON json_t *events = event_list(world->store, 0, 10000, NULL);
    size_t i = 0;
    json_t *event = NULL;
    json_array_foreach (events, i, event) {
        if (strcmp(json_get_string(event, "type", ""), type) == 0 &&
            (name == NULL || strcmp(json_get_string(event, "name", ""), name) == 0)) {
            return true;
        }
    }
    return false;
}

/* Past ones count: a test in which more than one VM has such an event names the VM. */
static inline void await_event_of(struct world *world, const char *type, const char *name)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    int waited = 0;
    (void)pthread_mutex_lock(&world->mutex);
    while (!has_event(world, type, name) && waited == 0) {
        waited = pthread_cond_timedwait(&world->event, &world->mutex, &until);
    }
    (void)pthread_mutex_unlock(&world->mutex);
    assert_int_equal(waited, 0);
}

static inline void await_event(struct world *world, const char *type)
{
    await_event_of(world, type, NULL);
}

#endif
