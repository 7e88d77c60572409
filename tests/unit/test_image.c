/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/image.h"

#include "image/ext4.h"
#include "image/staging.h"
#include "image_env.h"

#include <ext2fs/ext2fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#define SIZE ((off_t)16 * 1024 * 1024)

static struct image_env env;
static char rootfs[PATH_MAX];

/* mke2fs writes where a staging folder's journal row stands for it, here as in a build. */
static void format(const char *path)
{
    banger_error err = BANGER_ERROR_INIT;
    AUTO_STAGING struct staging staging = STAGING_INIT;
    if (staging_begin(&env.context, STAGING_IMAGE, &staging, &err) < 0 ||
        ext4_format(&staging, path, SIZE, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static int setup(void **state)
{
    (void)state;
    image_env_open(&env);
    (void)snprintf(rootfs, sizeof(rootfs), "%s", temp_dir_at(&env.dir, "rootfs.ext4"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    image_env_close(&env);
    return 0;
}

static int register_as(const char *path, const char *name, banger_error *err)
{
    struct image_record image = {0};
    int result = image_register(&env.context, path, name, &image, err);
    image_record_free(&image);
    return result;
}

static void expect_nothing_left(const char *path, const char *name, enum banger_code code,
                                const char *text)
{
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(register_as(path, name, &err), -1);
    if (err.code != code || strstr(err.message, text) == NULL) {
        fail_msg("expected '%s' (%d), got '%s' (%d)", text, code, err.message, err.code);
    }
    assert_int_equal(image_env_leftovers(&env, "images"), 0);
}

static void test_register(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    struct image_record image = {0};
    struct stat copy;
    format(rootfs);
    assert_int_equal(image_register(&env.context, rootfs, "mine", &image, &err), 0);
    assert_string_equal(image.name, "mine");
    assert_int_equal(image.size_bytes, SIZE);
    assert_int_equal(stat(image.path, &copy), 0);
    assert_int_equal(copy.st_size, SIZE);
    assert_true(copy.st_blocks * 512 < SIZE / 2); /* holes stayed holes */
    assert_int_equal(image_env_leftovers(&env, "images"), 1);
    assert_int_equal(image_delete(&env.context, "mine", &err), 0);
    assert_int_equal(image_env_leftovers(&env, "images"), 0);
    image_record_free(&image);
}

static void change_superblock(void (*change)(struct ext2_super_block *super))
{
    ext2_filsys fs = NULL;
    format(rootfs);
    assert_int_equal(
        ext2fs_open(rootfs, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs), 0);
    change(fs->super);
    ext2fs_mark_super_dirty(fs);
    fs->flags &= ~EXT2_FLAG_VALID; /* closing must not mark it clean */
    assert_int_equal(ext2fs_close_free(&fs), 0);
}

static void make_dirty(struct ext2_super_block *super)
{
    super->s_state &= (__u16)~EXT2_VALID_FS;
}

static void make_in_use(struct ext2_super_block *super)
{
    super->s_feature_incompat |= EXT3_FEATURE_INCOMPAT_RECOVER;
}

static void make_ext3(struct ext2_super_block *super)
{
    super->s_feature_incompat &= ~(__u32)EXT3_FEATURE_INCOMPAT_EXTENTS;
}

static void test_register_what_is_none(void **state)
{
    (void)state;
    temp_dir_write(&env.dir, "text", "no file system\n");
    expect_nothing_left(temp_dir_at(&env.dir, "text"), "mine", BANGER_EINVALID,
                        "is no usable ext4");
    expect_nothing_left("/nonexistent", "mine", BANGER_ENOTFOUND, "/nonexistent");
    expect_nothing_left(env.dir.path, "mine", BANGER_EINVALID, "not a regular file");
    expect_nothing_left("/dev/zero", "mine", BANGER_EINVALID, "not a regular file");
    expect_nothing_left(rootfs, "not/this", BANGER_ENOTFOUND, "rootfs.ext4");
    change_superblock(make_ext3);
    expect_nothing_left(rootfs, "mine", BANGER_EINVALID, "not ext4");
    change_superblock(make_dirty);
    expect_nothing_left(rootfs, "mine", BANGER_EINVALID, "not unmounted cleanly");
    change_superblock(make_in_use);
    expect_nothing_left(rootfs, "mine", BANGER_EINVALID, "not unmounted cleanly");
    format(rootfs);
    expect_nothing_left(rootfs, "not/this", BANGER_EINVALID, "not/this");
    assert_int_equal(truncate(rootfs, SIZE / 2), 0);
    expect_nothing_left(rootfs, "mine", BANGER_EINVALID, "cut off");
}

static void test_name_taken(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    struct image_record image = {0};
    format(rootfs);
    assert_int_equal(register_as(rootfs, "mine", NULL), 0);
    assert_int_equal(register_as(rootfs, "mine", &err), -1);
    assert_int_equal(err.code, BANGER_EEXISTS);
    assert_int_equal(image_build_tiny(&env.context, "mine", &image, &err), -1);
    assert_int_equal(err.code, BANGER_EEXISTS);
    assert_int_equal(image_env_leftovers(&env, "images"), 1);
}

/* Two at once pass the early check: the second to finish is refused, and leaves nothing. */
static int insert_image(struct store *store, const void *record, banger_error *err)
{
    return image_insert(store, record, err);
}

static void test_two_builds_of_one_name(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    format(rootfs);
    AUTO_STAGING struct staging staging = STAGING_INIT;
    assert_int_equal(staging_begin(&env.context, STAGING_IMAGE, &staging, NULL), 0);
    assert_int_equal(register_as(rootfs, "mine", NULL), 0);
    struct image_record late = {.name = "mine", .digest = "0", .created_ms = 1};
    memcpy(late.id, staging.id, sizeof(late.id));
    late.path = staging_target(&staging, "rootfs.ext4");
    assert_int_equal(staging_commit(&staging, insert_image, &late, &err), -1);
    assert_int_equal(err.code, BANGER_EEXISTS);
    staging_end(&staging);
    assert_int_equal(image_env_leftovers(&env, "images"), 1); /* the first one's folder */
    image_record_free(&late);
}

static void test_cancelled_anywhere(void **state)
{
    (void)state;
    format(rootfs);
    for (int after = 0;; after++) {
        banger_error err = BANGER_ERROR_INIT;
        env.looks = 0;
        env.cancel_after = after;
        if (register_as(rootfs, "mine", &err) == 0) {
            assert_true(after > 2);
            return;
        }
        assert_int_equal(err.code, BANGER_ECANCELLED);
        assert_int_equal(image_env_leftovers(&env, "images"), 0);
    }
}

static void test_cancelled_tiny(void **state)
{
    (void)state;
    for (int after = 0; after < 4; after++) {
        banger_error err = BANGER_ERROR_INIT;
        struct image_record image = {0};
        env.looks = 0;
        env.cancel_after = after;
        assert_int_equal(image_build_tiny(&env.context, "tiny", &image, &err), -1);
        assert_int_equal(err.code, BANGER_ECANCELLED);
        assert_int_equal(image_env_leftovers(&env, "images"), 0);
    }
}

/* -- What is inside ---------------------------------------------------------------------------- */

static ext2_filsys open_fs(const char *path)
{
    ext2_filsys fs = NULL;
    assert_int_equal(ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs), 0);
    return fs;
}

static struct ext2_inode inode_at(ext2_filsys fs, const char *path)
{
    ext2_ino_t number = 0;
    struct ext2_inode inode = {0};
    if (ext2fs_namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &number) != 0) {
        fail_msg("there is no %s", path);
    }
    assert_int_equal(ext2fs_read_inode(fs, number, &inode), 0);
    return inode;
}

static void test_tiny(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    struct image_record image = {0};
    if (image_build_tiny(&env.context, "tiny", &image, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(ext4_check(image.path, "tiny", &err), 0);
    ext2_filsys fs = open_fs(image.path);
    assert_int_equal(inode_at(fs, "/bin/busybox").i_mode, S_IFREG | 0755);
    assert_int_equal(inode_at(fs, "/bin/sh").i_mode, S_IFLNK | 0777);
    assert_int_equal(inode_at(fs, "/tmp").i_mode, S_IFDIR | 01777);
    assert_int_equal(inode_at(fs, "/root").i_mode, S_IFDIR | 0700);
    assert_int_equal(inode_at(fs, "/etc/shadow").i_mode, S_IFREG | 0600);
    assert_int_equal(inode_at(fs, "/bin/busybox").i_uid, 0);
    ext2_ino_t number = 0;
    assert_int_not_equal(ext2fs_namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, "/bin/init", &number), 0);
    ext2fs_free(fs);
    assert_int_equal(image_env_leftovers(&env, "images"), 1);
    image_record_free(&image);
}

static void test_tree(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    const struct ext4_attr attr = {.mode = 0640, .uid = 100000, .gid = 70000, .mtime = 12345};
    format(rootfs);
    struct ext4 *fs = ext4_open(rootfs, &err);
    assert_non_null(fs);
    assert_int_equal(ext4_data(fs, "/a/b/file", attr, "text", 4, &err), 0);
    assert_int_equal(ext4_hardlink(fs, "a/b/second", "a/b/file", &err), 0);
    assert_int_equal(ext4_symlink(fs, "/a/link", attr, "b/file", &err), 0);
    assert_int_equal(ext4_dir(fs, "a/", (struct ext4_attr){.mode = 01777}, &err), 0);
    assert_int_equal(ext4_node(fs, "/dev/x", attr, S_IFBLK, makedev(259, 300), &err), 0);
    assert_int_equal(ext4_node(fs, "/dev/fifo", attr, S_IFIFO, 0, &err), 0);
    for (int i = 0; i < 500; i++) { /* more than one block of names */
        AUTO_FREE char *path = str_format("/many/a-rather-long-name-for-a-file-%d", i);
        assert_int_equal(ext4_data(fs, path, attr, "", 0, &err), 0);
    }
    assert_int_equal(ext4_close(fs, &err), 0);
    assert_int_equal(ext4_check(rootfs, "rootfs", &err), 0);

    ext2_filsys check = open_fs(rootfs);
    struct ext2_inode file = inode_at(check, "/a/b/second");
    assert_int_equal(file.i_mode, S_IFREG | 0640);
    assert_int_equal(file.i_links_count, 2);
    assert_int_equal(inode_uid(file), 100000);
    assert_int_equal(inode_gid(file), 70000);
    assert_int_equal(file.i_mtime, 12345);
    assert_int_equal(file.i_size, 4);
    assert_int_equal(inode_at(check, "/a").i_mode, S_IFDIR | 01777);
    assert_int_equal(inode_at(check, "/a/b").i_mode, S_IFDIR | 0755);
    assert_int_equal(inode_at(check, "/dev/x").i_block[1], 44 | 259 << 8 | 256 << 12);
    (void)inode_at(check, "/many/a-rather-long-name-for-a-file-499");
    ext2fs_free(check);
}

static void test_tree_refuses(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    const struct ext4_attr attr = {.mode = 0644};
    format(rootfs);
    AUTO(ext4_drop) struct ext4 *fs = ext4_open(rootfs, &err);
    assert_non_null(fs);
    assert_int_equal(ext4_data(fs, "/a/../../b", attr, "", 0, &err), -1);
    assert_int_equal(ext4_data(fs, "/file", attr, "", 0, &err), 0);
    assert_int_equal(ext4_data(fs, "/file", attr, "", 0, &err), -1);
    assert_non_null(strstr(err.message, "there already"));
    assert_int_equal(ext4_data(fs, "/file/x", attr, "", 0, &err), -1);
    assert_non_null(strstr(err.message, "not a folder"));
    assert_int_equal(ext4_hardlink(fs, "/x", "/nothing", &err), -1);
    assert_int_equal(ext4_dir(fs, "/folder", attr, &err), 0);
    assert_int_equal(ext4_hardlink(fs, "/x", "/folder", &err), -1);
    AUTO_FREE char *big = xcalloc(1, (size_t)SIZE);
    memset(big, 1, (size_t)SIZE);
    assert_int_equal(ext4_data(fs, "/big", attr, big, (size_t)SIZE, &err), -1);
    assert_int_equal(err.code, BANGER_EFULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_register),
        TEST(test_register_what_is_none),
        TEST(test_name_taken),
        TEST(test_two_builds_of_one_name),
        TEST(test_cancelled_anywhere),
        TEST(test_cancelled_tiny),
        TEST(test_tiny),
        TEST(test_tree),
        TEST(test_tree_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
