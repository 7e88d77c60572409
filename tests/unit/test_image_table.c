/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/image_table.h"

#include "store_fixture.h"

static void images_come_back(void **state)
{
    struct fixture *fixture = *state;
    static char path[] = "/images/y";
    static char origin[] = "register /y";
    struct image_record image = {.name = "Debian_12",
                                 .path = path,
                                 .origin = origin,
                                 .size_bytes = INT64_C(1) << 40,
                                 .created_ms = 7};
    id_new(image.id);
    memset(image.digest, 'd', DIGEST_LENGTH);
    assert_int_equal(image_insert(fixture->store, &image, NULL), 0);

    struct image_record read;
    char prefix[9] = "";
    memcpy(prefix, image.id, 8);
    assert_int_equal(image_find(fixture->store, prefix, &read, NULL), 0);
    assert_string_equal(read.id, image.id);
    assert_string_equal(read.name, "Debian_12");
    assert_string_equal(read.path, path);
    assert_string_equal(read.origin, origin);
    assert_string_equal(read.digest, image.digest);
    assert_int_equal(read.size_bytes, image.size_bytes);
    assert_int_equal(read.created_ms, 7);
    image_record_free(&read);

    struct image_list list;
    assert_int_equal(image_list_all(fixture->store, &list, NULL), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].name, "tiny");
    assert_string_equal(list.items[1].name, "Debian_12");
    image_list_free(&list);
}

static void kernels_come_back(void **state)
{
    struct fixture *fixture = *state;
    static char path[] = "/kernels/k";
    static char initramfs[] = "/kernels/k.cpio";
    struct kernel_record kernel = {.name = "6.1", .path = path, .initramfs = initramfs};
    id_new(kernel.id);
    assert_int_equal(kernel_insert(fixture->store, &kernel, NULL), 0);
    struct kernel_record read;
    assert_int_equal(kernel_find(fixture->store, "6.1", &read, NULL), 0);
    assert_string_equal(read.initramfs, initramfs);
    assert_string_equal(read.version, ""); /* was not given */
    kernel_record_free(&read);
    assert_int_equal(kernel_find(fixture->store, "cloud", &read, NULL), 0);
    assert_null(read.initramfs);
    kernel_record_free(&read);

    struct kernel_list list;
    assert_int_equal(kernel_list_all(fixture->store, &list, NULL), 0);
    assert_int_equal(list.count, 2);
    kernel_list_free(&list);
}

static void names_are_taken_once(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    struct image_record image = fixture->image;
    id_new(image.id);
    assert_int_equal(image_insert(fixture->store, &image, &err), -1);
    assert_int_equal(err.code, BANGER_EEXISTS);
    assert_string_equal(err.message, "image 'tiny' exists already");
    struct kernel_record kernel = fixture->kernel;
    id_new(kernel.id);
    assert_int_equal(kernel_insert(fixture->store, &kernel, &err), -1);
    assert_int_equal(err.code, BANGER_EEXISTS);
    assert_non_null(strstr(err.hint, "banger kernel delete cloud"));
    (void)snprintf(image.name, sizeof(image.name), "other");
    image.id[5] = '\0'; /* no id */
    assert_int_equal(image_insert(fixture->store, &image, &err), -1);
    assert_non_null(strstr(err.message, "cannot write the image 'other'"));
}

static void unknown_gets_the_nearest(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    struct image_record image;
    struct kernel_record kernel;
    assert_int_equal(image_find(fixture->store, "tniy", &image, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_string_equal(err.message, "no image named 'tniy'");
    assert_string_equal(err.hint, "did you mean 'tiny'?");
    assert_int_equal(kernel_find(fixture->store, "cluod", &kernel, &err), -1);
    assert_string_equal(err.hint, "did you mean 'cloud'?");
}

static void what_is_used_stays(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture->store;
    banger_error err = BANGER_ERROR_INIT;
    char ids[7][ID_LENGTH + 1];
    for (int i = 0; i < 7; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "vm-%d", i);
        assert_int_equal(fixture_vm(fixture, name, ids[i], NULL), 0);
    }
    assert_int_equal(image_remove(store, fixture->image.id, &err), -1);
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_non_null(
        strstr(err.message, "used by 'vm-0', 'vm-1', 'vm-2', 'vm-3', 'vm-4' and 2 more"));
    assert_string_not_equal(err.hint, "");
    for (int i = 2; i < 7; i++) {
        assert_int_equal(vm_remove(store, ids[i], NULL), 0);
    }
    assert_int_equal(kernel_remove(store, fixture->kernel.id, &err), -1);
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_non_null(strstr(err.message, "used by 'vm-0' and 'vm-1'"));
    assert_int_equal(vm_remove(store, ids[0], NULL), 0);
    assert_int_equal(vm_remove(store, ids[1], NULL), 0);
    assert_int_equal(image_remove(store, fixture->image.id, NULL), 0);
    assert_int_equal(kernel_remove(store, fixture->kernel.id, NULL), 0);
    assert_int_equal(image_remove(store, fixture->image.id, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_int_equal(kernel_remove(store, "no id", &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_filled, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(images_come_back),     STORE_TEST(kernels_come_back),
        STORE_TEST(names_are_taken_once), STORE_TEST(unknown_gets_the_nearest),
        STORE_TEST(what_is_used_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
