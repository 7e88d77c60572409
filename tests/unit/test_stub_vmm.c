/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stub VMM is an instrument of other tests: that it misbehaves as told is tested here. */
#include "temp_dir.h"
#include <banger/test.h>

#include <dlfcn.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define ENDS_MS 10000
#define STAYS_MS 100

static const struct banger_vmm *vmm;
static struct temp_dir dir;
static struct fake_host *fake;

static int load(void **state)
{
    const char *build = getenv("BANGER_BUILD");
    char path[PATH_MAX];
    void *handle;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/tests/stub/stub.so", build != NULL ? build : "build");
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        (void)fprintf(stderr, "%s\n", dlerror());
        return -1;
    }
    vmm = ((banger_plugin_entry)dlsym(handle, BANGER_PLUGIN_SYMBOL))()->vmm;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    fake = fake_host_new("{}");
    fake_host_set(fake, "vm.dir", json_string(dir.path));
    fake_host_set(fake, "vm.run_dir", json_string(dir.path));
    fake_host_really_spawn(fake);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_free(fake);
    temp_dir_remove(&dir);
    return 0;
}

static void launch(const char *behaviour)
{
    fake_host_set(fake, "vm.labels.stub", json_string(behaviour));
    assert_int_equal(fake_host_call(fake, vmm->launch), 0);
}

/* Whether the process ends within that time; waits for its end and for nothing else. */
static bool ends_within(int ms)
{
    struct pollfd entry = {.fd = (int)syscall(SYS_pidfd_open, fake_host_pid(fake), 0),
                           .events = POLLIN};
    int ready = poll(&entry, 1, ms);

    (void)close(entry.fd);
    return ready == 1;
}

static int exit_code(void)
{
    siginfo_t info = {0};

    assert_int_equal(waitid(P_PID, (id_t)fake_host_pid(fake), &info, WEXITED | WNOWAIT), 0);
    return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

/* Until it has opened its pipe it cannot be told anything. */
static void wait_until_it_listens(void)
{
    while (fake_host_call(fake, vmm->verify) < 0 && !ends_within(5)) {
        fake_host_clear_error(fake);
    }
    fake_host_clear_error(fake);
}

static void runs_until_stopped(void **state)
{
    (void)state;
    launch("run");
    wait_until_it_listens();
    assert_int_equal(fake_host_call(fake, vmm->verify), 0);
    assert_int_equal(fake_host_call(fake, vmm->request_stop), 0);
    assert_true(ends_within(ENDS_MS));
    assert_int_equal(exit_code(), 0);
    assert_int_equal(fake_host_call(fake, vmm->verify), -1);
    assert_int_equal(fake_host_call(fake, vmm->cleanup), 0);
    assert_false(temp_dir_has(&dir, "stub.fifo"));
    assert_int_equal(fake_host_call(fake, vmm->cleanup), 0);
    assert_null(fake_host_stored(fake, "agent"));
}

static void ignores_the_power_button(void **state)
{
    (void)state;
    launch("ignore-stop");
    wait_until_it_listens();
    assert_int_equal(fake_host_call(fake, vmm->request_stop), 0);
    assert_false(ends_within(STAYS_MS));
    assert_int_equal(kill(fake_host_pid(fake), SIGTERM), 0);
    assert_true(ends_within(ENDS_MS));
    assert_int_equal(exit_code(), -SIGTERM);
}

static void ignores_term(void **state)
{
    (void)state;
    launch("ignore-term");
    wait_until_it_listens();
    assert_int_equal(kill(fake_host_pid(fake), SIGTERM), 0);
    assert_false(ends_within(STAYS_MS));
    assert_int_equal(kill(fake_host_pid(fake), SIGKILL), 0);
    assert_true(ends_within(ENDS_MS));
}

static void exits_and_crashes(void **state)
{
    (void)state;
    launch("exit");
    assert_true(ends_within(ENDS_MS));
    assert_int_equal(exit_code(), 3);
    assert_non_null(strstr(temp_dir_read(&dir, "vmm.log"), "ending at once"));
    launch("crash");
    assert_true(ends_within(ENDS_MS));
    assert_int_equal(exit_code(), -SIGSEGV);
}

static void refuses(void **state)
{
    (void)state;
    fake_host_set(fake, "config.behave", json_string("refuse"));
    assert_int_equal(fake_host_call(fake, vmm->launch), -1);
    assert_int_equal(json_array_size(fake_host_spawns(fake)), 0);
}

static void promises_an_agent(void **state)
{
    const json_t *argv;
    const char *build = getenv("BANGER_BUILD");
    char path[PATH_MAX];
    char agent[PATH_MAX];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/bin/banger-agent", build != NULL ? build : "build");
    assert_non_null(realpath(path, agent));
    fake_host_set(fake, "config.agent", json_string(agent));
    launch("run");
    assert_true(temp_dir_has(&dir, "agent.sock")); /* there when the launch returns */
    argv = json_object_get(json_array_get(fake_host_spawns(fake), 0), "argv");
    assert_string_equal(json_string_value(json_array_get(argv, 2)), agent);
    assert_string_equal(json_string_value(json_object_get(fake_host_stored(fake, "agent"), "path")),
                        "agent.sock");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_until_stopped),
        TEST(ignores_the_power_button),
        TEST(ignores_term),
        TEST(exits_and_crashes),
        TEST(refuses),
        TEST(promises_an_agent),
    };

    return cmocka_run_group_tests_name("stub vmm", tests, load, NULL);
}
