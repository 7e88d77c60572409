/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char folder[] = "/tmp/banger-file-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return dir_remove(folder, NULL);
}

static char *in(const char *name)
{
    return str_format("%s/%s", folder, name);
}

static void assert_content(const char *path, const char *content)
{
    AUTO_BUF struct buf buf = BUF_INIT;
    assert_int_equal(file_read(path, 1000, &buf, NULL), 0);
    assert_string_equal(buf.data, content);
}

static void folders_are_made_with_parents(void **state)
{
    (void)state;
    AUTO_FREE char *deep = in("a/b/c");
    assert_int_equal(dir_make(deep, 0700, NULL), 0);
    assert_int_equal(dir_make(deep, 0700, NULL), 0);
    AUTO_FREE char *slash = in("a/b/d/");
    assert_int_equal(dir_make(slash, 0700, NULL), 0);
    assert_int_equal(dir_make("/", 0700, NULL), 0);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dir_make("", 0700, &err), -1);
}

static void a_file_is_no_folder(void **state)
{
    (void)state;
    AUTO_FREE char *file = in("file");
    AUTO_FREE char *below = in("file/x");
    assert_int_equal(file_write_atomic(file, "x", 1, 0600, NULL), 0);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dir_make(file, 0700, &err), -1);
    assert_non_null(strstr(err.message, file));
    assert_int_equal(dir_make(below, 0700, &err), -1);
}

static void removal_follows_no_link(void **state)
{
    (void)state;
    AUTO_FREE char *kept = in("kept");
    AUTO_FREE char *kept_file = in("kept/file");
    AUTO_FREE char *doomed = in("doomed/deep");
    AUTO_FREE char *link = in("doomed/deep/link");
    AUTO_FREE char *top = in("doomed");
    AUTO_FREE char *top_link = in("top-link");
    assert_int_equal(dir_make(kept, 0700, NULL), 0);
    assert_int_equal(file_write_atomic(kept_file, "x", 1, 0600, NULL), 0);
    assert_int_equal(dir_make(doomed, 0700, NULL), 0);
    assert_int_equal(symlink(kept, link), 0);
    assert_int_equal(symlink(kept, top_link), 0);
    assert_int_equal(dir_remove(top, NULL), 0);
    assert_int_equal(access(top, F_OK), -1);
    assert_int_equal(dir_remove(top, NULL), 0); /* gone already */
    assert_int_equal(dir_remove(top_link, NULL), 0);
    assert_content(kept_file, "x");
}

static void atomic_write_replaces(void **state)
{
    (void)state;
    AUTO_FREE char *path = in("config");
    AUTO_FREE char *left = in("config.new");
    struct stat info;
    assert_int_equal(file_write_atomic(path, "one", 3, 0600, NULL), 0);
    int fd = open(left, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); /* what a crash leaves */
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    (void)close(fd);
    assert_int_equal(file_write_atomic(path, "two", 3, 0600, NULL), 0);
    assert_content(path, "two");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(access(left, F_OK), -1);

    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(file_write_atomic("/nonexistent/x", "y", 1, 0600, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

static void reading_is_bounded(void **state)
{
    (void)state;
    AUTO_FREE char *path = in("ten");
    AUTO_BUF struct buf buf = BUF_INIT;
    buf_puts(&buf, "before:");
    assert_int_equal(file_write_atomic(path, "0123456789", 10, 0600, NULL), 0);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(file_read(path, 9, &buf, &err), -1);
    assert_int_equal(err.code, BANGER_EINVALID);
    assert_int_equal(buf.length, 7);
    assert_int_equal(file_read(path, 10, &buf, NULL), 0);
    assert_string_equal(buf.data, "before:0123456789");
    assert_int_equal(file_read(folder, 10, &buf, &err), -1); /* a folder */
    AUTO_FREE char *missing = in("missing");
    assert_int_equal(file_read(missing, 10, &buf, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_int_equal(file_remove(missing, NULL), 0);
    assert_int_equal(file_remove(folder, &err), -1);
}

static void publish_moves_a_folder(void **state)
{
    (void)state;
    AUTO_FREE char *staging = in("staging");
    AUTO_FREE char *final = in("final");
    assert_int_equal(dir_make(staging, 0700, NULL), 0);
    assert_int_equal(dir_publish(staging, final, NULL), 0);
    assert_int_equal(access(final, F_OK), 0);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dir_publish(staging, final, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

#define SPARSE_SIZE ((off_t)8 << 20)

static int make_sparse(const char *name)
{
    AUTO_FREE char *path = in(name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SPARSE_SIZE), 0);
    assert_int_equal(pwrite(fd, "head", 4, 0), 4);
    assert_int_equal(pwrite(fd, "middle", 6, SPARSE_SIZE / 2 - 3), 6);
    return fd;
}

static void assert_copied(int from, int to)
{
    struct stat a;
    struct stat b;
    char text[8] = "";
    assert_int_equal(fstat(from, &a), 0);
    assert_int_equal(fstat(to, &b), 0);
    assert_int_equal(a.st_size, b.st_size);
    assert_true(b.st_blocks <= a.st_blocks + 16); /* as sparse, but for metadata */
    assert_int_equal(pread(to, text, 4, 0), 4);
    assert_string_equal(text, "head");
    assert_int_equal(pread(to, text, 6, SPARSE_SIZE / 2 - 3), 6);
    assert_string_equal(text, "middle");
    assert_int_equal(lseek(to, 0, SEEK_CUR), SPARSE_SIZE);
}

static void copy_keeps_holes(void **state)
{
    (void)state;
    AUTO_CLOSE int from = make_sparse("sparse");
    AUTO_FREE char *path = in("copy");
    AUTO_CLOSE int to = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fd_copy_sparse(from, to, SPARSE_SIZE, NULL), 0);
    assert_copied(from, to);
}

static void copy_crosses_file_systems(void **state)
{
    (void)state;
    AUTO_CLOSE int from = make_sparse("sparse");
    AUTO_CLOSE int to = memfd_create("other file system", MFD_CLOEXEC);
    assert_true(to >= 0);
    assert_int_equal(fd_copy_sparse(from, to, SPARSE_SIZE, NULL), 0);
    assert_copied(from, to);
}

static void copy_refuses_a_short_file(void **state)
{
    (void)state;
    AUTO_CLOSE int from = make_sparse("sparse");
    AUTO_CLOSE int to = memfd_create("to", MFD_CLOEXEC);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(fd_copy_sparse(from, to, SPARSE_SIZE + 1, &err), -1);
    assert_int_equal(err.code, BANGER_EIO);
    assert_int_equal(fd_copy_sparse(from, to, 0, NULL), 0);
}

static void whole_writes_and_reads(void **state)
{
    (void)state;
    int ends[2];
    char text[8];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    AUTO_CLOSE int from = ends[0];
    AUTO_CLOSE int to = ends[1];
    assert_int_equal(fd_write_all(to, "abc", 3, NULL), 0);
    (void)close(STEAL_FD(to));
    assert_int_equal(fd_read_full(from, text, sizeof(text), NULL), 3);
    assert_int_equal(fd_read_full(from, text, sizeof(text), NULL), 0);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(fd_write_all(from, "x", 1, &err), -1); /* the wrong end */
    assert_int_equal(err.code, BANGER_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_made_with_parents),
        cmocka_unit_test(a_file_is_no_folder),
        cmocka_unit_test(removal_follows_no_link),
        cmocka_unit_test(atomic_write_replaces),
        cmocka_unit_test(reading_is_bounded),
        cmocka_unit_test(publish_moves_a_folder),
        cmocka_unit_test(copy_keeps_holes),
        cmocka_unit_test(copy_crosses_file_systems),
        cmocka_unit_test(copy_refuses_a_short_file),
        cmocka_unit_test(whole_writes_and_reads),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
