/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernels without an initramfs, on the stub VMM: what the machine is told, and what is on its disk. What
 * such a guest then does is for tests/integration/work_disk.bats. */
#include "lifecycle_fixture.h"

#include "lifecycle/direct_boot.h"

static char image_path[PATH_MAX];

/* A program of e2fsprogs to its end; what it printed, in a static buffer. */
static const char *tool(const char *program, const char *option, const char *request,
                        const char *path)
{
    static char text[8192];
    struct process_result result = {0};
    banger_error err = BANGER_ERROR_INIT;
    char *const argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)option,
                          (char *)(uintptr_t)request, (char *)(uintptr_t)path, NULL};
    if (process_run(argv, sizeof(text), deadline_in(60000), &result, &err) < 0) {
        fail_msg("%s", err.message);
    }
    (void)snprintf(text, sizeof(text), "%s", str_or(result.out.data, ""));
    process_result_free(&result);
    return text;
}

static void add_direct_parts(struct world *world)
{
    char text[] = "test";
    AUTO_FREE char *vmlinux = xstrdup(temp_dir_at(&world->dir, "vmlinux"));
    struct image_record image = {
        .name = "ext", .path = image_path, .size_bytes = DISK_BYTES, .origin = text};
    struct kernel_record kernel = {
        .name = "direct", .path = vmlinux, .version = text, .origin = text};
    (void)snprintf(image_path, sizeof(image_path), "%s", temp_dir_at(&world->dir, "ext"));
    temp_dir_write(&world->dir, "ext", "");
    assert_int_equal(truncate(image_path, DISK_BYTES), 0);
    (void)tool("/sbin/mke2fs", "-q", "-text4", image_path);
    id_new(image.id);
    id_new(kernel.id);
    assert_int_equal(image_insert(world->store, &image, NULL), 0);
    assert_int_equal(kernel_insert(world->store, &kernel, NULL), 0);
    world->layout.libexec_dir = world_dir(world, "libexec");
    temp_dir_write(&world->dir, "libexec/banger-agent", "the agent's program\n");
}

static int direct_open(void **state)
{
    (void)world_open(state);
    struct world *world = *state;
    add_direct_parts(world);
    AUTO_JSON json_t *params = vm_params("a", "run");
    AUTO_JSON json_t *vm = NULL;
    banger_error err = BANGER_ERROR_INIT;
    json_put(params, "image", json_string("ext"));
    json_put(params, "kernel", json_string("direct"));
    json_put(params, "boot_args", json_pack("[s]", "mine=1"));
    if (lifecycle_create(&world->engine, &caller_nobody, params, &vm, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return 0;
}

static void test_plan(void **state)
{
    struct world *world = *state;
    AUTO_JSON json_t *plan = NULL;
    assert_int_equal(lifecycle_plan(&world->engine, "a", &plan, NULL), 0);
    AUTO_FREE char *args = json_text(json_at(plan, "machine.boot_args"));
    assert_string_equal(args, "[\"root=/dev/vda\",\"rw\",\"init=/banger/agent\","
                              "\"ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:off\",\"mine=1\"]");
    assert_null(json_at(plan, "machine.initramfs"));
    assert_null(json_at(plan, "machine.guest.conf.root")); /* it is mounted when the agent starts */
}

static void test_start(void **state)
{
    struct world *world = *state;
    struct vm_record vm = vm_of(world, "a");
    AUTO_FREE char *dir = layout_vm_dir(&world->layout, vm.id);
    AUTO_FREE char *disk = str_format("%s/rootfs.img", dir);
    AUTO_FREE char *log = str_format("%s/guest-config.redo", dir);
    vm_record_free(&vm);
    for (int i = 0; i < 2; i++) {
        vm_start(world, "a");
        assert_string_equal(tool("/sbin/debugfs", "-R", "cat /banger/agent", disk),
                            "the agent's program\n");
        assert_non_null(
            strstr(tool("/sbin/debugfs", "-R", "cat /banger/guest.conf", disk), "interface=02:"));
        assert_non_null(strstr(
            tool("/sbin/debugfs", "-R", "cat /banger/overlay/etc/resolv.conf", disk), "10.0.2.3"));
        assert_int_equal(access(log, F_OK), -1);
        assert_int_equal(lifecycle_stop(&world->engine, &caller_nobody, "a", -1, NULL, NULL), 0);
    }
    assert_null(strstr(tool("/sbin/debugfs", "-R", "ls /", image_path), "banger"));
    vm_delete(world, "a");
    assert_nothing_left(world);
}

/* A disk that is none: the start fails and says so, and everything is handed back. */
static void test_bad_disk(void **state)
{
    struct world *world = *state;
    banger_error err = BANGER_ERROR_INIT;
    temp_dir_write(&world->dir, "ext", "no file system");
    assert_int_equal(truncate(image_path, DISK_BYTES), 0);
    assert_int_equal(lifecycle_start(&world->engine, &caller_nobody, "a", NULL, &err), -1);
    assert_non_null(strstr(err.message, "there is no ext4 superblock"));
    assert_nothing_held(world);
    vm_delete(world, "a");
}

static void test_ip(void **state)
{
    (void)state;
    static const struct {
        const char *interfaces;
        const char *expected;
    } rows[] = {
        {"[]", NULL},
        {"[\"02:00:00:00:00:01 10.0.0.2/24 10.0.0.1\"]",
         "ip=10.0.0.2::10.0.0.1:255.255.255.0:web:eth0:off"},
        {"[\"02:00:00:00:00:01 10.0.0.2/32 -\"]", "ip=10.0.0.2:::255.255.255.255:web:eth0:off"},
        {"[\"02:00:00:00:00:01 10.0.0.2/0 -\"]", "ip=10.0.0.2:::0.0.0.0:web:eth0:off"},
        {"[\"02:00:00:00:00:01 fd00::2/64 fd00::1\", \"02:00:00:00:00:01 10.0.0.2/16 10.0.0.1\"]",
         "ip=10.0.0.2::10.0.0.1:255.255.0.0:web:eth0:off"},
        {"[\"02:00:00:00:00:01 fd00::2/64 fd00::1\"]", NULL},
        {"[\"02:00:00:00:00:01 10.0.0.2/33 10.0.0.1\"]", NULL},
        {"[\"10.0.0.2/24\"]", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_JSON json_t *document =
            json_pack("{s:{s:{s:s, s:o}}}", "guest", "conf", "hostname", "web", "interface",
                      json_loads(rows[i].interfaces, 0, NULL));
        AUTO_FREE char *ip = direct_boot_ip(document);
        assert_string_equal(str_or(ip, "none"), str_or(rows[i].expected, "none"));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, direct_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(test_plan),
        TEST(test_start),
        TEST(test_bad_disk),
        cmocka_unit_test(test_ip),
    };
    return cmocka_run_group_tests_name("direct_boot", tests, NULL, NULL);
}
