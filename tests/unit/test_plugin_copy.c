/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sparse.h"
#include "temp_dir.h"
#include <banger/test.h>

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>

#include <cmocka.h>

#define MIB (1024 * 1024)

static struct temp_dir dir;
static struct fake_host *fake;

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    fake = fake_host_new("{\"vm\": {\"disk_mib\": 0}}");
    fake_host_set(fake, "vm.dir", json_string(temp_dir_at(&dir, "vm")));
    fake_host_set(fake, "image.path", json_string(temp_dir_at(&dir, "image")));
    return mkdir(temp_dir_at(&dir, "vm"), 0700);
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_free(fake);
    temp_dir_remove(&dir);
    return 0;
}

static const struct banger_rootfs *rootfs(void)
{
    return banger_plugin_v1()->rootfs;
}

/* An image of `mib` MiB that is a hole but for one byte in each of its first and last 64 KiB. */
static void make_sparse_image(off_t mib)
{
    int fd = open(temp_dir_at(&dir, "image"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, mib * MIB), 0);
    assert_int_equal(pwrite(fd, "a", 1, 1000), 1);
    assert_int_equal(pwrite(fd, "z", 1, mib * MIB - 1000), 1);
    (void)close(fd);
}

static void make_ext4_image(const char *size)
{
    json_t *argv = json_pack("[s,s,s,s,s,s]", "/sbin/mke2fs", "-q", "-t", "ext4",
                             temp_dir_at(&dir, "image"), size);
    char *text = json_dumps(argv, 0);
    const char *result;

    assert_int_equal(fake_host_table()->run(fake_host_handle(fake), text, &result), 0);
    assert_non_null(strstr(result, "\"status\":0"));
    free(text);
    json_decref(argv);
}

static struct stat disk_status(void)
{
    struct stat status;

    assert_int_equal(stat(temp_dir_at(&dir, "vm/rootfs.img"), &status), 0);
    return status;
}

static char byte_at(off_t at)
{
    int fd = open(temp_dir_at(&dir, "vm/rootfs.img"), O_RDONLY | O_CLOEXEC);
    char byte = '?';

    assert_int_equal(pread(fd, &byte, 1, at), 1);
    (void)close(fd);
    return byte;
}

static void assert_nothing_left(void)
{
    assert_false(temp_dir_has(&dir, "vm/rootfs.img"));
    assert_int_equal(rmdir(temp_dir_at(&dir, "vm")), 0);
}

static void copies_with_holes(void **state)
{
    (void)state;
    make_sparse_image(64);
    assert_int_equal(fake_host_call(fake, rootfs()->create), 0);
    assert_int_equal(disk_status().st_size, 64 * MIB);
    assert_true(disk_status().st_blocks * 512 < MIB);
    assert_int_equal(disk_status().st_mode & 07777, 0600);
    assert_int_equal(byte_at(1000), 'a');
    assert_int_equal(byte_at(64 * MIB - 1000), 'z');
    assert_int_equal(byte_at(32 * MIB), '\0');
    assert_false(temp_dir_has(&dir, "vm/rootfs.img.new"));
}

static void second_create_finds_it_done(void **state)
{
    (void)state;
    make_sparse_image(1);
    temp_dir_write(&dir, "vm/rootfs.img", "the guest's work");
    assert_int_equal(fake_host_call(fake, rootfs()->create), 0);
    assert_string_equal(temp_dir_read(&dir, "vm/rootfs.img"), "the guest's work");
}

static void replaces_what_a_killed_daemon_left(void **state)
{
    (void)state;
    make_sparse_image(1);
    temp_dir_write(&dir, "vm/rootfs.img.new", "half a copy");
    assert_int_equal(fake_host_call(fake, rootfs()->create), 0);
    assert_false(temp_dir_has(&dir, "vm/rootfs.img.new"));
    assert_int_equal(byte_at(1000), 'a');
}

static void does_not_follow_a_link(void **state)
{
    (void)state;
    make_sparse_image(1);
    temp_dir_write(&dir, "victim", "untouched");
    assert_int_equal(symlink(temp_dir_at(&dir, "victim"), temp_dir_at(&dir, "vm/rootfs.img.new")),
                     0);
    assert_int_equal(symlink(temp_dir_at(&dir, "victim"), temp_dir_at(&dir, "vm/rootfs.img")), 0);
    assert_int_equal(fake_host_call(fake, rootfs()->create), 0);
    assert_string_equal(temp_dir_read(&dir, "victim"), "untouched");
    assert_int_equal(byte_at(1000), 'a');
}

static void cancelled_leaves_nothing(void **state)
{
    (void)state;
    make_sparse_image(64);
    fake_host_cancel_after(fake, 1);
    assert_int_equal(fake_host_call(fake, rootfs()->create), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ECANCELLED);
    assert_nothing_left();
}

static void deadline_leaves_nothing(void **state)
{
    (void)state;
    make_sparse_image(1);
    fake_host_set_remaining(fake, 0);
    assert_int_equal(fake_host_call(fake, rootfs()->create), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ETIMEDOUT);
    assert_nothing_left();
}

static void missing_or_empty_image(void **state)
{
    (void)state;
    assert_int_equal(fake_host_call(fake, rootfs()->check), -1);
    fake_host_clear_error(fake);
    assert_int_equal(fake_host_call(fake, rootfs()->create), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EIO);
    assert_non_null(strstr(fake_host_error(fake), "/image"));
    fake_host_clear_error(fake);
    temp_dir_write(&dir, "image", "");
    assert_int_equal(fake_host_call(fake, rootfs()->create), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ECORRUPT);
    assert_nothing_left();
}

static void grows_to_the_wanted_size(void **state)
{
    (void)state;
    make_ext4_image("8M");
    fake_host_set(fake, "vm.disk_mib", json_integer(32));
    assert_int_equal(fake_host_call(fake, rootfs()->create), 0);
    assert_int_equal(disk_status().st_size, 32 * MIB);
    fake_host_set(fake, "vm.disk_mib", json_integer(48));
    assert_int_equal(fake_host_call(fake, rootfs()->resize), 0);
    assert_int_equal(disk_status().st_size, 48 * MIB);
    /* Again, as after an interruption: the size is right, the file system may not be. */
    assert_int_equal(fake_host_call(fake, rootfs()->resize), 0);
}

static void never_shrinks(void **state)
{
    (void)state;
    make_sparse_image(2);
    fake_host_set(fake, "vm.disk_mib", json_integer(1));
    assert_int_equal(fake_host_call(fake, rootfs()->create), 0);
    assert_int_equal(disk_status().st_size, 2 * MIB);
    assert_int_equal(fake_host_call(fake, rootfs()->resize), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
    assert_non_null(strstr(fake_host_error(fake), "has 2 MiB and cannot shrink to 1 MiB"));
    assert_int_equal(disk_status().st_size, 2 * MIB);
}

static void resize_before_the_first_start(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.disk_mib", json_integer(16));
    assert_int_equal(fake_host_call(fake, rootfs()->resize), 0);
    assert_nothing_left();
}

static void what_is_not_ext4_cannot_grow(void **state)
{
    (void)state;
    make_sparse_image(1);
    fake_host_set(fake, "vm.disk_mib", json_integer(2));
    assert_int_equal(fake_host_call(fake, rootfs()->create), -1);
    assert_non_null(strstr(fake_host_error(fake), "e2fsck failed with status"));
    assert_nothing_left();
}

static void contributes_the_root_drive(void **state)
{
    const json_t *drive;

    (void)state;
    assert_int_equal(fake_host_call(fake, rootfs()->contribute), 0);
    drive = json_array_get(fake_host_contribution(fake, "drives"), 0);
    assert_true(json_is_true(json_object_get(drive, "root")));
    assert_true(json_is_false(json_object_get(drive, "read_only")));
    assert_string_equal(json_string_value(json_object_get(drive, "path")),
                        temp_dir_at(&dir, "vm/rootfs.img"));
    assert_nothing_left();
}

/* A tmpfs of 1 MiB over vm/, in a mount namespace of this program's own. */
static bool mount_small_disk(void)
{
    static bool unshared;
    int flags = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;

    unshared = unshared || unshare(flags) == 0;
    return unshared && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", temp_dir_at(&dir, "vm"), "tmpfs", 0, "size=1m") == 0;
}

/* Another file system: copy_file_range says EXDEV, the copy goes through memory. */
static void copies_to_another_file_system(void **state)
{
    (void)state;
    if (!mount_small_disk()) {
        skip(); /* no mount namespace may be made here */
    }
    make_sparse_image(64);
    assert_int_equal(fake_host_call(fake, rootfs()->check), 0);
    assert_int_equal(fake_host_call(fake, rootfs()->create), 0);
    assert_int_equal(byte_at(64 * MIB - 1000), 'z');
    assert_true(disk_status().st_blocks * 512 < MIB);
    assert_int_equal(umount(temp_dir_at(&dir, "vm")), 0);
}

static void a_full_disk_leaves_nothing(void **state)
{
    char *data = malloc(2 * MIB);

    (void)state;
    assert_non_null(data);
    memset(data, 'x', 2 * MIB - 1);
    data[2 * MIB - 1] = '\0';
    temp_dir_write(&dir, "image", data);
    free(data);
    if (!mount_small_disk()) {
        skip(); /* no mount namespace may be made here */
    }
    assert_int_equal(fake_host_call(fake, rootfs()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EFULL);
    assert_non_null(strstr(fake_host_error(fake), "MiB left"));
    fake_host_clear_error(fake);
    assert_int_equal(fake_host_call(fake, rootfs()->create), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EFULL);
    assert_string_not_equal(fake_host_hint(fake), "");
    assert_int_equal(umount(temp_dir_at(&dir, "vm")), 0);
    assert_nothing_left();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(copies_with_holes),
        TEST(second_create_finds_it_done),
        TEST(replaces_what_a_killed_daemon_left),
        TEST(does_not_follow_a_link),
        TEST(cancelled_leaves_nothing),
        TEST(deadline_leaves_nothing),
        TEST(missing_or_empty_image),
        TEST(grows_to_the_wanted_size),
        TEST(never_shrinks),
        TEST(resize_before_the_first_start),
        TEST(what_is_not_ext4_cannot_grow),
        TEST(contributes_the_root_drive),
        TEST(copies_to_another_file_system),
        TEST(a_full_disk_leaves_nothing),
    };

    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
