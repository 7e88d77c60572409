/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Importing and deleting of kernels; with BANGER_TEST_DEB=FILE also a real package. */
#include "image/image.h"

#include "image/control.h"
#include "image/deb.h"
#include "image/staging.h"
#include "image_env.h"
#include "image_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct image_env env;
static char sample[PATH_MAX]; /* a kernel file with everything built in */
static char package[PATH_MAX];

static void write_kernel(const char *path, int flags)
{
    AUTO_BUF struct buf kernel = BUF_INIT;
    AUTO_BUF struct buf payload = BUF_INIT;
    AUTO_BUF struct buf image = BUF_INIT;
    sample_kernel(&kernel, flags);
    sample_pack(&payload, &kernel, "zstd");
    sample_bzimage(&image, &payload, kernel.length);
    sample_file_write(path, &image);
}

#define MODULES "./lib/modules/" SAMPLE_VERSION "/"

static void write_package(const char *path, const char *control)
{
    AUTO_BUF struct buf kernel = BUF_INIT;
    AUTO_BUF struct buf deb = BUF_INIT;
    static const char *const names[] = {"virtio_mmio", "virtio_blk", "virtio_console", "ext4"};
    struct buf modules[COUNT_OF(names)] = {BUF_INIT};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        sample_module(&modules[i], names[i], "");
    }
    sample_kernel(&kernel, SAMPLE_PVH);
    const struct sample_member members[] = {
        {"./boot/vmlinuz-" SAMPLE_VERSION, kernel.data, kernel.length, NULL},
        {MODULES "kernel/drivers/virtio/virtio_mmio.ko", modules[0].data, modules[0].length, NULL},
        {MODULES "kernel/virtio_blk.ko", modules[1].data, modules[1].length, NULL},
        {MODULES "../../../../virtio_console.ko", modules[2].data, modules[2].length, NULL},
        {MODULES "build", "", 0, "/etc"},
        {MODULES "kernel/ext4.ko", modules[3].data, modules[3].length, NULL},
        {"./etc/passwd", "no\n", 3, NULL},
    };
    sample_deb(&deb, control, members, COUNT_OF(members));
    sample_file_write(path, &deb);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buf_free(&modules[i]);
    }
}

static int setup(void **state)
{
    (void)state;
    image_env_open(&env);
    (void)snprintf(sample, sizeof(sample), "%s", temp_dir_at(&env.dir, "vmlinuz"));
    (void)snprintf(package, sizeof(package), "%s", temp_dir_at(&env.dir, "kernel.deb"));
    write_kernel(sample, SAMPLE_PVH | SAMPLE_VIRTIO);
    write_package(package, "Package: linux-image-" SAMPLE_VERSION "\nVersion: 6.1\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    image_env_close(&env);
    return 0;
}

static void expect_nothing_left(const struct kernel_source *source, enum banger_code code,
                                const char *text)
{
    banger_error err = BANGER_ERROR_INIT;
    struct kernel_record kernel = {0};
    if (kernel_import(&env.context, source, &kernel, &err) == 0) {
        kernel_record_free(&kernel);
        fail_msg("imported");
    }
    if (err.code != code || strstr(err.message, text) == NULL) {
        fail_msg("expected '%s' (%d), got '%s' (%d)", text, code, err.message, err.code);
    }
    assert_int_equal(image_env_leftovers(&env, "kernels"), 0);
}

static void import(const struct kernel_source *source, struct kernel_record *kernel)
{
    banger_error err = BANGER_ERROR_INIT;
    if (kernel_import(&env.context, source, kernel, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static void test_import_file(void **state)
{
    (void)state;
    struct kernel_record kernel = {0};
    struct kernel_record found = {0};
    import(&(struct kernel_source){.vmlinuz = sample}, &kernel);
    assert_string_equal(kernel.name, SAMPLE_VERSION);
    assert_string_equal(kernel.version, SAMPLE_VERSION);
    assert_int_equal(strlen(kernel.digest), DIGEST_LENGTH);
    assert_int_equal(access(kernel.path, R_OK), 0);
    assert_null(kernel.initramfs); /* all that guests need is built in */
    assert_int_equal(kernel_find(env.store, SAMPLE_VERSION, &found, NULL), 0);
    assert_string_equal(found.path, kernel.path);
    assert_int_equal(image_env_leftovers(&env, "kernels"), 1); /* its folder, and no row */
    kernel_record_free(&kernel);
    kernel_record_free(&found);
}

/* The agent is reached by a console's port or by vsock: a kernel without modules has one of them. */
static void test_import_channel(void **state)
{
    (void)state;
    AUTO_FREE char *path = xstrdup(temp_dir_at(&env.dir, "vsock"));
    struct kernel_record kernel = {0};
    write_kernel(path, SAMPLE_PVH | SAMPLE_DISK);
    expect_nothing_left(&(struct kernel_source){.vmlinuz = path}, BANGER_EUNSUPPORTED,
                        "virtio_console is neither");
    write_kernel(path, SAMPLE_PVH | SAMPLE_VSOCK);
    import(&(struct kernel_source){.vmlinuz = path}, &kernel);
    assert_null(kernel.initramfs);
    kernel_record_free(&kernel);
}

static void test_import_package(void **state)
{
    (void)state;
    struct kernel_record kernel = {0};
    AUTO_BUF struct buf initramfs = BUF_INIT;
    import(&(struct kernel_source){.deb_file = package, .name = "mine"}, &kernel);
    assert_string_equal(kernel.name, "mine");
    assert_string_equal(kernel.version, SAMPLE_VERSION);
    assert_non_null(kernel.initramfs);
    assert_int_equal(file_read(kernel.initramfs, 1 << 20, &initramfs, NULL), 0);
    static const char order[] = "/banger/mod/virtio_mmio.ko\n/banger/mod/virtio_blk.ko\n"
                                "/banger/mod/virtio_console.ko\n/banger/mod/ext4.ko\n";
    assert_non_null(memmem(initramfs.data, initramfs.length, order, strlen(order)));
    assert_int_equal(image_env_leftovers(&env, "kernels"), 1);
    assert_false(temp_dir_has(&env.dir, "state/virtio_console.ko")); /* the path with .. in it */
    kernel_record_free(&kernel);
}

static void test_delete(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    struct kernel_record kernel = {0};
    import(&(struct kernel_source){.vmlinuz = sample}, &kernel);
    assert_int_equal(kernel_delete(&env.context, SAMPLE_VERSION, &err), 0);
    assert_int_equal(image_env_leftovers(&env, "kernels"), 0);
    assert_int_equal(kernel_delete(&env.context, SAMPLE_VERSION, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    kernel_record_free(&kernel);
}

static void test_name_taken(void **state)
{
    (void)state;
    struct kernel_record kernel = {0};
    const struct kernel_source sources[] = {
        {.vmlinuz = sample},
        {.deb_file = package},
        {.vmlinuz = "/nonexistent", .name = SAMPLE_VERSION}, /* before anything is looked at */
    };
    import(&sources[0], &kernel);
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        banger_error err = BANGER_ERROR_INIT;
        struct kernel_record other = {0};
        assert_int_equal(kernel_import(&env.context, &sources[i], &other, &err), -1);
        assert_int_equal(err.code, BANGER_EEXISTS);
        assert_int_equal(image_env_leftovers(&env, "kernels"), 1);
    }
    kernel_record_free(&kernel);
}

static void test_bad_sources(void **state)
{
    (void)state;
    AUTO_FREE char *plain = xstrdup(temp_dir_at(&env.dir, "plain"));
    AUTO_FREE char *meta = xstrdup(temp_dir_at(&env.dir, "meta.deb"));
    AUTO_BUF struct buf deb = BUF_INIT;
    write_kernel(plain, SAMPLE_PVH);
    sample_deb(&deb, "Package: linux-image-amd64\nDepends: linux-image-6.1 (= 1)\n", NULL, 0);
    sample_file_write(meta, &deb);
    expect_nothing_left(&(struct kernel_source){0}, BANGER_EINVALID, "exactly one");
    expect_nothing_left(&(struct kernel_source){.vmlinuz = sample, .deb_file = package},
                        BANGER_EINVALID, "exactly one");
    expect_nothing_left(&(struct kernel_source){.deb_file = package, .modules = "/"},
                        BANGER_EINVALID, "exactly one");
    expect_nothing_left(&(struct kernel_source){.vmlinuz = sample, .name = "a/b"}, BANGER_EINVALID,
                        "a/b");
    expect_nothing_left(&(struct kernel_source){.vmlinuz = "/nonexistent"}, BANGER_ENOTFOUND,
                        "/nonexistent");
    expect_nothing_left(&(struct kernel_source){.vmlinuz = package}, BANGER_EINVALID,
                        "no usable kernel");
    expect_nothing_left(&(struct kernel_source){.vmlinuz = plain}, BANGER_EUNSUPPORTED,
                        "has no virtio");
    expect_nothing_left(&(struct kernel_source){.vmlinuz = sample, .modules = env.dir.path},
                        BANGER_EUNSUPPORTED, "virtio_mmio is neither");
    expect_nothing_left(&(struct kernel_source){.deb_file = sample}, BANGER_EINVALID,
                        "no Debian package");
    expect_nothing_left(&(struct kernel_source){.deb_file = "/nonexistent.deb"}, BANGER_ENOTFOUND,
                        "/nonexistent.deb");
    expect_nothing_left(&(struct kernel_source){.deb_file = meta}, BANGER_EINVALID,
                        "no kernel in the package");
    expect_nothing_left(&(struct kernel_source){.deb_package = "--help"}, BANGER_EINVALID,
                        "invalid package name");
}

/* At every point where somebody looks: nothing is left, until the import is done. */
static void test_cancelled_anywhere(void **state)
{
    (void)state;
    const struct kernel_source source = {.deb_file = package};
    for (int after = 0;; after++) {
        banger_error err = BANGER_ERROR_INIT;
        struct kernel_record kernel = {0};
        env.looks = 0;
        env.cancel_after = after;
        if (kernel_import(&env.context, &source, &kernel, &err) == 0) {
            kernel_record_free(&kernel);
            assert_true(after > 10);
            return;
        }
        assert_int_equal(err.code, BANGER_ECANCELLED);
        assert_int_equal(image_env_leftovers(&env, "kernels"), 0);
    }
}

static void test_damaged_packages(void **state)
{
    (void)state;
    AUTO_BUF struct buf deb = BUF_INIT;
    assert_int_equal(file_read(package, 1 << 22, &deb, NULL), 0);
    AUTO_FREE char *path = xstrdup(temp_dir_at(&env.dir, "damaged.deb"));
    size_t whole = deb.length;
    for (size_t length = 0; length < whole - 8; length += whole / 37) {
        banger_error err = BANGER_ERROR_INIT;
        struct kernel_record kernel = {0};
        deb.length = length;
        sample_file_write(path, &deb);
        const struct kernel_source source = {.deb_file = path};
        assert_int_equal(kernel_import(&env.context, &source, &kernel, &err), -1);
        assert_int_equal(err.code, BANGER_EINVALID);
        assert_int_equal(image_env_leftovers(&env, "kernels"), 0);
    }
}

static void test_control_fields(void **state)
{
    (void)state;
    static const char text[] = "Package: a\nDescription: x\n Depends: no\n"
                               "Depends: libc6, linux-image-6.1.0-1-amd64 (= 1) | other\n\n"
                               "Version: of another paragraph\n";
    AUTO_FREE char *name = control_field(text, "package");
    AUTO_FREE char *version = control_field(text, "Version");
    AUTO_FREE char *kernel = control_kernel_dependency(text);
    AUTO_FREE char *two = control_kernel_dependency("Depends: linux-image-1, linux-image-2\n");
    assert_string_equal(name, "a");
    assert_null(version);
    assert_string_equal(kernel, "linux-image-6.1.0-1-amd64");
    assert_null(two);
    assert_null(control_field("", "A"));
}

static void test_real_package(void **state)
{
    (void)state;
    const char *path = getenv("BANGER_TEST_DEB");
    if (path == NULL) {
        print_message("BANGER_TEST_DEB is not set: no real package to import\n");
        skip();
    }
    struct kernel_record kernel = {0};
    import(&(struct kernel_source){.deb_file = path}, &kernel);
    assert_non_null(strstr(path, kernel.version));
    kernel_record_free(&kernel);
}

/* -- After a crash ----------------------------------------------------------------------------- */

static int release_first_row(banger_error *err)
{
    struct resource_list rows = {0};
    assert_int_equal(journal_list_all(env.store, &rows, NULL), 0);
    assert_int_equal(rows.count, 1);
    assert_string_equal(rows.items[0].kind, STAGING_RESOURCE);
    int result = staging_release(env.store, &env.layout, &rows.items[0], err);
    resource_list_free(&rows);
    return result;
}

static void test_release_unfinished(void **state)
{
    (void)state;
    struct staging staging = STAGING_INIT;
    assert_int_equal(staging_begin(&env.context, STAGING_KERNEL, &staging, NULL), 0);
    AUTO_FREE char *file = staging_path(&staging, "vmlinux");
    assert_int_equal(file_write_atomic(file, "x", 1, 0600, NULL), 0);
    staging.journal_id = 0; /* the daemon dies here */
    staging_end(&staging);
    assert_int_equal(image_env_leftovers(&env, "kernels"), 2);
    assert_int_equal(release_first_row(NULL), 0);
    assert_int_equal(image_env_leftovers(&env, "kernels"), 0);
}

static void test_release_spares_records(void **state)
{
    (void)state;
    struct kernel_record kernel = {0};
    import(&(struct kernel_source){.vmlinuz = sample}, &kernel);
    AUTO_FREE char *folder = layout_kernel_dir(&env.layout, kernel.id);
    AUTO_JSON json_t *attrs = json_pack("{s:s, s:s}", "type", "kernel", "id", kernel.id);
    assert_true(journal_intend(env.store, NULL, "core", STAGING_RESOURCE, folder, attrs, NULL) > 0);
    assert_int_equal(release_first_row(NULL), 0);
    assert_int_equal(access(kernel.path, R_OK), 0);
    kernel_record_free(&kernel);
}

static void test_release_spares_strangers(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    AUTO_FREE char *folder = xstrdup(env.dir.path);
    AUTO_JSON json_t *attrs =
        json_pack("{s:s, s:s}", "type", "kernel", "id", "0123456789abcdef0123456789abcdef");
    assert_true(journal_intend(env.store, NULL, "core", STAGING_RESOURCE, folder, attrs, NULL) > 0);
    assert_int_equal(release_first_row(&err), -1);
    assert_int_equal(err.code, BANGER_ECORRUPT);
    assert_int_equal(access(sample, R_OK), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_import_file),
        TEST(test_import_channel),
        TEST(test_import_package),
        TEST(test_delete),
        TEST(test_name_taken),
        TEST(test_bad_sources),
        TEST(test_cancelled_anywhere),
        TEST(test_damaged_packages),
        TEST(test_control_fields),
        TEST(test_real_package),
        TEST(test_release_unfinished),
        TEST(test_release_spares_records),
        TEST(test_release_spares_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
