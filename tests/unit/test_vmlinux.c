/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/vmlinux.h"

#include "base/cleanup.h"
#include "image_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct extraction {
    int status;
    struct elf_kernel kernel;
    banger_error err;
    off_t length;
    unsigned char *data; /* of the result; free it */
};

static int memory_file(const struct buf *data)
{
    int fd = memfd_create("sample", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data->data, data->length), data->length);
    return fd;
}

static struct extraction extract(const struct buf *image)
{
    struct extraction result = {.err = BANGER_ERROR_INIT};
    AUTO_CLOSE int from = memory_file(image);
    AUTO_CLOSE int to = memfd_create("vmlinux", MFD_CLOEXEC);
    result.status = vmlinux_extract("sample", from, to, &result.kernel, &result.err);
    struct stat info;
    assert_int_equal(fstat(to, &info), 0);
    result.length = info.st_size;
    result.data = xmalloc((size_t)info.st_size + 1);
    assert_int_equal(pread(to, result.data, (size_t)info.st_size, 0), info.st_size);
    return result;
}

static void expect_failure(const struct buf *image, enum banger_code code, const char *text)
{
    struct extraction result = extract(image);
    free(result.data);
    assert_int_equal(result.status, -1);
    assert_int_equal(result.err.code, code);
    assert_non_null(strstr(result.err.message, "sample is no usable kernel: "));
    if (strstr(result.err.message, text) == NULL) {
        fail_msg("'%s' is not in '%s'", text, result.err.message);
    }
}

static void expect_kernel(const struct buf *image, const struct buf *kernel)
{
    struct extraction result = extract(image);
    if (result.status != 0) {
        fail_msg("%s", result.err.message);
    }
    assert_int_equal(result.length, kernel->length);
    assert_memory_equal(result.data, kernel->data, kernel->length);
    assert_string_equal(result.kernel.version, SAMPLE_VERSION);
    assert_true(result.kernel.pvh);
    free(result.data);
}

static void test_formats(void **state)
{
    (void)state;
    static const char *const filters[] = {"xz", "zstd", "gzip", "bzip2", "lzma"};
    AUTO_BUF struct buf kernel = BUF_INIT;
    sample_kernel(&kernel, SAMPLE_PVH);
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        AUTO_BUF struct buf payload = BUF_INIT;
        AUTO_BUF struct buf image = BUF_INIT;
        sample_pack(&payload, &kernel, filters[i]);
        sample_bzimage(&image, &payload, kernel.length);
        expect_kernel(&image, &kernel);
    }
}

static void test_lz4_legacy(void **state)
{
    (void)state;
    AUTO_BUF struct buf kernel = BUF_INIT;
    AUTO_BUF struct buf payload = BUF_INIT;
    AUTO_BUF struct buf image = BUF_INIT;
    sample_kernel(&kernel, SAMPLE_PVH);
    sample_pack_lz4(&payload, &kernel);
    sample_bzimage(&image, &payload, kernel.length);
    expect_kernel(&image, &kernel);
}

static void test_elf_as_it_is(void **state)
{
    (void)state;
    AUTO_BUF struct buf kernel = BUF_INIT;
    sample_kernel(&kernel, SAMPLE_PVH);
    expect_kernel(&kernel, &kernel);
}

static void test_without_pvh(void **state)
{
    (void)state;
    AUTO_BUF struct buf kernel = BUF_INIT;
    sample_kernel(&kernel, 0);
    struct extraction result = extract(&kernel);
    free(result.data);
    assert_int_equal(result.status, 0);
    assert_false(result.kernel.pvh);
}

static void test_built_in_drivers(void **state)
{
    (void)state;
    AUTO_BUF struct buf with = BUF_INIT;
    AUTO_BUF struct buf without = BUF_INIT;
    sample_kernel(&with, SAMPLE_VIRTIO);
    sample_kernel(&without, 0);
    AUTO_CLOSE int with_fd = memory_file(&with);
    AUTO_CLOSE int without_fd = memory_file(&without);
    assert_int_equal(elf_kernel_mentions(with_fd, "virtio_blk", NULL), 1);
    assert_int_equal(elf_kernel_mentions(with_fd, "virtio_bl", NULL), 0);
    assert_int_equal(elf_kernel_mentions(without_fd, "virtio_blk", NULL), 0);
}

static void test_not_a_kernel(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT;
    expect_failure(&text, BANGER_EINVALID, "neither an x86 bzImage nor");
    for (int i = 0; i < 1000; i++) {
        buf_puts(&text, "This is no kernel.\n");
    }
    expect_failure(&text, BANGER_EINVALID, "neither an x86 bzImage nor");
}

static void test_other_elf_files(void **state)
{
    (void)state;
    AUTO_BUF struct buf kernel = BUF_INIT;
    sample_kernel(&kernel, SAMPLE_PVH);
    Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)kernel.data;
    header->e_machine = EM_AARCH64;
    expect_failure(&kernel, BANGER_EINVALID, "64-bit x86");
    header->e_machine = EM_X86_64;
    header->e_phnum = 0;
    expect_failure(&kernel, BANGER_EINVALID, "program headers");
    header->e_phnum = 1;
    header->e_phoff = UINT64_MAX - 8;
    expect_failure(&kernel, BANGER_EINVALID, "cut off");
    header->e_phoff = sizeof(*header);
    memset(kernel.data + kernel.length - 60, 'x', 60);
    expect_failure(&kernel, BANGER_EINVALID, "Linux version");
}

static void test_damaged_bzimages(void **state)
{
    (void)state;
    AUTO_BUF struct buf kernel = BUF_INIT;
    AUTO_BUF struct buf payload = BUF_INIT;
    AUTO_BUF struct buf image = BUF_INIT;
    sample_kernel(&kernel, SAMPLE_PVH);
    sample_pack(&payload, &kernel, "xz");

    sample_bzimage(&image, &payload, kernel.length + 1);
    expect_failure(&image, BANGER_EINVALID, "instead of");
    image.length = 0;
    sample_bzimage(&image, &payload, kernel.length - 1);
    expect_failure(&image, BANGER_EINVALID, "unpacks to more than");
    image.length = 0;
    sample_bzimage(&image, &payload, 0xffffffff);
    expect_failure(&image, BANGER_EINVALID, "would unpack to 4294967295 bytes");

    image.length = 0;
    sample_bzimage(&image, &payload, kernel.length);
    image.length -= 100;
    expect_failure(&image, BANGER_EINVALID, "is not inside");
    image.length += 100;
    image.data[SAMPLE_SETUP + 16 + 200] ^= 0x55; /* inside the packed data */
    expect_failure(&image, BANGER_EINVALID, "cannot unpack its payload");
    image.data[0x206] = 7;
    expect_failure(&image, BANGER_EINVALID, "older than 2.08");
}

static void test_unknown_packing(void **state)
{
    (void)state;
    AUTO_BUF struct buf payload = BUF_INIT;
    AUTO_BUF struct buf image = BUF_INIT;
    buf_puts(&payload, "\x89LZO and what follows it");
    sample_bzimage(&image, &payload, 1000);
    expect_failure(&image, BANGER_EUNSUPPORTED, "LZ4, XZ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),          cmocka_unit_test(test_lz4_legacy),
        cmocka_unit_test(test_elf_as_it_is),     cmocka_unit_test(test_without_pvh),
        cmocka_unit_test(test_built_in_drivers), cmocka_unit_test(test_not_a_kernel),
        cmocka_unit_test(test_other_elf_files),  cmocka_unit_test(test_damaged_bzimages),
        cmocka_unit_test(test_unknown_packing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
