/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The provider with a real QEMU under TCG. The "kernel" is the probe guest, which enters long mode
 * and halts: no kernel package is needed, and nothing here waits for a boot.
 */
#include "qemu.h"
#include "temp_dir.h"
#include <banger/test.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#define VM_ID "0123456789abcdef0123456789abcdef"

static struct temp_dir dir;
static struct fake_host *fake;
static bool have_qemu;

static const struct banger_vmm *vmm(void)
{
    return banger_plugin_v1()->vmm;
}

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    fake = fake_host_new("{\"vm\": {\"id\": \"" VM_ID "\", \"name\": \"web\"},"
                         " \"config\": {\"accel\": \"tcg\"},"
                         " \"machine\": {\"vcpu\": 1, \"memory_mib\": 32}}");
    fake_host_set(fake, "vm.dir", json_string(dir.path));
    fake_host_set(fake, "vm.run_dir", json_string(temp_dir_at(&dir, "run")));
    fake_host_set(fake, "machine.kernel", json_string(temp_dir_at(&dir, "kernel")));
    fake_host_set(fake, "machine.console.path", json_string(temp_dir_at(&dir, "console.log")));
    fake_host_really_spawn(fake);
    fake_host_set_deadline(fake, 60000);
    return mkdir(temp_dir_at(&dir, "run"), 0700);
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_free(fake);
    temp_dir_remove(&dir);
    return 0;
}

static void require_qemu(void)
{
    if (!have_qemu) {
        skip(); /* qemu-system-x86_64 is not installed */
    }
}

static void write_kernel(void)
{
    char image[4096];
    int from = probe_guest_open();
    int to = open(temp_dir_at(&dir, "kernel"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t length = pread(from, image, sizeof(image), 0);

    assert_true(length > 0);
    assert_int_equal(write(to, image, (size_t)length), length);
    (void)close(from);
    (void)close(to);
}

static void launch(void)
{
    require_qemu();
    write_kernel();
    if (fake_host_call(fake, vmm()->launch) != 0) {
        fail_msg("launch: %s", fake_host_error(fake));
    }
}

static void accepts_this_qemu(void **state)
{
    (void)state;
    require_qemu();
    assert_int_equal(fake_host_call(fake, vmm()->check), 0);
    assert_non_null(strstr(json_string_value(json_array_get(fake_host_log(fake), 0)), "; TCG: "));
}

static void the_probe_guest_runs(void **state)
{
    json_t *argv;
    char *text;
    const char *result = "";
    int guest = probe_guest_open();

    (void)state;
    require_qemu();
    argv = json_pack("[s,s,s,s,s,s,s,s,s,o,s,s]", "/usr/bin/qemu-system-x86_64", "-M", "microvm",
                     "-accel", "tcg", "-nodefaults", "-display", "none", "-kernel",
                     json_sprintf("/proc/%d/fd/%d", (int)getpid(), guest), "-device",
                     "isa-debug-exit,iobase=" PROBE_GUEST_PORT ",iosize=1");
    text = json_dumps(argv, 0);
    assert_int_equal(fake_host_table()->run(fake_host_handle(fake), text, &result), 0);
    assert_non_null(strstr(result, "\"status\":43"));
    free(text);
    json_decref(argv);
    (void)close(guest);
}

static void runs_and_is_controlled(void **state)
{
    const json_t *options;

    (void)state;
    launch();
    options = json_object_get(json_array_get(fake_host_spawns(fake), 0), "options");
    assert_string_equal(json_string_value(json_object_get(options, "role")), "vmm");
    assert_string_equal(json_string_value(json_object_get(fake_host_stored(fake, "agent"), "path")),
                        "agent.sock");
    assert_true(temp_dir_has(&dir, "run/agent.sock"));
    assert_int_equal(fake_host_call(fake, vmm()->verify), 0);
    assert_int_equal(fake_host_call(fake, vmm()->pause), 0);
    assert_int_equal(fake_host_call(fake, vmm()->verify), 0);
    assert_int_equal(fake_host_call(fake, vmm()->resume), 0);
    assert_int_equal(fake_host_call(fake, vmm()->request_stop), 0);
    assert_int_equal(fake_host_call(fake, vmm()->cleanup), 0);
    assert_false(temp_dir_has(&dir, "run/agent.sock"));
    assert_false(temp_dir_has(&dir, "run/qmp.sock"));
    assert_int_equal(fake_host_call(fake, vmm()->cleanup), 0);
}

static void another_vm_is_not_verified(void **state)
{
    (void)state;
    launch();
    fake_host_set(fake, "vm.id", json_string("ffffffffffffffffffffffffffffffff"));
    assert_int_equal(fake_host_call(fake, vmm()->verify), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ENOTFOUND);
}

static void a_stopped_qemu_costs_its_deadline_only(void **state)
{
    (void)state;
    launch();
    assert_int_equal(kill(fake_host_pid(fake), SIGSTOP), 0);
    fake_host_set_deadline(fake, 200);
    assert_int_equal(fake_host_call(fake, vmm()->request_stop), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ETIMEDOUT);
}

static void a_dead_qemu_is_said_at_once(void **state)
{
    siginfo_t info;

    (void)state;
    launch();
    assert_int_equal(kill(fake_host_pid(fake), SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)fake_host_pid(fake), &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(fake_host_call(fake, vmm()->verify), -1);
    assert_non_null(strstr(fake_host_error(fake), "does not listen"));
}

/* The probe of whether QEMU takes its throttle as it is written. */
static void limited_drives_are_taken(void **state)
{
    (void)state;
    require_qemu();
    temp_dir_write(&dir, "disk", "0123456789abcdef");
    fake_host_set(fake, "machine.drives",
                  json_pack("[{s:s, s:s, s:b}]", "id", "rootfs", "path", temp_dir_at(&dir, "disk"),
                            "root", 1));
    fake_host_set(
        fake, "machine.rate_limits",
        json_pack("{s:{s:i, s:i}}", "drive.rootfs", "bytes_per_s", 1000000, "ops_per_s", 100));
    launch();
}

static void nics_cannot_be_limited(void **state)
{
    (void)state;
    fake_host_set(fake, "machine.rate_limits",
                  json_pack("{s:{s:i}}", "nic.eth0", "packets_per_s", 100));
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EUNSUPPORTED);
    assert_string_equal(fake_host_error(fake), "QEMU cannot limit the rate of a NIC (nic.eth0)");
    assert_int_equal(json_array_size(fake_host_spawns(fake)), 0);
}

static void a_missing_kernel_is_in_the_error(void **state)
{
    (void)state;
    require_qemu();
    temp_dir_write(&dir, "vmm.log", "of the run before\n");
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EIO);
    assert_non_null(strstr(fake_host_error(fake), "QEMU ended at once: "));
    assert_non_null(strstr(fake_host_error(fake), "could not open kernel file"));
    assert_null(strstr(fake_host_error(fake), "of the run before"));
    assert_non_null(strstr(fake_host_hint(fake), "vmm.log"));
    assert_null(fake_host_stored(fake, "agent"));
}

/* A program in QEMU's place; `body` is what it does when asked to run a machine. */
static void pretend(const char *version, const char *body)
{
    char script[1024];

    (void)snprintf(script, sizeof(script),
                   "#!/bin/sh\ncase \"$*\" in\n"
                   "-version) echo 'QEMU emulator version %s';;\n"
                   "*help) printf 'Supported machines are:\\nmicrovm  microvm (i386)\\n';;\n"
                   "*) %s;;\nesac\n",
                   version, body);
    temp_dir_write(&dir, "qemu", script);
    assert_int_equal(chmod(temp_dir_at(&dir, "qemu"), 0700), 0);
    fake_host_set(fake, "config.binary", json_string(temp_dir_at(&dir, "qemu")));
}

static void what_it_prints_is_made_harmless(void **state)
{
    (void)state;
    pretend("8.1.0", "printf '\\033[31mred\\033[0m\\n\\nsecond line\\n' >&2; exit 1");
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_string_equal(fake_host_error(fake), "QEMU ended at once: [31mred[0m; second line");
}

static void one_that_never_answers(void **state)
{
    (void)state;
    pretend("8.1.0", "exec sleep 1000");
    fake_host_set_deadline(fake, 300);
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ETIMEDOUT);
    assert_non_null(strstr(fake_host_error(fake), "it printed nothing"));
}

static void a_cancelled_start(void **state)
{
    (void)state;
    pretend("8.1.0", "exec sleep 1000");
    fake_host_cancel_after(fake, 0);
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ECANCELLED);
}

static void refuses_programs(void **state)
{
    (void)state;
    pretend("6.2.1", "exit 1");
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EUNSUPPORTED);
    assert_non_null(strstr(fake_host_error(fake), "is version 6.2; 7.0 or later is needed"));

    fake_host_clear_error(fake);
    fake_host_set(fake, "config.binary", json_string("/bin/true"));
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_non_null(strstr(fake_host_error(fake), "does not say which version"));

    fake_host_clear_error(fake);
    fake_host_set(fake, "config.binary", json_string("/nonexistent/qemu"));
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EUNSUPPORTED);
    assert_non_null(strstr(fake_host_hint(fake), "qemu-system-x86"));

    fake_host_clear_error(fake);
    fake_host_set(fake, "config.binary", json_string("qemu"));
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
}

static void a_program_without_microvm(void **state)
{
    (void)state;
    temp_dir_write(&dir, "qemu",
                   "#!/bin/sh\n[ \"$1\" != -version ] || echo 'QEMU emulator version 8.0.0'\n");
    assert_int_equal(chmod(temp_dir_at(&dir, "qemu"), 0700), 0);
    fake_host_set(fake, "config.binary", json_string(temp_dir_at(&dir, "qemu")));
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_non_null(strstr(fake_host_error(fake), "has no machine 'microvm'"));
}

static void an_unknown_accelerator(void **state)
{
    (void)state;
    pretend("8.1.0", "exit 1");
    fake_host_set(fake, "config.accel", json_string("hvf"));
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
    assert_non_null(strstr(fake_host_error(fake), "'hvf'; it must be auto, kvm or tcg"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accepts_this_qemu),
        TEST(the_probe_guest_runs),
        TEST(runs_and_is_controlled),
        TEST(another_vm_is_not_verified),
        TEST(a_stopped_qemu_costs_its_deadline_only),
        TEST(a_dead_qemu_is_said_at_once),
        TEST(a_missing_kernel_is_in_the_error),
        TEST(limited_drives_are_taken),
        TEST(nics_cannot_be_limited),
        TEST(what_it_prints_is_made_harmless),
        TEST(one_that_never_answers),
        TEST(a_cancelled_start),
        TEST(refuses_programs),
        TEST(a_program_without_microvm),
        TEST(an_unknown_accelerator),
    };

    have_qemu = access("/usr/bin/qemu-system-x86_64", X_OK) == 0;
    return cmocka_run_group_tests_name("qemu launch", tests, NULL, NULL);
}
