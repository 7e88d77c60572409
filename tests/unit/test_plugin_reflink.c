/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs on the file system of TMPDIR. Where that cannot share blocks (ext4, tmpfs), the refusal is
 * what is tested and the rest is skipped; BANGER_TEST_REFLINK_DIR names a folder on one that can.
 */
#include "temp_dir.h"
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB (1024 * 1024)

static struct temp_dir dir;
static struct fake_host *fake;

static const struct banger_rootfs *rootfs(void)
{
    return banger_plugin_v1()->rootfs;
}

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    fake = fake_host_new("{\"vm\": {\"disk_mib\": 0}}");
    fake_host_set(fake, "host.state_dir", json_string(dir.path));
    return mkdir(temp_dir_at(&dir, "vm"), 0700);
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_free(fake);
    temp_dir_remove(&dir);
    return 0;
}

static void name_the_vm(void)
{
    fake_host_set(fake, "vm.dir", json_string(temp_dir_at(&dir, "vm")));
    fake_host_set(fake, "image.path", json_string(temp_dir_at(&dir, "image")));
}

static void require_reflinks(void)
{
    if (fake_host_call(fake, rootfs()->check) < 0) {
        skip(); /* this file system cannot share blocks */
    }
}

static void check_says_why(void **state)
{
    (void)state;
    if (fake_host_call(fake, rootfs()->check) == 0) {
        return;
    }
    assert_int_equal(fake_host_code(fake), BANGER_EUNSUPPORTED);
    assert_non_null(strstr(fake_host_error(fake), "FICLONE: "));
    assert_non_null(strstr(fake_host_error(fake), dir.path));
    assert_string_not_equal(fake_host_hint(fake), "");
}

static void check_leaves_nothing(void **state)
{
    (void)state;
    (void)fake_host_call(fake, rootfs()->check);
    assert_int_equal(rmdir(temp_dir_at(&dir, "vm")), 0);
    assert_int_equal(rmdir(dir.path), 0);
}

/* In doctor nothing has been made yet: the file system is that of the nearest folder above. */
static void check_before_the_folder_exists(void **state)
{
    int here = fake_host_call(fake, rootfs()->check);

    (void)state;
    fake_host_clear_error(fake);
    fake_host_set(fake, "host.state_dir", json_string(temp_dir_at(&dir, "not/there/yet")));
    assert_int_equal(fake_host_call(fake, rootfs()->check), here);
}

static void another_file_system_is_noticed(void **state)
{
    (void)state;
    require_reflinks();
    fake_host_set(fake, "vm.dir", json_string("/proc"));
    assert_int_equal(fake_host_call(fake, rootfs()->check), -1);
}

static void shares_the_blocks(void **state)
{
    (void)state;
    require_reflinks();
    temp_dir_write(&dir, "image", "an image");
    name_the_vm();
    assert_int_equal(fake_host_call(fake, rootfs()->check), 0);
    assert_int_equal(fake_host_call(fake, rootfs()->create), 0);
    assert_string_equal(temp_dir_read(&dir, "vm/rootfs.img"), "an image");
    temp_dir_write(&dir, "vm/rootfs.img", "the guest's");
    assert_string_equal(temp_dir_read(&dir, "image"), "an image");
    assert_int_equal(fake_host_call(fake, rootfs()->create), 0);
    assert_string_equal(temp_dir_read(&dir, "vm/rootfs.img"), "the guest's");
}

static void a_failed_clone_leaves_nothing(void **state)
{
    (void)state;
    if (fake_host_call(fake, rootfs()->check) == 0) {
        skip(); /* cloning works here */
    }
    fake_host_clear_error(fake);
    temp_dir_write(&dir, "image", "an image");
    name_the_vm();
    assert_int_equal(fake_host_call(fake, rootfs()->create), -1);
    assert_non_null(strstr(fake_host_error(fake), "cannot clone the image to"));
    assert_int_equal(rmdir(temp_dir_at(&dir, "vm")), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(check_says_why),
        TEST(check_leaves_nothing),
        TEST(check_before_the_folder_exists),
        TEST(another_file_system_is_noticed),
        TEST(shares_the_blocks),
        TEST(a_failed_clone_leaves_nothing),
    };
    const char *folder = getenv("BANGER_TEST_REFLINK_DIR");

    if (folder != NULL) {
        (void)setenv("TMPDIR", folder, 1);
    }
    return cmocka_run_group_tests_name("reflink", tests, NULL, NULL);
}
