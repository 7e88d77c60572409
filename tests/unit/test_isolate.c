/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plugins in processes of their own, through the real loader, registry and dispatch: what the plugins of
 * tests/fixtures/hostile do to their process, and what is left of that here. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "capability/dispatch.h"
#include "capability/helper.h"
#include "capability/loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_LIMITED 0 /* a sanitizer needs terabytes of address space */
#else
#define MEMORY_IS_LIMITED 1
#endif

#define PATIENCE_MS 30000 /* what has not come by then never will */

/* -- The world ----------------------------------------------------------------------------------- */

static atomic_int calm_runs; /* of the hooks of a capability in our own process */

static int calm(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    atomic_fetch_add(&calm_runs, 1);
    return 0;
}

static const struct banger_hooks calm_hooks = {
    .size = sizeof(calm_hooks), .prepare = calm, .cleanup = calm};
static const char *const calm_after[] = {"hostile?", "throws?", NULL};
static const struct banger_plugin calm_plugin = {BANGER_PLUGIN_HEADER, .name = "calm",
                                                 .after = calm_after, .hooks = &calm_hooks};

struct world {
    struct registry *registry;
    struct capability *hostile;
};

static char *built(const char *name)
{
    AUTO_FREE char *path = str_format("%s/%s", str_or(getenv("BANGER_BUILD"), "build"), name);
    char *found = realpath(path, NULL);
    if (found == NULL) {
        fail_msg("there is no %s", path);
    }
    return found;
}

static int load_from(struct registry *registry, const char *name, const char *policies_text,
                     banger_error *err)
{
    AUTO_FREE char *file = str_format("tests/hostile/%s.so", name);
    AUTO_FREE char *path = built(file);
    AUTO_FREE char *program = built("bin/banger-plugin");
    AUTO_JSON json_t *policies = json_loads(policies_text, 0, NULL);
    assert_non_null(policies);
    const struct loader loader = {registry, policies, program, .bundled = false};
    return loader_load_file(&loader, path, err);
}

static void load(struct world *world, const char *name, const char *policies)
{
    banger_error err = BANGER_ERROR_INIT;
    if (load_from(world->registry, name, policies, &err) < 0 ||
        registry_resolve(world->registry, &err) < 0) {
        fail_msg("%s", err.message);
    }
    world->hostile = registry_find(world->registry, name);
    assert_non_null(world->hostile);
    assert_non_null(world->hostile->isolate);
}

static int descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count++;
    }
    (void)closedir(dir);
    return count;
}

static int descriptors_before;

static int make_world(void **state)
{
    descriptors_before = descriptors();
    struct world *world = xcalloc(1, sizeof(*world));
    atomic_store(&calm_runs, 0);
    world->registry = registry_new();
    if (registry_add(world->registry, &calm_plugin, "built-in", NULL, NULL) < 0) {
        return -1;
    }
    *state = world;
    return 0;
}

static bool has_children(void)
{
    siginfo_t info = {0};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* Nothing is left, whatever the test did: no process, no descriptor. The last helper may have it a moment
 * longer than the registry. */
static int end_world(void **state)
{
    struct world *world = *state;
    registry_free(world->registry);
    free(world);
    deadline until = deadline_in(PATIENCE_MS);
    while (has_children() || descriptors() != descriptors_before) {
        if (deadline_left_ms(until) == 0) {
            print_error("children: %d; %d descriptors, where there were %d\n", has_children(),
                        descriptors(), descriptors_before);
            return -1;
        }
        (void)sched_yield();
    }
    return 0;
}

/* -- Operations ---------------------------------------------------------------------------------- */

static char warnings[512];
static atomic_int waiting; /* hooks that have said so */

static void on_warn(void *context, const char *text)
{
    (void)context;
    (void)snprintf(warnings, sizeof(warnings), "%s", text);
}

static void on_progress(void *context, const char *capability, const char *text)
{
    (void)context;
    (void)capability;
    (void)text;
    atomic_fetch_add(&waiting, 1);
}

static const struct scope_services services = {.warn = on_warn, .progress = on_progress};

static struct scope *scope_of(const struct world *world, const char *act, const char *place,
                              const char *file)
{
    AUTO_JSON json_t *input = json_pack("{s:{s:s, s:{s:s, s:s, s:s}}}", "vm", "name", "web",
                                        "labels", "act", act, "in", place, "file", file);
    const struct scope_init init = {
        .registry = world->registry, .input = input, .services = &services};
    return scope_new(&init);
}

static int act_in(const struct world *world, enum hook hook, const char *act, banger_error *err)
{
    struct scope *scope = scope_of(world, act, hook_name(hook), "");
    (void)scope_compose(scope);
    int result = dispatch_hook(scope, hook, err);
    scope_unref(scope);
    return result;
}

static uint64_t ended_badly(const struct world *world)
{
    return isolate_count(world->hostile->isolate).ended_badly;
}

static void succeeds(const struct world *world, const char *act)
{
    banger_error err = BANGER_ERROR_INIT;
    if (act_in(world, HOOK_PREPARE, act, &err) < 0) {
        fail_msg("'%s': %s", act, err.message);
    }
}

/* Ended for being late, its call may still be later than dispatch grants it; but it returns. */
static void await_free(const struct capability *capability)
{
    deadline until = deadline_in(PATIENCE_MS);
    while (atomic_load(&capability->standing->stuck) != 0) {
        assert_true(deadline_left_ms(until) > 0);
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void fails(const struct world *world, enum hook hook, const char *act, enum banger_code code,
                  const char *why)
{
    banger_error err = BANGER_ERROR_INIT;
    int result = act_in(world, hook, act, &err);
    if (result == 0 || err.code != code || strstr(err.message, why) == NULL) {
        fail_msg("'%s': got '%s' (%d), expected '%s'", act, err.message, err.code, why);
    }
    await_free(world->hostile);
}

/* -- What a hook can do --------------------------------------------------------------------------- */

#define SLOW "{\"hostile\":{\"timeout\":\"20s\"}}"
#define FAST "{\"hostile\":{\"timeout\":\"300ms\"}}"

/* The process is gone with the hook, and the next call has another. */
static void what_ends_the_process_fails_the_hook(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *act;
        const char *why;
    } rows[] = {
        {"segfault", "its process was ended by signal 11 (SIGSEGV)"},
        {"exit", "its process ended itself with status 3"},
        {"abort", "its process was ended by signal 6 (SIGABRT)"},
        {"end-thread", "its process ended itself with status "}, /* 0; ASan has its own word */
        {"close-all", "its process ended itself with status 0"},
        {"garbage", "its process broke the protocol, and was ended"},
        {"no-json", "its process broke the protocol, and was ended"},
        {"deep", "its process broke the protocol, and was ended"},
        {"no-request", "its process sent what is no request ('format_disk')"},
        {"wrong-arguments", "its process sent what is no request ('get_json')"},
    };
    load(world, "hostile", SLOW);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fails(world, HOOK_PREPARE, rows[i].act, BANGER_EINTERNAL, rows[i].why);
        assert_int_equal(ended_badly(world), i + 1);
        assert_int_equal(atomic_load(&calm_runs), (int)i); /* the failure ended the dispatch */
        succeeds(world, "");
    }
}

/* Whatever the capability's own deadline: another process may take its time to start. */
static void succeeds_in_time(const struct world *world)
{
    struct scope *scope = scope_of(world, "", "prepare", "");
    banger_hook prepare = hook_of(world->hostile->plugin, HOOK_PREPARE);
    banger_error err = BANGER_ERROR_INIT;
    if (dispatch_provider(scope, world->hostile, "prepare", prepare, PATIENCE_MS, &err) < 0) {
        fail_msg("%s", err.message);
    }
    scope_unref(scope);
}

static void what_does_not_end_is_ended(void **state)
{
    struct world *world = *state;
    static const char *const acts[] = {"loop", "stop", "deaf-loop", "fork-bomb", "thread-bomb"};
    load(world, "hostile", FAST);
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        if (strcmp(acts[i], "thread-bomb") == 0 && !MEMORY_IS_LIMITED) {
            continue; /* nothing but memory limits threads */
        }
        fails(world, HOOK_PREPARE, acts[i], BANGER_ETIMEDOUT, "prepare");
        assert_int_equal(ended_badly(world), i + 1);
        succeeds_in_time(world);
    }
}

static void what_is_not_allowed_is_refused(void **state)
{
    struct world *world = *state;
    static const char *const acts[] = {"fork", "exec", "kill-daemon"};
    load(world, "hostile", SLOW);
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        fails(world, HOOK_PREPARE, acts[i], BANGER_EIO, ": Operation not permitted");
    }
    assert_int_equal(ended_badly(world), 0);
}

static void what_hurts_nobody_is_none_of_our_business(void **state)
{
    struct world *world = *state;
    static const char *const acts[] = {"print",         "flood",   "close-stdio",
                                       "block-signals", "signals", "leak-descriptors"};
    load(world, "hostile", SLOW);
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        succeeds(world, acts[i]);
        succeeds(world, acts[i]); /* the same process, or one in place of a tired one */
    }
    assert_int_equal(ended_badly(world), 0);
    assert_true(isolate_count(world->hostile->isolate).processes <= 1);
    assert_int_equal(atomic_load(&calm_runs), 2 * COUNT_OF(acts));
}

static void memory_is_limited(void **state)
{
    struct world *world = *state;
    if (!MEMORY_IS_LIMITED) {
        print_message("a sanitizer's shadow memory knows no limit\n");
        skip();
    }
    load(world, "hostile", SLOW);
    fails(world, HOOK_PREPARE, "big-allocation", BANGER_EINTERNAL, "(SIGSEGV)");
    fails(world, HOOK_PREPARE, "leak-memory", BANGER_EINTERNAL,
          "(SIGABRT) (it printed: no memory is left)");
    succeeds(world, "");
}

static void memory_limit_is_the_sites(void **state)
{
    struct world *world = *state;
    load(world, "hostile", "{\"hostile\":{\"timeout\":\"60s\",\"process_memory\":\"2G\"}}");
    succeeds(world, "big-allocation");
}

static void exceptions_say_their_words(void **state)
{
    struct world *world = *state;
    load(world, "throws", "{\"throws\":{\"timeout\":\"20s\"}}");
    fails(world, HOOK_PREPARE, "throw", BANGER_EINTERNAL, "the vendor's own words");
    succeeds(world, "");
}

static void another_thread_has_no_host(void **state)
{
    struct world *world = *state;
    load(world, "hostile", SLOW);
    struct scope *scope = scope_of(world, "stray-thread", "prepare", "");
    assert_int_equal(dispatch_hook(scope, HOOK_PREPARE, NULL), 0);
    AUTO_JSON json_t *runtime = scope_runtime(scope);
    assert_null(json_at(runtime, "hostile.stray"));
    scope_unref(scope);
}

/* -- Where it can do it --------------------------------------------------------------------------- */

static void every_hook_can_crash(void **state)
{
    struct world *world = *state;
    load(world, "hostile", SLOW);
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        AUTO_FREE char *why = str_format("capability 'hostile': %s: its process was ended",
                                         hook_name((enum hook)hook));
        fails(world, (enum hook)hook, "segfault", BANGER_EINTERNAL, why);
        assert_int_equal(ended_badly(world), hook + 1);
    }
    assert_int_equal(atomic_load(&calm_runs),
                     1); /* a cleanup runs all: the calm one's came first */
}

static void every_function_of_a_provider_can_crash(void **state)
{
    struct world *world = *state;
    load(world, "hostile", SLOW);
    const struct banger_network *network = world->hostile->plugin->network;
    assert_int_equal(network->rank, -1);
    assert_null(network->ensure);
    const struct {
        const char *name;
        banger_hook function;
    } rows[] = {{"check", network->check},
                {"acquire", network->acquire},
                {"contribute", network->contribute},
                {"cleanup", network->cleanup}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *place = str_format("network.%s", rows[i].name);
        struct scope *scope = scope_of(world, "segfault", place, "");
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(
            dispatch_provider(scope, world->hostile, rows[i].name, rows[i].function, 0, &err), -1);
        assert_non_null(strstr(err.message, "SIGSEGV"));
        scope_unref(scope);
    }
    assert_int_equal(ended_badly(world), COUNT_OF(rows));
}

static void policy_can_let_it_pass(void **state)
{
    struct world *world = *state;
    load(world, "hostile", "{\"hostile\":{\"on_error\":\"warn\",\"timeout\":\"20s\"}}");
    succeeds(world, "segfault");
    assert_non_null(strstr(warnings, "capability 'hostile': prepare: its process was ended by"));
    assert_int_equal(atomic_load(&calm_runs), 1);
}

/* It is there, as a broken one. */
static void loads_broken(const struct world *world, const char *name, const char *policies,
                         const char *called, const char *why)
{
    banger_error err = BANGER_ERROR_INIT;
    if (load_from(world->registry, name, policies, &err) < 0) {
        fail_msg("%s", err.message);
    }
    const struct capability *capability = registry_find(world->registry, called);
    assert_non_null(capability);
    assert_non_null(capability->broken);
    if (strstr(capability->broken->message, why) == NULL) {
        fail_msg("got '%s', expected '%s'", capability->broken->message, why);
    }
}

static void start_can_refuse(void **state)
{
    const struct world *world = *state;
    loads_broken(world, "hostile", "{\"hostile\":{\"start\":\"kill-daemon\"}}", "hostile",
                 "start: kill: Operation not permitted");
    loads_broken(world, "hostile", "{\"hostile\":{\"start\":\"segfault\"}}", "hostile-2",
                 "a capability named 'hostile' is loaded already");
}

static void start_can_crash(void **state)
{
    const struct world *world = *state;
    loads_broken(world, "hostile", "{\"hostile\":{\"start\":\"segfault\"}}", "hostile",
                 "start: its process was ended by signal 11");
    struct scope *scope = scope_of(world, "", "", "");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_hook(scope, HOOK_CHECK, &err), -1);
    assert_non_null(strstr(err.message, "capability 'hostile' is broken: plugin /"));
    assert_int_equal(dispatch_hook(scope, HOOK_PREPARE, &err), 0);
    scope_unref(scope);
}

static void stop_can_crash(void **state)
{
    struct world *world = *state;
    load(world, "hostile", "{\"hostile\":{\"stop\":\"segfault\"}}");
    succeeds(world, "");
}

static void loading_can_end_badly(void **state)
{
    const struct world *world = *state;
    loads_broken(world, "constructor", "{}", "constructor",
                 "it cannot be loaded: its process was ended by signal 6 (SIGABRT)");
    loads_broken(world, "wild_descriptor", "{}", "wild-descriptor",
                 "it cannot be loaded: its process was ended by signal 11 (SIGSEGV)");
}

static void loading_ends_in_time(void **state)
{
    (void)state;
    AUTO_FREE char *path = built("tests/hostile/endless.so");
    AUTO_FREE char *program = built("bin/banger-plugin");
    const struct isolate_limits limits = {.program = program, .load_ms = 300};
    banger_error err = BANGER_ERROR_INIT;
    assert_null(isolate_open(path, &limits, &err));
    assert_string_equal(err.message,
                        "it cannot be loaded: it did not finish in time, and was ended");
    assert_int_equal(err.code, BANGER_ETIMEDOUT);
}

static void program_must_be_there(void **state)
{
    (void)state;
    AUTO_FREE char *path = built("tests/hostile/throws.so");
    const struct isolate_limits limits = {.program = "/nonexistent/banger-plugin"};
    banger_error err = BANGER_ERROR_INIT;
    assert_null(isolate_open(path, &limits, &err));
    assert_non_null(strstr(err.message, "/nonexistent/banger-plugin: cannot execute"));
}

/* -- At the same time ------------------------------------------------------------------------------ */

struct waiter {
    const struct world *world;
    const char *file;
    _Atomic int *left;
};

static void wait_for_file(void *context)
{
    struct waiter *waiter = context;
    struct scope *scope = scope_of(waiter->world, "wait", "prepare", waiter->file);
    banger_error err = BANGER_ERROR_INIT;
    if (dispatch_hook(scope, HOOK_PREPARE, &err) < 0) {
        print_error("%s\n", err.message);
        abort();
    }
    scope_unref(scope);
    atomic_fetch_sub(waiter->left, 1);
}

static void *waiter_main(void *context)
{
    wait_for_file(context);
    return NULL;
}

/* More at once than are kept idle: none waits for another, and what is too much ends afterwards. */
static void hooks_of_several_vms_run_at_once(void **state)
{
    struct world *world = *state;
    char file[] = "/tmp/banger-isolate-XXXXXX";
    int fd = mkstemp(file);
    assert_true(fd >= 0 && close(fd) == 0 && unlink(file) == 0);
    load(world, "hostile", "{\"hostile\":{\"timeout\":\"120s\"}}");
    enum { COUNT = 7 };
    _Atomic int left = COUNT;
    struct waiter waiter = {world, file, &left};
    pthread_t threads[COUNT];
    atomic_store(&waiting, 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, waiter_main, &waiter), 0);
    }
    while (atomic_load(&waiting) < COUNT) {
        (void)sched_yield();
    }
    assert_int_equal(isolate_count(world->hostile->isolate).processes, COUNT);
    succeeds(world, ""); /* passes all of them by */
    assert_int_equal(atomic_load(&left), COUNT);
    fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && close(fd) == 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    (void)unlink(file);
    assert_true(isolate_count(world->hostile->isolate).processes <= 4);
    assert_int_equal(ended_badly(world), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_ends_the_process_fails_the_hook),
        TEST(what_does_not_end_is_ended),
        TEST(what_is_not_allowed_is_refused),
        TEST(what_hurts_nobody_is_none_of_our_business),
        TEST(memory_is_limited),
        TEST(memory_limit_is_the_sites),
        TEST(exceptions_say_their_words),
        TEST(another_thread_has_no_host),
        TEST(every_hook_can_crash),
        TEST(every_function_of_a_provider_can_crash),
        TEST(policy_can_let_it_pass),
        TEST(start_can_refuse),
        TEST(start_can_crash),
        TEST(stop_can_crash),
        TEST(loading_can_end_badly),
        TEST(loading_ends_in_time),
        TEST(program_must_be_there),
        TEST(hooks_of_several_vms_run_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
