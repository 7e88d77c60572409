/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "temp_dir.h"
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB INT64_C(1048576)

static struct temp_dir dir;
static struct fake_host *fake;

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    fake = fake_host_new("{\"vm\": {\"disk_mib\": 64}, \"config\": {\"mount\": \"/root\"},"
                         "\"machine\": {\"drives\": [{\"id\": \"rootfs\"}]}}");
    fake_host_set(fake, "vm.dir", json_string(temp_dir_at(&dir, "vm")));
    fake_host_set(fake, "config.size", json_integer(128 * MIB));
    return mkdir(temp_dir_at(&dir, "vm"), 0700);
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_free(fake);
    temp_dir_remove(&dir);
    return 0;
}

static const struct banger_hooks *hooks(void)
{
    return banger_plugin_v1()->hooks;
}

static void call_well(banger_hook hook)
{
    if (fake_host_call(fake, hook) < 0) {
        fail_msg("%s", fake_host_error(fake));
    }
}

static int64_t disk_size(void)
{
    struct stat status;

    assert_int_equal(stat(temp_dir_at(&dir, "vm/work.img"), &status), 0);
    return status.st_size;
}

static ino_t disk_inode(void)
{
    struct stat status;

    assert_int_equal(stat(temp_dir_at(&dir, "vm/work.img"), &status), 0);
    return status.st_ino;
}

/* What a program on the host prints of the disk. */
static json_t *run_on(const char *program, const char *option, const char *request,
                      const char *path)
{
    json_t *argv = json_pack("[s,s,s,s]", program, option, request, path);
    char *text = json_dumps(argv, 0);
    const char *result;

    assert_int_equal(fake_host_table()->run(fake_host_handle(fake), text, &result), 0);
    free(text);
    json_decref(argv);
    return json_loads(result, 0, NULL);
}

static void assert_sound(void)
{
    json_t *result = run_on("/sbin/e2fsck", "-f", "-n", temp_dir_at(&dir, "vm/work.img"));

    assert_int_equal(json_integer_value(json_object_get(result, "status")), 0);
    json_decref(result);
}

static void assert_prints(const char *request, const char *text)
{
    json_t *result = run_on("/sbin/debugfs", "-R", request, temp_dir_at(&dir, "vm/work.img"));
    const char *out = json_string_value(json_object_get(result, "stdout"));

    if (strstr(out, text) == NULL) {
        fail_msg("%s: expected '%s' in '%s'", request, text, out);
    }
    json_decref(result);
}

/* An ext4 of 64 MiB with a file in it. */
static void make_seed(void)
{
    temp_dir_write(&dir, "seed", "");
    temp_dir_write(&dir, "note", "from the seed\n");
    assert_int_equal(truncate(temp_dir_at(&dir, "seed"), 64 * MIB), 0);
    json_decref(run_on("/sbin/mke2fs", "-q", "-text4", temp_dir_at(&dir, "seed")));
    {
        char command[PATH_MAX + 32];
        json_t *argv;
        char *text;
        const char *result;

        (void)snprintf(command, sizeof(command), "write %s note", temp_dir_at(&dir, "note"));
        argv = json_pack("[s,s,s,s,s]", "/sbin/debugfs", "-w", "-R", command,
                         temp_dir_at(&dir, "seed"));
        text = json_dumps(argv, 0);
        assert_int_equal(fake_host_table()->run(fake_host_handle(fake), text, &result), 0);
        free(text);
        json_decref(argv);
    }
    fake_host_set(fake, "config.seed", json_string(temp_dir_at(&dir, "seed")));
}

static void none_unless_configured(void **state)
{
    (void)state;
    fake_host_set(fake, "config.size", json_null());
    call_well(banger_plugin_v1()->start);
    call_well(hooks()->check);
    call_well(hooks()->prepare);
    call_well(hooks()->contributeMachineConfig);
    assert_int_equal(json_object_size(fake_host_contributions(fake)), 0);
    assert_false(temp_dir_has(&dir, "vm/work.img"));
}

static void fresh(void **state)
{
    (void)state;
    call_well(hooks()->check);
    call_well(hooks()->prepare);
    assert_int_equal(disk_size(), 128 * MIB);
    assert_sound();
    assert_prints("stat /", "Mode:  0700"); /* as /root is */
    assert_prints("stat /", "User:     0   Group:     0");
    assert_false(temp_dir_has(&dir, "vm/work.img.new"));
}

static void elsewhere_everybody_may_look(void **state)
{
    (void)state;
    fake_host_set(fake, "config.mount", json_string("/work"));
    call_well(hooks()->prepare);
    assert_prints("stat /", "Mode:  0755");
}

static void from_a_seed(void **state)
{
    (void)state;
    make_seed();
    fake_host_set(fake, "config.size", json_null()); /* a seed alone switches it on */
    call_well(hooks()->check);
    call_well(hooks()->prepare);
    assert_int_equal(disk_size(), 64 * MIB);
    assert_sound();
    assert_prints("cat note", "from the seed\n");
}

/* The file grows; the file system in it, which is the guest's, is left as it is. */
static void grows_and_keeps(void **state)
{
    ino_t inode;

    (void)state;
    make_seed();
    call_well(hooks()->prepare);
    assert_int_equal(disk_size(), 128 * MIB);
    inode = disk_inode();
    fake_host_set(fake, "vm.disk_mib", json_integer(256));
    assert_int_equal(unlink(temp_dir_at(&dir, "seed")), 0); /* needed no more */
    call_well(hooks()->check);
    call_well(hooks()->prepare);
    assert_int_equal(disk_size(), 256 * MIB);
    fake_host_set(fake, "vm.disk_mib", json_integer(64)); /* never shrinks */
    call_well(hooks()->prepare);
    assert_int_equal(disk_size(), 256 * MIB);
    assert_int_equal(disk_inode(), inode);
    assert_prints("cat note", "from the seed\n");
}

/* What a killed daemon left is made anew, and is never taken for the disk. */
static void unfinished(void **state)
{
    (void)state;
    temp_dir_write(&dir, "vm/work.img.new", "half");
    call_well(hooks()->prepare);
    assert_sound();
    assert_false(temp_dir_has(&dir, "vm/work.img.new"));
}

static void bad_seeds(void **state)
{
    (void)state;
    temp_dir_write(&dir, "seed", "no file system");
    fake_host_set(fake, "config.seed", json_string(temp_dir_at(&dir, "seed")));
    assert_int_equal(fake_host_call(fake, hooks()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
    assert_non_null(strstr(fake_host_error(fake), "not an ext4 file system"));
    fake_host_clear_error(fake);
    assert_int_equal(fake_host_call(fake, hooks()->prepare), -1);
    assert_false(temp_dir_has(&dir, "vm/work.img"));
    assert_false(temp_dir_has(&dir, "vm/work.img.new"));
    fake_host_clear_error(fake);
    fake_host_set(fake, "config.seed", json_string("/nonexistent/seed"));
    assert_int_equal(fake_host_call(fake, hooks()->check), -1);
    assert_non_null(strstr(fake_host_error(fake), "/nonexistent/seed"));
    fake_host_clear_error(fake);
    fake_host_set(fake, "config.seed", json_string("seed"));
    assert_int_equal(fake_host_call(fake, banger_plugin_v1()->start), -1);
    assert_non_null(strstr(fake_host_error(fake), "absolute path"));
}

static void contributes(void **state)
{
    const json_t *mount;
    const json_t *drive;

    (void)state;
    fake_host_set(fake, "machine.drives", json_pack("[{s:s},{s:s}]", "id", "a", "id", "b"));
    fake_host_set(fake, "config.mount", json_string("/work/here"));
    call_well(hooks()->contributeMachineConfig);
    drive = json_array_get(fake_host_contribution(fake, "drives"), 0);
    drive = drive != NULL ? drive : fake_host_contribution(fake, "drives");
    assert_string_equal(json_string_value(json_object_get(drive, "id")), "work");
    assert_string_equal(json_string_value(json_object_get(drive, "path")),
                        temp_dir_at(&dir, "vm/work.img"));
    assert_true(json_is_false(json_object_get(drive, "read_only")));
    mount = json_object_get(fake_host_contribution(fake, "guest.conf"), "mount");
    assert_string_equal(json_string_value(json_array_get(mount, 0)),
                        "/dev/vdc /work/here ext4 rw grow");
    assert_false(temp_dir_has(&dir, "vm/work.img")); /* it only says */
}

static void mount_points(void **state)
{
    static const char *const bad[] = {
        "",       "root",   "/",           "/proc", "/proc/x", "/sys/a",     "/dev/shm",
        "/run/x", "/tmp",   "/banger",     "/etc",  "/usr",    "/a/../b",    "/a/./b",
        "//root", "/root/", "/with space", "/a//b", "/..",     "/new\nline",
    };
    static const char *const good[] = {"/root",      "/home",      "/work", "/srv/deep/er",
                                       "/usr/local", "/processes", "/...",  "/.hidden"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fake_host_set(fake, "config.mount", json_string(bad[i]));
        if (fake_host_call(fake, banger_plugin_v1()->start) == 0) {
            fail_msg("'%s' is taken", bad[i]);
        }
        assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
        assert_non_null(strstr(fake_host_error(fake), "invalid mount '"));
        fake_host_clear_error(fake);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        fake_host_set(fake, "config.mount", json_string(good[i]));
        call_well(banger_plugin_v1()->start);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(none_unless_configured),
        TEST(fresh),
        TEST(elsewhere_everybody_may_look),
        TEST(from_a_seed),
        TEST(grows_and_keeps),
        TEST(unfinished),
        TEST(bad_seeds),
        TEST(contributes),
        TEST(mount_points),
    };

    return cmocka_run_group_tests_name("work-disk", tests, NULL, NULL);
}
