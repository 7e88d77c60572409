/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which modules get in, in which order, and what the archive looks like. */
#include "image/initramfs.h"

#include "image_env.h"
#include "image_samples.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct image_env env;
static const char *kernel_version = SAMPLE_VERSION;

static int setup(void **state)
{
    (void)state;
    image_env_open(&env);
    return mkdir(temp_dir_at(&env.dir, "tree"), 0700) |
           mkdir(temp_dir_at(&env.dir, "tree/kernel"), 0700) |
           mkdir(temp_dir_at(&env.dir, "scratch"), 0700);
}

static int teardown(void **state)
{
    (void)state;
    image_env_close(&env);
    return 0;
}

static void add_module(const char *file, const char *name, const char *depends, const char *filter)
{
    AUTO_BUF struct buf module = BUF_INIT;
    AUTO_BUF struct buf packed = BUF_INIT;
    AUTO_FREE char *path = str_format("tree/kernel/%s", file);
    sample_module(&module, name, depends);
    if (filter != NULL) {
        sample_pack(&packed, &module, filter);
    }
    sample_file_write(temp_dir_at(&env.dir, path), filter != NULL ? &packed : &module);
}

/* A tree with everything; ext4 is built in. */
static void add_usual_tree(void)
{
    add_module("virtio.ko.xz", "virtio", "virtio_ring", "xz");
    add_module("virtio_ring.ko.zst", "virtio_ring", "", "zstd");
    add_module("virtio_mmio.ko", "virtio_mmio", "virtio,virtio_ring", NULL);
    add_module("virtio_blk.ko.gz", "virtio_blk", "virtio,virtio_ring", "gzip");
    add_module("virtio_console.ko", "virtio_console", "virtio,virtio_ring", NULL);
    add_module("virtio-rng.ko", "virtio_rng", "virtio", NULL);
    add_module("unrelated.ko", "unrelated", "virtio", NULL);
    temp_dir_write(&env.dir, "tree/modules.builtin", "kernel/fs/ext4/ext4.ko\nkernel/lib/x-y.ko\n");
}

static int resolve(struct module_list *list, banger_error *err)
{
    const struct module_source source = {
        .dir = temp_dir_at(&env.dir, "tree"),
        .version = kernel_version,
        .scratch = temp_dir_at(&env.dir, "scratch"),
    };
    return modules_resolve(&env.context, &source, list, err);
}

static void list_text(const struct module_list *list, struct buf *text)
{
    buf_puts(text, "");
    for (size_t i = 0; i < list->count; i++) {
        buf_printf(text, "%s ", strrchr(list->paths[i], '/') + 1);
    }
}

static void test_order(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    AUTO(module_list_free) struct module_list list = {0};
    AUTO_BUF struct buf text = BUF_INIT;
    add_usual_tree();
    assert_int_equal(resolve(&list, &err), 0);
    list_text(&list, &text);
    assert_string_equal(text.data, "virtio_ring.ko virtio.ko virtio_mmio.ko virtio_blk.ko "
                                   "virtio_console.ko virtio_rng.ko ");
}

static void test_unpacked_to_plain_files(void **state)
{
    (void)state;
    AUTO(module_list_free) struct module_list list = {0};
    AUTO_BUF struct buf module = BUF_INIT;
    AUTO_BUF struct buf file = BUF_INIT;
    add_usual_tree();
    sample_module(&module, "virtio_blk", "virtio,virtio_ring");
    assert_int_equal(resolve(&list, NULL), 0);
    assert_int_equal(file_read(list.paths[3], 1 << 20, &file, NULL), 0);
    assert_int_equal(file.length, module.length);
    assert_memory_equal(file.data, module.data, module.length);
}

static void expect_refusal(enum banger_code code, const char *text)
{
    banger_error err = BANGER_ERROR_INIT;
    AUTO(module_list_free) struct module_list list = {0};
    assert_int_equal(resolve(&list, &err), -1);
    if (err.code != code || strstr(err.message, text) == NULL) {
        fail_msg("expected '%s', got '%s' (%d)", text, err.message, err.code);
    }
    assert_int_equal(list.count, 0);
}

static void test_needed_ones_are_missing(void **state)
{
    (void)state;
    add_usual_tree();
    assert_int_equal(unlink(temp_dir_at(&env.dir, "tree/kernel/virtio_blk.ko.gz")), 0);
    expect_refusal(BANGER_EUNSUPPORTED, "virtio_blk is neither built in nor there");
    add_usual_tree();
    assert_int_equal(unlink(temp_dir_at(&env.dir, "tree/modules.builtin")), 0);
    expect_refusal(BANGER_EUNSUPPORTED, "ext4 is neither built in nor there");
    add_usual_tree();
    assert_int_equal(unlink(temp_dir_at(&env.dir, "tree/kernel/virtio_ring.ko.zst")), 0);
    expect_refusal(BANGER_EUNSUPPORTED, "virtio_ring is neither");
}

static void test_damaged_modules(void **state)
{
    (void)state;
    add_usual_tree();
    temp_dir_write(&env.dir, "tree/kernel/virtio_mmio.ko", "no module");
    expect_refusal(BANGER_EINVALID, "is no kernel module");
    add_usual_tree();
    add_module("virtio_ring.ko.zst", "virtio_ring", "virtio", "zstd");
    expect_refusal(BANGER_EUNSUPPORTED, "circle");
    add_usual_tree();
    temp_dir_write(&env.dir, "tree/kernel/virtio_ring.ko.zst", "");
    expect_refusal(BANGER_EINVALID, "is empty");
}

static void test_modules_of_another_kernel(void **state)
{
    (void)state;
    add_usual_tree();
    kernel_version = SAMPLE_VERSION "2";
    expect_refusal(BANGER_EINVALID, "it is for the kernel 6.1.0-test, not for 6.1.0-test2");
    kernel_version = SAMPLE_VERSION;
}

static void test_cancelled(void **state)
{
    (void)state;
    add_usual_tree();
    env.cancel_after = 2;
    expect_refusal(BANGER_ECANCELLED, "cancelled");
}

static void test_file_names(void **state)
{
    (void)state;
    assert_true(modules_is_file_name("virtio-rng.ko"));
    assert_true(modules_is_file_name("a.ko.xz"));
    assert_false(modules_is_file_name(".ko"));
    assert_false(modules_is_file_name("a.ko.xz.sh"));
    assert_false(modules_is_file_name("../a.ko"));
    assert_false(modules_is_file_name("a.txt"));
}

static void archive_text(const char *path, struct buf *text)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry = NULL;
    assert_int_equal(archive_read_support_format_cpio(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_open_filename(archive, path, 10240), ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(entry);
        buf_printf(text, "%06o %s", archive_entry_mode(entry), name);
        char content[512] = {0};
        if (strcmp(name, "banger/modules") == 0 || strcmp(name, "init") == 0) {
            assert_true(archive_read_data(archive, content, sizeof(content) - 1) >= 0);
        }
        buf_printf(text, "%s%s\n", content[0] != '\0' ? " " : "", content);
    }
    (void)archive_read_free(archive);
}

static void test_archive(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    AUTO(module_list_free) struct module_list list = {0};
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *agent = xstrdup(temp_dir_at(&env.dir, "banger-agent"));
    add_usual_tree();
    assert_int_equal(resolve(&list, &err), 0);
    assert_int_equal(initramfs_write(temp_dir_at(&env.dir, "initramfs"), agent, &list, &err), 0);
    archive_text(temp_dir_at(&env.dir, "initramfs"), &text);
    assert_string_equal(
        text.data,
        "040755 dev\n040755 proc\n040755 sys\n040755 run\n040755 root\n040755 banger\n"
        "020600 dev/console\n020666 dev/null\n100755 init this stands for the agent\n\n"
        "040755 banger/mod\n100644 banger/mod/virtio_ring.ko\n100644 banger/mod/virtio.ko\n"
        "100644 banger/mod/virtio_mmio.ko\n100644 banger/mod/virtio_blk.ko\n"
        "100644 banger/mod/virtio_console.ko\n100644 banger/mod/virtio_rng.ko\n"
        "100644 banger/modules /banger/mod/virtio_ring.ko\n/banger/mod/virtio.ko\n"
        "/banger/mod/virtio_mmio.ko\n/banger/mod/virtio_blk.ko\n/banger/mod/virtio_console.ko\n"
        "/banger/mod/virtio_rng.ko\n\n");
}

static void test_same_bytes_again(void **state)
{
    (void)state;
    struct buf files[2] = {BUF_INIT, BUF_INIT};
    static const char *const names[] = {"one", "two"};
    add_usual_tree();
    for (int i = 0; i < 2; i++) {
        AUTO(module_list_free) struct module_list list = {0};
        assert_int_equal(resolve(&list, NULL), 0);
        AUTO_FREE char *agent = xstrdup(temp_dir_at(&env.dir, "banger-agent"));
        assert_int_equal(initramfs_write(temp_dir_at(&env.dir, names[i]), agent, &list, NULL), 0);
        assert_int_equal(file_read(temp_dir_at(&env.dir, names[i]), 1 << 20, &files[i], NULL), 0);
    }
    assert_int_equal(files[0].length, files[1].length);
    assert_memory_equal(files[0].data, files[1].data, files[0].length);
    buf_free(&files[0]);
    buf_free(&files[1]);
}

static void test_without_an_agent(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    struct module_list none = {0};
    assert_int_equal(
        initramfs_write(temp_dir_at(&env.dir, "initramfs"), "/nonexistent/agent", &none, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_non_null(strstr(err.message, "/nonexistent/agent"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_unpacked_to_plain_files),
        TEST(test_needed_ones_are_missing),
        TEST(test_damaged_modules),
        TEST(test_modules_of_another_kernel),
        TEST(test_cancelled),
        TEST(test_file_names),
        TEST(test_archive),
        TEST(test_same_bytes_again),
        TEST(test_without_an_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
