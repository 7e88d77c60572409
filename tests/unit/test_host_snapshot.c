/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Root disks of loop devices and device-mapper. What the arguments may be is tried anywhere; the rest
 * where there is device-mapper and root, and skipped elsewhere (tests/testbed/snapshot.bats runs it
 * where both are). BANGER_TEST_CYCLES: how often a disk is made and removed.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "host/dm.h"
#include "host/ops.h"
#include "host/snapshot.h"
#include "temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSTANCE "0123456789ab"
#define OTHER_INSTANCE "fedcba987654"
#define VM "11112222333344445555666677778888"
#define TWIN "11112222ffffffffffffffffffffffff" /* another VM with the same short id */
#define OTHER "99992222333344445555666677778888"
#define MIB (1 << 20)
#define BASE_BYTES (4 * MIB)
#define COW_BYTES (5 * MIB)
#define TAIL_BYTES (3 * MIB)
#define DEVICE "/dev/mapper/banger-" INSTANCE "-11112222"
#define OTHER_DEVICE "/dev/mapper/banger-" INSTANCE "-99992222"

static struct temp_dir dir;
static struct host *host;
static bool usable; /* device-mapper and loop devices are here, and ours to use */

/* -- Files ------------------------------------------------------------------------------------------ */

static char *at(const char *name)
{
    return xstrdup(temp_dir_at(&dir, name));
}

static void make_file(const char *name, off_t size, char content)
{
    AUTO_CLOSE int fd = open(temp_dir_at(&dir, name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    for (off_t i = 0; content != '\0' && i < size; i += 4096) {
        assert_int_equal(pwrite(fd, &content, 1, i), 1);
    }
}

static int set_up(void **state)
{
    static const char *const folders[] = {"images", "vms", "vms/" VM, "vms/" TWIN, "vms/" OTHER};
    static const char *const vms[] = {VM, TWIN, OTHER};
    (void)state;
    temp_dir_make(&dir);
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        assert_int_equal(mkdir(temp_dir_at(&dir, folders[i]), 0700), 0);
    }
    make_file("images/base", BASE_BYTES, 'b');
    for (size_t i = 0; i < COUNT_OF(vms); i++) {
        AUTO_FREE char *cow = str_format("vms/%s/cow", vms[i]);
        AUTO_FREE char *tail = str_format("vms/%s/tail", vms[i]);
        make_file(cow, COW_BYTES, '\0');
        make_file(tail, TAIL_BYTES, '\0');
    }
    host = host_new(INSTANCE, dir.path, dir.path);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const vms[] = {VM, TWIN, OTHER};
    (void)state;
    for (size_t i = 0; usable && i < COUNT_OF(vms); i++) {
        assert_int_equal(snapshot_detach(host, vms[i], NULL), 0);
    }
    host_free(host);
    temp_dir_remove(&dir);
    return 0;
}

/* -- Operations ------------------------------------------------------------------------------------- */

/* What a plugin would say. `tail`: with one. */
static json_t *arguments(const char *vm, bool tail)
{
    AUTO_FREE char *base = at("images/base");
    AUTO_FREE char *cow = str_format("%s/vms/%s/cow", dir.path, vm);
    struct stat status;
    assert_int_equal(stat(base, &status), 0);
    json_t *args = json_pack("{s:s, s:I, s:I, s:s, s:i}", "base", base, "base_size",
                             (json_int_t)status.st_size, "base_inode", (json_int_t)status.st_ino,
                             "cow", cow, "chunk", 4096);
    if (tail) {
        AUTO_FREE char *path = str_format("%s/vms/%s/tail", dir.path, vm);
        json_put(args, "tail", json_string(path));
    }
    return args;
}

/* Steals `args`. */
static int run_op(struct host *on, const char *vm, const char *name, json_t *args, json_t **result,
                  banger_error *err)
{
    AUTO_JSON json_t *answer = NULL;
    AUTO_JSON json_t *own = args;
    int status = host_op_run(on, vm, name, own, &answer, err);
    if (status == 0 && result != NULL) {
        *result = STEAL(answer);
    }
    return status;
}

static void attach_with(const char *vm, json_t *args)
{
    banger_error err = BANGER_ERROR_INIT;
    if (run_op(host, vm, "snapshot.attach", args, NULL, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static void attach(const char *vm, bool tail)
{
    attach_with(vm, arguments(vm, tail));
}

static void detach(const char *vm)
{
    banger_error err = BANGER_ERROR_INIT;
    if (run_op(host, vm, "snapshot.detach", json_object(), NULL, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static void assert_status(const char *vm, const char *wanted)
{
    AUTO_JSON json_t *result = NULL;
    banger_error err = BANGER_ERROR_INIT;
    if (run_op(host, vm, "snapshot.status", json_object(), &result, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(json_get_string(result, "state", ""), wanted);
}

static void assert_refused(const char *vm, json_t *args, enum banger_code code, const char *text)
{
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(run_op(host, vm, "snapshot.attach", args, NULL, &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.message, text) == NULL) {
        fail_msg("'%s' is not in '%s'", text, err.message);
    }
}

static json_t *with(const char *key, json_t *value)
{
    json_t *args = arguments(VM, true);
    json_put(args, key, value);
    return args;
}

static json_t *with_path(const char *key, const char *name)
{
    return with(key, json_string(temp_dir_at(&dir, name)));
}

/* -- Arguments -------------------------------------------------------------------------------------- */

static void a_path_is_below_the_state_folder(void **state)
{
    (void)state;
    assert_refused(VM, with("base", json_string("/etc/passwd")), BANGER_EINVALID, "is not below");
    assert_refused(VM, with_path("base", "images/../../x"), BANGER_EINVALID, "base");
    assert_refused(VM, with("cow", json_string("relative")), BANGER_EINVALID, "cow");
    assert_refused(VM, with("tail", json_integer(3)), BANGER_EINVALID, "tail");
}

static void a_vm_s_file_is_in_its_own_folder(void **state)
{
    (void)state;
    assert_refused(VM, with_path("cow", "vms/" OTHER "/cow"), BANGER_EINVALID, "is not below");
    assert_refused(VM, with_path("tail", "images/base"), BANGER_EINVALID, "is not below");
    assert_refused(VM, with_path("cow", "vms/" VM), BANGER_EINVALID, "is not below");
}

static void no_link_and_no_other_thing_stands_for_a_file(void **state)
{
    (void)state;
    assert_int_equal(symlink("/etc/passwd", temp_dir_at(&dir, "images/link")), 0);
    assert_int_equal(symlink("../" OTHER "/cow", temp_dir_at(&dir, "vms/" VM "/link")), 0);
    assert_int_equal(symlink(OTHER, temp_dir_at(&dir, "vms/other")), 0);
    assert_int_equal(mkfifo(temp_dir_at(&dir, "vms/" VM "/fifo"), 0600), 0);
    assert_int_equal(mkdir(temp_dir_at(&dir, "vms/" VM "/folder"), 0700), 0);
    assert_refused(VM, with_path("base", "images/link"), BANGER_EIO, "cannot open");
    assert_refused(VM, with_path("cow", "vms/" VM "/link"), BANGER_EIO, "cannot open");
    assert_refused(VM, with_path("base", "vms/other/cow"), BANGER_EIO, "cannot open");
    assert_refused(VM, with_path("cow", "vms/" VM "/fifo"), BANGER_EINVALID, "not a regular file");
    assert_refused(VM, with_path("cow", "vms/" VM "/folder"), BANGER_EIO, "cannot open");
    assert_refused(VM, with_path("cow", "vms/" VM "/none"), BANGER_ENOTFOUND, "cannot open");
}

static void a_replaced_base_is_refused(void **state)
{
    (void)state;
    assert_refused(VM, with("base_inode", json_integer(1)), BANGER_ECORRUPT, "another file");
    assert_refused(VM, with("base_size", json_integer(BASE_BYTES + 512)), BANGER_ECORRUPT,
                   "another file");
    assert_int_equal(truncate(temp_dir_at(&dir, "images/base"), BASE_BYTES - 1), 0);
    assert_refused(VM, arguments(VM, false), BANGER_ECORRUPT, "whole sectors");
}

static void a_chunk_is_a_power_of_two(void **state)
{
    (void)state;
    static const int wrong[] = {0, -4096, 512, 4097, 12288, MIB};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_refused(VM, with("chunk", json_integer(wrong[i])), BANGER_EINVALID, "chunk");
    }
    assert_refused(VM, with("chunk", json_string("4096")), BANGER_EINVALID, "chunk");
}

static void it_takes_a_vm_and_no_more_words(void **state)
{
    (void)state;
    assert_refused(NULL, arguments(VM, false), BANGER_EINVALID, "there is none here");
    assert_refused(VM, with("force", json_true()), BANGER_EINVALID, "force");
}

/* -- With device-mapper ----------------------------------------------------------------------------- */

static void need_device_mapper(void)
{
    if (!usable) {
        skip();
    }
}

static int open_device(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        fail_msg("%s: %s", path, strerror(errno));
    }
    return fd;
}

/* Through the device, not its cache. <0: what pwrite or fsync says. */
static int put(const char *device, off_t offset, char content)
{
    char block[4096];
    AUTO_CLOSE int fd = open_device(device);
    memset(block, content, sizeof(block));
    return pwrite(fd, block, sizeof(block), offset) == (ssize_t)sizeof(block) ? fsync(fd) : -1;
}

static char get(const char *path, off_t offset)
{
    char content = '?';
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && pread(fd, &content, 1, offset) == 1 ? content : '?';
}

/* How many loop devices there are over files whose path contains `part`. */
static int count_loops(const char *part)
{
    int count = 0;
    AUTO_CLOSEDIR DIR *sys = opendir("/sys/block");
    for (struct dirent *entry = NULL; sys != NULL && (entry = readdir(sys)) != NULL;) {
        AUTO_FREE char *path = str_format("/sys/block/%s/loop/backing_file", entry->d_name);
        char line[PATH_MAX] = "";
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        count +=
            file != NULL && fgets(line, sizeof(line), file) != NULL && strstr(line, part) != NULL;
    }
    return count;
}

static int count_semaphores(void)
{
    struct seminfo info;
    union {
        int value;
        struct semid_ds *buffer;
        unsigned short *array;
        struct seminfo *info;
    } argument = {.info = &info};
    assert_true(semctl(0, 0, SEM_INFO, argument) >= 0);
    return info.semusz; /* here: how many sets there are (semctl(2)) */
}

static void a_disk_is_the_image_and_more(void **state)
{
    (void)state;
    need_device_mapper();
    attach(VM, true);
    AUTO_CLOSE int fd = open_device(DEVICE);
    uint64_t bytes = 0;
    assert_int_equal(ioctl(fd, BLKGETSIZE64, &bytes), 0);
    assert_int_equal(bytes, BASE_BYTES + TAIL_BYTES);
    assert_int_equal(get(DEVICE, 8192), 'b');
    assert_int_equal(get(DEVICE, BASE_BYTES + 8192), '\0');
    assert_int_equal(put(DEVICE, 8192, 'w'), 0);
    assert_int_equal(put(DEVICE, BASE_BYTES + 8192, 't'), 0);
    assert_status(VM, "ok");
    assert_int_equal(close(STEAL_FD(fd)), 0);
    detach(VM);
    assert_int_equal(access(DEVICE, F_OK), -1);
    assert_int_equal(count_loops(dir.path), 0);
    assert_int_equal(get(temp_dir_at(&dir, "images/base"), 8192), 'b');
    assert_int_equal(get(temp_dir_at(&dir, "vms/" VM "/tail"), 8192), 't');
    attach(VM, true);
    assert_int_equal(get(DEVICE, 8192), 'w');
    assert_int_equal(get(DEVICE, BASE_BYTES + 8192), 't');
}

static void vms_share_the_image_and_nothing_else(void **state)
{
    (void)state;
    need_device_mapper();
    attach(VM, false);
    attach(OTHER, false);
    assert_int_equal(count_loops("/images/base"), 1);
    assert_int_equal(count_loops(dir.path), 3);
    assert_int_equal(put(DEVICE, 4096, '1'), 0);
    assert_int_equal(put(OTHER_DEVICE, 4096, '2'), 0);
    assert_int_equal(get(DEVICE, 4096), '1');
    assert_int_equal(get(OTHER_DEVICE, 4096), '2');
    detach(VM);
    assert_int_equal(get(OTHER_DEVICE, 4096), '2');
    assert_int_equal(get(OTHER_DEVICE, 0), 'b');
    detach(OTHER);
    assert_int_equal(count_loops(dir.path), 0);
}

/* The daemon's memory of loop devices is new after a restart; another instance's is another's. */
static void only_what_is_ours_is_shared(void **state)
{
    (void)state;
    need_device_mapper();
    attach(VM, false);
    host_free(host);
    host = host_new(INSTANCE, dir.path, dir.path);
    attach(OTHER, false);
    assert_int_equal(count_loops("/images/base"), 1);
    struct host *stranger = host_new(OTHER_INSTANCE, dir.path, dir.path);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(run_op(stranger, TWIN, "snapshot.attach", arguments(TWIN, false), NULL, &err),
                     0);
    assert_int_equal(count_loops("/images/base"), 2);
    detach(TWIN); /* ours of that id: there is none */
    assert_int_equal(access("/dev/mapper/banger-" OTHER_INSTANCE "-11112222", F_OK), 0);
    assert_int_equal(run_op(stranger, TWIN, "snapshot.detach", json_object(), NULL, &err), 0);
    host_free(stranger);
    detach(VM);
    detach(OTHER);
    assert_int_equal(count_loops(dir.path), 0);
}

static void a_device_of_somebody_else_s_is_left_alone(void **state)
{
    (void)state;
    need_device_mapper();
    attach(VM, false);
    assert_refused(TWIN, arguments(TWIN, false), BANGER_EBUSY, "is not this VM's");
    detach(TWIN);
    assert_status(TWIN, "gone");
    assert_status(VM, "ok");
    assert_int_equal(count_loops("/vms/" TWIN), 0);
    assert_int_equal(get(DEVICE, 0), 'b');
}

static void what_a_killed_attach_left_is_replaced(void **state)
{
    (void)state;
    need_device_mapper();
    attach(VM, false);
    assert_int_equal(put(DEVICE, 0, 'w'), 0);
    attach(VM, true);
    assert_int_equal(get(DEVICE, 0), 'w');
    assert_int_equal(count_loops(dir.path), 3);
}

static void detach_is_idempotent(void **state)
{
    (void)state;
    need_device_mapper();
    detach(VM);
    attach(VM, false);
    detach(VM);
    detach(VM);
    assert_status(VM, "gone");
}

static void *detach_in_thread(void *argument)
{
    banger_error *err = argument;
    (void)snapshot_detach(host, VM, err);
    return NULL;
}

static void removal_waits_for_who_still_looks(void **state)
{
    (void)state;
    need_device_mapper();
    attach(VM, false);
    pthread_t thread;
    banger_error err = BANGER_ERROR_INIT;
    AUTO_CLOSE int fd = open_device(DEVICE);
    assert_int_equal(pthread_create(&thread, NULL, detach_in_thread, &err), 0);
    assert_status(VM, "ok"); /* others are not held up meanwhile */
    assert_int_equal(close(STEAL_FD(fd)), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(err.code, 0);
    assert_status(VM, "gone");
}

static void a_device_in_use_is_not_removed(void **state)
{
    (void)state;
    need_device_mapper();
    attach(VM, false);
    AUTO_CLOSE int fd = open_device(DEVICE);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(snapshot_detach(host, VM, &err), -1);
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_status(VM, "ok");
}

static void a_full_one_says_so_and_goes_on_when_it_is_larger(void **state)
{
    (void)state;
    need_device_mapper();
    make_file("vms/" VM "/cow", 64 * 1024, '\0'); /* a header, a table, 14 chunks */
    attach(VM, false);
    assert_int_equal(put(DEVICE, 0, 'w'), 0);
    int failed = 0;
    for (off_t i = 1; i < 32 && failed == 0; i++) {
        failed = put(DEVICE, i * 4096, 'x');
    }
    assert_int_equal(failed, -1);
    assert_status(VM, "full");
    detach(VM);
    assert_int_equal(truncate(temp_dir_at(&dir, "vms/" VM "/cow"), COW_BYTES), 0);
    attach(VM, false);
    assert_status(VM, "ok");
    assert_int_equal(get(DEVICE, 0), 'w');
    assert_int_equal(put(DEVICE, BASE_BYTES / 2, 'y'), 0);
    assert_int_equal(get(temp_dir_at(&dir, "images/base"), 0), 'b');
}

static void cycles_leave_nothing(void **state)
{
    (void)state;
    need_device_mapper();
    const char *wanted = getenv("BANGER_TEST_CYCLES");
    long cycles = wanted != NULL ? strtol(wanted, NULL, 10) : 20;
    int before = count_semaphores();
    for (long i = 0; i < cycles; i++) {
        attach(VM, true);
        detach(VM);
    }
    assert_int_equal(count_loops(dir.path), 0);
    assert_int_equal(count_semaphores(), before);
    assert_status(VM, "gone");
    assert_int_equal(access(DEVICE, F_OK), -1);
}

#define THREADS 8

static void *cycle_in_thread(void *argument)
{
    const char *vm = argument;
    AUTO_JSON json_t *failures = json_array();
    for (int i = 0; i < 5; i++) {
        banger_error err = BANGER_ERROR_INIT;
        if (run_op(host, vm, "snapshot.attach", arguments(vm, true), NULL, &err) < 0 ||
            run_op(host, vm, "snapshot.detach", json_object(), NULL, &err) < 0) {
            (void)json_array_append_new(failures, json_string(err.message));
        }
    }
    return STEAL(failures);
}

static void vms_come_and_go_at_the_same_time(void **state)
{
    (void)state;
    need_device_mapper();
    pthread_t threads[THREADS];
    char vms[THREADS][33];
    for (int i = 0; i < THREADS; i++) {
        (void)snprintf(vms[i], sizeof(vms[i]), "%08x333344445555666677778888", 0xa0 + i);
        AUTO_FREE char *folder = str_format("vms/%s", vms[i]);
        AUTO_FREE char *cow = str_format("%s/cow", folder);
        AUTO_FREE char *tail = str_format("%s/tail", folder);
        assert_int_equal(mkdir(temp_dir_at(&dir, folder), 0700), 0);
        make_file(cow, COW_BYTES, '\0');
        make_file(tail, TAIL_BYTES, '\0');
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, cycle_in_thread, vms[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        AUTO_JSON json_t *failures = result;
        if (json_array_size(failures) > 0) {
            fail_msg("%s", json_string_value(json_array_get(failures, 0)));
        }
    }
    assert_int_equal(count_loops(dir.path), 0);
}

static void check_says_why_not(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    if (run_op(NULL, NULL, "snapshot.check", json_object(), NULL, &err) == 0) {
        assert_true(usable);
        return;
    }
    assert_true(err.code == BANGER_EUNSUPPORTED || err.code == BANGER_EPERMISSION);
    assert_string_not_equal(err.hint, "");
}

int main(void)
{
    banger_error err = BANGER_ERROR_INIT;
    usable = snapshot_check(&err) == 0;
    if (!usable) {
        print_message("# what needs device-mapper is skipped: %s\n", err.message);
    }
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_path_is_below_the_state_folder),
        TEST(a_vm_s_file_is_in_its_own_folder),
        TEST(no_link_and_no_other_thing_stands_for_a_file),
        TEST(a_replaced_base_is_refused),
        TEST(a_chunk_is_a_power_of_two),
        TEST(it_takes_a_vm_and_no_more_words),
        TEST(check_says_why_not),
        TEST(a_disk_is_the_image_and_more),
        TEST(vms_share_the_image_and_nothing_else),
        TEST(only_what_is_ours_is_shared),
        TEST(a_device_of_somebody_else_s_is_left_alone),
        TEST(what_a_killed_attach_left_is_replaced),
        TEST(detach_is_idempotent),
        TEST(removal_waits_for_who_still_looks),
        TEST(a_device_in_use_is_not_removed),
        TEST(a_full_one_says_so_and_goes_on_when_it_is_larger),
        TEST(cycles_leave_nothing),
        TEST(vms_come_and_go_at_the_same_time),
    };
    return cmocka_run_group_tests_name("host_snapshot", tests, NULL, NULL);
}
