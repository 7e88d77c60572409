/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files, the record and the words of dm-snapshot; the host's part of it is told what to answer. */
#include "disk.h"
#include "temp_dir.h"
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define DEVICE "/dev/mapper/banger-0123456789ab-11112222"

static struct temp_dir dir;
static struct fake_host *fake;
static json_t *status; /* what snapshot.status answers */

static const struct banger_rootfs *rootfs(void)
{
    return banger_plugin_v1()->rootfs;
}

static json_t *operate(const char *name, const json_t *args)
{
    (void)args;
    return strcmp(name, "snapshot.status") == 0 ? json_incref(status) : json_object();
}

static json_t *run_well(const json_t *argv)
{
    (void)argv;
    return json_pack("{s:i, s:s, s:s}", "status", 0, "stdout", "", "stderr", "");
}

static void write_image(const char *name, off_t size)
{
    int fd = open(temp_dir_at(&dir, name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    for (off_t at = 0; at < size; at += MIB) {
        assert_int_equal(pwrite(fd, "i", 1, at), 1);
    }
    (void)close(fd);
}

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    fake =
        fake_host_new("{\"vm\": {\"id\": \"11112222333344445555666677778888\", \"name\": \"web\","
                      "\"short_id\": \"11112222\", \"disk_mib\": 4}, \"config\": {\"chunk\": 4096,"
                      "\"cow_size\": 0}, \"host\": {\"instance\": \"0123456789ab\"}}");
    fake_host_set(fake, "host.state_dir", json_string(dir.path));
    fake_host_set(fake, "vm.dir", json_string(temp_dir_at(&dir, "vm")));
    fake_host_set(fake, "image.path", json_string(temp_dir_at(&dir, "image")));
    fake_host_set(fake, "image.digest", json_string("none"));
    fake_host_set_operator(fake, operate);
    fake_host_set_runner(fake, run_well);
    status = json_pack("{s:s, s:i, s:i}", "state", "ok", "used", 0, "total", 100);
    write_image("image", 4 * MIB);
    return mkdir(temp_dir_at(&dir, "vm"), 0700);
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(status);
    fake_host_free(fake);
    temp_dir_remove(&dir);
    return 0;
}

static int call(banger_hook hook)
{
    fake_host_clear_error(fake);
    return fake_host_call(fake, hook);
}

static void must(banger_hook hook)
{
    if (call(hook) < 0) {
        fail_msg("%s", fake_host_error(fake));
    }
}

static off_t size_of(const char *name)
{
    struct stat found;

    return stat(temp_dir_at(&dir, name), &found) == 0 ? found.st_size : -1;
}

static void assert_failed(banger_hook hook, int code, const char *text)
{
    assert_int_equal(call(hook), -1);
    assert_int_equal(fake_host_code(fake), code);
    if (strstr(fake_host_error(fake), text) == NULL) {
        fail_msg("'%s' is not in '%s'", text, fake_host_error(fake));
    }
}

static const json_t *last_operation(void)
{
    const json_t *all = fake_host_operations(fake);

    return json_array_get(all, json_array_size(all) - 1);
}

/* -- Files ------------------------------------------------------------------------------------------ */

static void create_makes_room_for_every_change_of_the_image(void **state)
{
    struct stat found;

    (void)state;
    must(rootfs()->create);
    /* 1024 chunks of 4 KiB, a header, 4 full tables of 256, two more. */
    assert_int_equal(size_of("vm/rootfs.cow"), (1024 + 1 + 4 + 2) * 4096);
    assert_int_equal(stat(temp_dir_at(&dir, "vm/rootfs.cow"), &found), 0);
    assert_int_equal(found.st_blocks, 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(size_of("vm/rootfs.tail"), -1);
}

static void what_is_beyond_the_image_has_its_own_file(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.disk_mib", json_integer(10));
    must(rootfs()->create);
    assert_int_equal(size_of("vm/rootfs.tail"), 6 * MIB);
}

static void a_disk_is_never_smaller_than_its_image(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.disk_mib", json_integer(1));
    must(rootfs()->create);
    assert_int_equal(size_of("vm/rootfs.tail"), -1);
    must(rootfs()->attach);
}

static void create_is_done_once(void **state)
{
    (void)state;
    must(rootfs()->create);
    assert_int_equal(truncate(temp_dir_at(&dir, "vm/rootfs.cow"), 8192), 0);
    must(rootfs()->create);
    assert_int_equal(size_of("vm/rootfs.cow"), 8192);
}

static void what_an_interrupted_create_left_is_replaced(void **state)
{
    (void)state;
    temp_dir_write(&dir, "vm/rootfs.cow", "half a file");
    must(rootfs()->create);
    assert_string_equal(temp_dir_read(&dir, "vm/rootfs.cow"), "");
}

static void an_image_has_whole_sectors(void **state)
{
    (void)state;
    assert_int_equal(truncate(temp_dir_at(&dir, "image"), 4 * MIB + 1), 0);
    assert_failed(rootfs()->create, BANGER_ECORRUPT, "whole sectors");
    assert_int_equal(unlink(temp_dir_at(&dir, "image")), 0);
    assert_failed(rootfs()->create, BANGER_EIO, "image");
}

static void resize_grows_and_never_shrinks(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.disk_mib", json_integer(6));
    must(rootfs()->resize); /* never started */
    must(rootfs()->create);
    fake_host_set(fake, "vm.disk_mib", json_integer(9));
    must(rootfs()->resize);
    assert_int_equal(size_of("vm/rootfs.tail"), 5 * MIB);
    fake_host_set(fake, "vm.disk_mib", json_integer(8));
    assert_failed(rootfs()->resize, BANGER_EINVALID, "has 9 MiB and cannot shrink to 8 MiB");
    assert_int_equal(size_of("vm/rootfs.tail"), 5 * MIB);
}

/* -- Attach ----------------------------------------------------------------------------------------- */

static void attach_is_journaled_and_cleanup_undoes_it(void **state)
{
    (void)state;
    must(rootfs()->create);
    must(rootfs()->attach);
    const json_t *row = json_array_get(fake_host_resources(fake), 0);
    assert_string_equal(json_string_value(json_object_get(row, "kind")), "snapshot");
    assert_string_equal(json_string_value(json_object_get(row, "key")), DEVICE);
    assert_string_equal(json_string_value(json_object_get(row, "state")), "held");
    assert_string_equal(json_string_value(json_object_get(last_operation(), "name")),
                        "snapshot.attach");
    assert_int_equal(json_array_size(fake_host_runs(fake)), 0); /* nothing to grow */
    must(rootfs()->cleanup);
    assert_int_equal(json_array_size(fake_host_resources(fake)), 0);
    assert_string_equal(json_string_value(json_object_get(last_operation(), "name")),
                        "snapshot.detach");
    size_t count = json_array_size(fake_host_operations(fake));
    must(rootfs()->cleanup);
    assert_int_equal(json_array_size(fake_host_operations(fake)), count);
}

static void the_file_system_grows_once_for_each_size(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.disk_mib", json_integer(10));
    must(rootfs()->create);
    must(rootfs()->attach);
    assert_int_equal(json_array_size(fake_host_runs(fake)), 2); /* e2fsck, resize2fs */
    must(rootfs()->attach);
    assert_int_equal(json_array_size(fake_host_runs(fake)), 2);
    fake_host_set(fake, "vm.disk_mib", json_integer(12));
    must(rootfs()->resize);
    must(rootfs()->attach);
    assert_int_equal(json_array_size(fake_host_runs(fake)), 4);
}

static void contribute_says_what_attach_gives(void **state)
{
    (void)state;
    must(rootfs()->contribute);
    const json_t *drive = json_array_get(fake_host_contribution(fake, "drives"), 0);
    assert_string_equal(json_string_value(json_object_get(drive, "path")), DEVICE);
    assert_true(json_is_true(json_object_get(drive, "root")));
}

static void a_larger_cow_size_holds_from_the_next_start(void **state)
{
    (void)state;
    fake_host_set(fake, "config.cow_size", json_integer(MIB));
    must(rootfs()->create);
    assert_int_equal(size_of("vm/rootfs.cow"), MIB);
    fake_host_set(fake, "config.cow_size", json_integer(2 * MIB));
    must(rootfs()->attach);
    assert_int_equal(size_of("vm/rootfs.cow"), 2 * MIB);
    fake_host_set(fake, "config.cow_size", json_integer(MIB));
    must(rootfs()->attach);
    assert_int_equal(size_of("vm/rootfs.cow"), 2 * MIB);
}

/* SHA-256 of what write_image has made of 4 MiB, by sha256sum. */
static void learn_digest(void)
{
    char command[PATH_MAX + 32];
    char digest[65] = "";

    (void)snprintf(command, sizeof(command), "sha256sum %s", temp_dir_at(&dir, "image"));
    FILE *output = popen(command, "re");
    assert_non_null(output);
    assert_int_equal(fread(digest, 1, 64, output), 64);
    assert_int_equal(pclose(output), 0);
    fake_host_set(fake, "image.digest", json_string(digest));
}

static void an_image_is_known_by_its_content(void **state)
{
    (void)state;
    learn_digest();
    must(rootfs()->create);
    assert_int_equal(unlink(temp_dir_at(&dir, "image")), 0);
    write_image("image", 4 * MIB);
    must(rootfs()->attach);
    const json_t *args = json_object_get(last_operation(), "args");
    struct stat found;
    assert_int_equal(stat(temp_dir_at(&dir, "image"), &found), 0);
    assert_int_equal(json_integer_value(json_object_get(args, "base_inode")), found.st_ino);
    size_t told = json_array_size(fake_host_progress(fake));
    must(rootfs()->attach); /* the record has the new inode: nothing is read */
    assert_int_equal(json_array_size(fake_host_progress(fake)), told);
}

static void another_image_is_refused(void **state)
{
    (void)state;
    learn_digest();
    must(rootfs()->create);
    int fd = open(temp_dir_at(&dir, "image"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, MIB), 1);
    (void)close(fd);
    assert_failed(rootfs()->attach, BANGER_ECORRUPT, "it has another content");
    write_image("image", 5 * MIB);
    assert_failed(rootfs()->attach, BANGER_ECORRUPT, "it has another size");
    assert_int_equal(json_array_size(fake_host_operations(fake)), 0);
    assert_int_equal(json_array_size(fake_host_resources(fake)), 0);
}

static void a_spoilt_record_is_no_new_disk(void **state)
{
    (void)state;
    temp_dir_write(&dir, "vm/rootfs.json", "{}");
    assert_failed(rootfs()->create, BANGER_ECORRUPT, "does not describe a disk");
    assert_failed(rootfs()->attach, BANGER_ECORRUPT, "does not describe a disk");
    assert_int_equal(size_of("vm/rootfs.cow"), -1);
}

static void a_disk_that_was_given_up_is_taken_up(void **state)
{
    static const uint32_t given_up[] = {0x70416e53, 0, 1, 8};
    uint32_t header[4] = {0};

    (void)state;
    must(rootfs()->create);
    int fd = open(temp_dir_at(&dir, "vm/rootfs.cow"), O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, given_up, sizeof(given_up), 0), sizeof(given_up));
    must(rootfs()->attach);
    assert_int_equal(pread(fd, header, sizeof(header), 0), sizeof(header));
    assert_int_equal(header[1], 1);
    assert_int_equal(header[3], 8);
    (void)close(fd);
}

/* -- Check and health ------------------------------------------------------------------------------- */

static void check_refuses_what_cannot_be(void **state)
{
    (void)state;
    must(rootfs()->check);
    fake_host_set(fake, "config.chunk", json_integer(12288));
    assert_failed(rootfs()->check, BANGER_EINVALID, "not a power of 2");
    fake_host_set(fake, "config.chunk", json_integer(4096));
    fake_host_set(fake, "config.cow_size", json_integer(4096));
    assert_failed(rootfs()->check, BANGER_EINVALID, "at least 1M");
}

static void answer(const char *said, int used, int total)
{
    json_decref(status);
    status = json_pack("{s:s, s:i, s:i}", "state", said, "used", used, "total", total);
}

static void health_tells_what_is_wrong_and_what_to_do(void **state)
{
    (void)state;
    fake_host_set(fake, "config.cow_size", json_integer(2 * MIB));
    must(rootfs()->create);
    must(rootfs()->health);
    answer("full", 0, 0);
    assert_failed(rootfs()->health, BANGER_EFULL, "its root disk is full: the 2 MiB of ");
    assert_non_null(strstr(fake_host_hint(fake), "cow_size"));
    answer("invalid", 0, 0);
    assert_failed(rootfs()->health, BANGER_EIO, "could not write to rootfs.cow");
    answer("gone", 0, 0);
    assert_failed(rootfs()->health, BANGER_EIO, "gone");
}

static void a_host_that_cannot_be_asked_is_no_failure(void **state)
{
    (void)state;
    must(rootfs()->create);
    json_decref(status);
    status = NULL;
    assert_int_equal(call(rootfs()->health), 0);
}

static void filling_is_told_once_and_only_where_it_can_overflow(void **state)
{
    (void)state;
    must(rootfs()->create);
    answer("ok", 99, 100);
    must(rootfs()->health);
    assert_int_equal(json_array_size(fake_host_events(fake)), 0); /* room for all there is */
    assert_int_equal(truncate(temp_dir_at(&dir, "vm/rootfs.cow"), MIB), 0);
    answer("ok", 79, 100);
    must(rootfs()->health);
    assert_int_equal(json_array_size(fake_host_events(fake)), 0);
    answer("ok", 80, 100);
    must(rootfs()->health);
    assert_int_equal(json_array_size(fake_host_events(fake)), 1);
    fake_host_set(fake, "runtime.dm-snapshot.warned", json_true());
    must(rootfs()->health);
    assert_int_equal(json_array_size(fake_host_events(fake)), 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(create_makes_room_for_every_change_of_the_image),
        TEST(what_is_beyond_the_image_has_its_own_file),
        TEST(a_disk_is_never_smaller_than_its_image),
        TEST(create_is_done_once),
        TEST(what_an_interrupted_create_left_is_replaced),
        TEST(an_image_has_whole_sectors),
        TEST(resize_grows_and_never_shrinks),
        TEST(attach_is_journaled_and_cleanup_undoes_it),
        TEST(the_file_system_grows_once_for_each_size),
        TEST(contribute_says_what_attach_gives),
        TEST(a_larger_cow_size_holds_from_the_next_start),
        TEST(an_image_is_known_by_its_content),
        TEST(another_image_is_refused),
        TEST(a_spoilt_record_is_no_new_disk),
        TEST(a_disk_that_was_given_up_is_taken_up),
        TEST(check_refuses_what_cannot_be),
        TEST(health_tells_what_is_wrong_and_what_to_do),
        TEST(a_host_that_cannot_be_asked_is_no_failure),
        TEST(filling_is_told_once_and_only_where_it_can_overflow),
    };
    return cmocka_run_group_tests_name("plugin_dm-snapshot", tests, NULL, NULL);
}
