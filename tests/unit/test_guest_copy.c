/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying between host and guest, both ways, and archives that try to get out. */
#include "agent_fixture.h"

#include "base/cleanup.h"
#include "guest/copy.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/socket.h>

#define NO_LIMIT INT64_MAX

static int copy_setup(void **state)
{
    if (agent_setup(state) != 0) {
        return -1;
    }
    struct agent_fixture *fixture = *state;
    (void)mkdir(temp_dir_at(&fixture->dir, "src"), 0755);
    (void)mkdir(temp_dir_at(&fixture->dir, "src/empty"), 0711);
    (void)mkdir(temp_dir_at(&fixture->dir, "src/deep"), 0755);
    (void)mkdir(temp_dir_at(&fixture->dir, "into"), 0755);
    temp_dir_write(&fixture->dir, "src/file", "content\n");
    temp_dir_write(&fixture->dir, "src/deep/none", "");
    temp_dir_write(&fixture->dir, "secret", "untouched");
    (void)chmod(temp_dir_at(&fixture->dir, "src/file"), 0751);
    assert_int_equal(symlink("no/such", temp_dir_at(&fixture->dir, "src/link")), 0);
    const struct timespec times[2] = {{.tv_sec = 1234567890}, {.tv_sec = 1234567890}};
    (void)utimensat(AT_FDCWD, temp_dir_at(&fixture->dir, "src/file"), times, 0);
    (void)utimensat(AT_FDCWD, temp_dir_at(&fixture->dir, "src/empty"), times, 0);
    return 0;
}

static int open_copy(struct agent_fixture *fixture, int service, const char *path)
{
    int fd = channel_open_stream(fixture->channel, service, path, strlen(path) + 1, NULL);
    assert_true(fd >= 0);
    return fd;
}

static int to_guest(struct agent_fixture *fixture, const char *from, const char *to,
                    banger_error *err)
{
    return copy_in(open_copy(fixture, SERVICE_TAR_IN, temp_dir_at(&fixture->dir, to)),
                   temp_dir_at(&fixture->dir, from), err);
}

static int from_guest(struct agent_fixture *fixture, const char *from, const char *to,
                      banger_error *err)
{
    return copy_out(open_copy(fixture, SERVICE_TAR_OUT, temp_dir_at(&fixture->dir, from)),
                    temp_dir_at(&fixture->dir, to), NO_LIMIT, err);
}

static void expect_tree(const struct agent_fixture *fixture, const char *root)
{
    char path[PATH_MAX];
    char target[64] = "";
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/%s/file", fixture->dir.path, root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0751);
    assert_int_equal(st.st_mtime, 1234567890);
    assert_int_equal(st.st_size, 8);
    (void)snprintf(path, sizeof(path), "%s/%s/empty", fixture->dir.path, root);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0711);
    assert_int_equal(st.st_mtime, 1234567890);
    (void)snprintf(path, sizeof(path), "%s/%s/link", fixture->dir.path, root);
    assert_true(readlink(path, target, sizeof(target) - 1) > 0);
    assert_string_equal(target, "no/such");
    (void)snprintf(path, sizeof(path), "%s/%s/deep/none", fixture->dir.path, root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
}

typedef int (*copier)(struct agent_fixture *fixture, const char *from, const char *to,
                      banger_error *err);

/* What cp -r says about destinations holds both ways. */
static void check_destinations(struct agent_fixture *fixture, copier copy)
{
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(copy(fixture, "src", "new", &err), 0);
    expect_tree(fixture, "new");
    assert_int_equal(copy(fixture, "src", "into", &err), 0);
    expect_tree(fixture, "into/src");
    assert_int_equal(copy(fixture, "src", "into/", &err), 0); /* again: over the old one */
    expect_tree(fixture, "into/src");
    assert_int_equal(copy(fixture, "src/.", "into", &err), 0);
    expect_tree(fixture, "into");
    assert_int_equal(copy(fixture, "src/.", "dots", &err), 0);
    expect_tree(fixture, "dots");
    assert_int_equal(copy(fixture, "src/file", "renamed", &err), 0);
    assert_string_equal(temp_dir_read(&fixture->dir, "renamed"), "content\n");
    assert_int_equal(copy(fixture, "secret", "renamed", &err), 0);
    assert_string_equal(temp_dir_read(&fixture->dir, "renamed"), "untouched");
    assert_int_equal(copy(fixture, "src/file", "nowhere/name", &err), -1);
    assert_int_equal(copy(fixture, "src/file", "nofolder/", &err), -1);
    err = BANGER_ERROR_INIT;
    assert_int_equal(copy(fixture, "not-there", "name", &err), -1);
    assert_non_null(strstr(err.message, "not-there"));
    assert_false(temp_dir_has(&fixture->dir, "name"));
}

static int put(struct agent_fixture *fixture, const char *from, const char *to,
               const struct copy_as *as, banger_error *err)
{
    return copy_in_as(open_copy(fixture, SERVICE_TAR_IN, temp_dir_at(&fixture->dir, to)),
                      temp_dir_at(&fixture->dir, from), as, err);
}

static mode_t mode_of(struct agent_fixture *fixture, const char *path)
{
    struct stat st;
    assert_int_equal(stat(temp_dir_at(&fixture->dir, path), &st), 0);
    return st.st_mode & 07777;
}

/* What guest_copy does: the copy has its name before it travels, into a folder that need not be there. */
static void test_in_as(void **state)
{
    struct agent_fixture *fixture = *state;
    const struct copy_as named = {.name = "tree", .until = DEADLINE_NONE};
    const struct copy_as secret = {.name = "tree", .mode = 0640, .until = DEADLINE_NONE};
    banger_error err = BANGER_ERROR_INIT;
    for (int i = 0; i < 2; i++) { /* the second does not end inside the first */
        assert_int_equal(put(fixture, "src", "made/on/the/way/.", &named, &err), 0);
        expect_tree(fixture, "made/on/the/way/tree");
        assert_false(temp_dir_has(&fixture->dir, "made/on/the/way/tree/tree"));
        assert_false(temp_dir_has(&fixture->dir, "made/on/the/way/tree/src"));
    }
    assert_int_equal(mode_of(fixture, "made/on"), 0755);
    assert_int_equal(put(fixture, "src", "private/.", &secret, &err), 0);
    assert_int_equal(mode_of(fixture, "private/tree/file"), 0640);
    assert_int_equal(mode_of(fixture, "private/tree/empty"), 0750);
    assert_int_equal(put(fixture, "src/file", "private/.", &secret, &err),
                     -1); /* a folder is there */
    assert_int_equal(put(fixture, "src/file", "private/other/.", &secret, &err), 0);
    assert_int_equal(mode_of(fixture, "private/other/tree"), 0640);
    assert_int_equal(put(fixture, "src/file", "secret/below/.", &named, &err), -1);
    assert_string_equal(temp_dir_read(&fixture->dir, "secret"), "untouched");
}

/* A text becomes a file without having been one on the host. */
static void test_in_text(void **state)
{
    struct agent_fixture *fixture = *state;
    const struct copy_as as = {.name = "token", .mode = 0600, .until = DEADLINE_NONE};
    banger_error err = BANGER_ERROR_INIT;
    for (int i = 0; i < 2; i++) {
        int fd = open_copy(fixture, SERVICE_TAR_IN, temp_dir_at(&fixture->dir, "etc/site/."));
        assert_int_equal(copy_in_text(fd, i == 0 ? "first" : "s3", i == 0 ? 5 : 2, &as, &err), 0);
    }
    assert_string_equal(temp_dir_read(&fixture->dir, "etc/site/token"), "s3");
    assert_int_equal(mode_of(fixture, "etc/site/token"), 0600);
    int fd = open_copy(fixture, SERVICE_TAR_IN, temp_dir_at(&fixture->dir, "etc/site/."));
    assert_int_equal(copy_in_text(fd, "", 0, &as, &err), 0);
    assert_string_equal(temp_dir_read(&fixture->dir, "etc/site/token"), "");
    fd = open_copy(fixture, SERVICE_TAR_IN, temp_dir_at(&fixture->dir, "secret/below/."));
    assert_int_equal(copy_in_text(fd, "x", 1, &as, &err), -1);
    assert_string_equal(temp_dir_read(&fixture->dir, "secret"), "untouched");
}

static void test_in(void **state)
{
    check_destinations(*state, to_guest);
}

static void test_out(void **state)
{
    check_destinations(*state, from_guest);
}

static void test_large_and_long(void **state)
{
    struct agent_fixture *fixture = *state;
    char name[PATH_MAX / 8] = "src/";
    char copied[PATH_MAX / 4];
    struct stat st;
    memset(name + 4, 'n', 200);
    FILE *file = fopen(temp_dir_at(&fixture->dir, name), "we");
    assert_int_equal(ftruncate(fileno(file), 3000001), 0);
    (void)fclose(file);
    assert_int_equal(to_guest(fixture, "src", "a", NULL), 0);
    assert_int_equal(from_guest(fixture, "a", "b", NULL), 0);
    (void)snprintf(copied, sizeof(copied), "b%s", name + 3);
    assert_int_equal(stat(temp_dir_at(&fixture->dir, copied), &st), 0);
    assert_int_equal(st.st_size, 3000001);
}

static void test_out_is_limited(void **state)
{
    struct agent_fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    int fd = open_copy(fixture, SERVICE_TAR_OUT, temp_dir_at(&fixture->dir, "src/file"));
    assert_int_equal(copy_out(fd, temp_dir_at(&fixture->dir, "small"), 7, &err), -1);
    assert_int_equal(err.code, BANGER_EFULL);
}

/* -- Hostile archives -------------------------------------------------------------------------- */

struct evil {
    const char *path;
    mode_t type; /* 0: a hard link */
    const char *link;
};

#define EVIL_MAX 3

static const struct evil archives[][EVIL_MAX] = {
    {{"../secret", AE_IFREG, NULL}},
    {{"a/../../secret", AE_IFREG, NULL}},
    {{"/ABSOLUTE", AE_IFREG, NULL}},
    {{"out", AE_IFLNK, ".."}, {"out/secret", AE_IFREG, NULL}},
    {{"abs", AE_IFLNK, "/DIR"}, {"abs/secret", AE_IFREG, NULL}},
    {{"hard", 0, "../secret"}, {"hard", AE_IFREG, NULL}},
    {{"x", AE_IFLNK, ".."}, {"hard", 0, "x/secret"}, {"hard/", AE_IFREG, NULL}},
    {{"node", AE_IFBLK, NULL}},
    {{"fifo", AE_IFIFO, NULL}},
};

/* Text with DIR and ABSOLUTE replaced by the test's folder and the file that must stay. */
static void expand(const struct agent_fixture *fixture, const char *text, char out[PATH_MAX])
{
    if (strcmp(text, "/DIR") == 0) {
        (void)snprintf(out, PATH_MAX, "%s", fixture->dir.path);
    } else if (strcmp(text, "/ABSOLUTE") == 0) {
        (void)snprintf(out, PATH_MAX, "%s/secret", fixture->dir.path);
    } else {
        (void)snprintf(out, PATH_MAX, "%s", text);
    }
}

static void add_entry(const struct agent_fixture *fixture, struct archive *archive,
                      const struct evil *evil)
{
    char text[PATH_MAX];
    struct archive_entry *entry = archive_entry_new();
    expand(fixture, evil->path, text);
    archive_entry_set_pathname(entry, text);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_filetype(entry, evil->type != 0 ? evil->type : AE_IFREG);
    archive_entry_set_size(entry, evil->type == AE_IFREG ? 4 : 0);
    if (evil->link != NULL) {
        expand(fixture, evil->link, text);
        if (evil->type == 0) {
            archive_entry_set_hardlink(entry, text);
        } else {
            archive_entry_set_symlink(entry, text);
        }
    }
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    if (evil->type == AE_IFREG) {
        (void)archive_write_data(archive, "evil", 4);
    }
    archive_entry_free(entry);
}

static size_t make_archive(const struct agent_fixture *fixture, const struct evil *entries,
                           char *bytes, size_t size)
{
    size_t used = 0;
    struct archive *archive = archive_write_new();
    (void)archive_write_set_format_pax_restricted(archive);
    (void)archive_write_open_memory(archive, bytes, size, &used);
    for (size_t i = 0; i < EVIL_MAX && entries[i].path != NULL; i++) {
        add_entry(fixture, archive, &entries[i]);
    }
    (void)archive_write_close(archive);
    (void)archive_write_free(archive);
    return used;
}

static void expect_contained(const struct agent_fixture *fixture, size_t number)
{
    if (strcmp(temp_dir_read(&fixture->dir, "secret"), "untouched") != 0) {
        fail_msg("archive %zu got out", number);
    }
}

static void test_hostile_archives_in(void **state)
{
    struct agent_fixture *fixture = *state;
    static char bytes[65536];
    for (size_t i = 0; i < COUNT_OF(archives); i++) {
        struct channel_result result;
        const char *to = temp_dir_at(&fixture->dir, "into");
        size_t size = make_archive(fixture, archives[i], bytes, sizeof(bytes));
        assert_int_equal(channel_call(fixture->channel, SERVICE_TAR_IN, to, strlen(to) + 1, bytes,
                                      size, CALL_LIMIT, deadline_in(PATIENCE_MS), &result, NULL),
                         0);
        assert_int_equal(result.status, 1);
        assert_non_null(strstr(text_of(&result.err), "cannot unpack"));
        channel_result_free(&result);
        expect_contained(fixture, i);
    }
}

static void test_garbage_in(void **state)
{
    struct agent_fixture *fixture = *state;
    static char bytes[4096];
    const char *to = temp_dir_at(&fixture->dir, "into");
    memset(bytes, 'z', sizeof(bytes));
    for (size_t size = 1; size < sizeof(bytes); size += 511) {
        struct channel_result result;
        assert_int_equal(channel_call(fixture->channel, SERVICE_TAR_IN, to, strlen(to) + 1, bytes,
                                      size, CALL_LIMIT, deadline_in(PATIENCE_MS), &result, NULL),
                         0);
        assert_int_equal(result.status, 1);
        channel_result_free(&result);
    }
}

struct sender {
    int fd;
    const char *bytes;
    size_t size;
};

/* The guest's end of a copy out: the archive, then EXIT 0. */
static void send_as_guest(const struct sender *sender)
{
    static uint8_t wire[FRAME_HEADER + FRAME_PAYLOAD_MAX + 1];
    const uint8_t status[4] = {0};
    assert_true(sender->size <= FRAME_PAYLOAD_MAX);
    size_t size = frame_encode(wire, FRAME_STDOUT, 0, sender->bytes, (uint32_t)sender->size);
    assert_int_equal(send(sender->fd, wire, size, MSG_NOSIGNAL), size);
    size = frame_encode(wire, FRAME_EXIT, 0, status, sizeof(status));
    assert_int_equal(send(sender->fd, wire, size, MSG_NOSIGNAL), size);
}

static void test_hostile_archives_out(void **state)
{
    struct agent_fixture *fixture = *state;
    static char bytes[65536];
    for (size_t i = 0; i < COUNT_OF(archives); i++) {
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        size_t size = make_archive(fixture, archives[i], bytes, sizeof(bytes));
        send_as_guest(&(struct sender){ends[0], bytes, size});
        (void)copy_out(ends[1], temp_dir_at(&fixture->dir, "into"), NO_LIMIT, NULL);
        (void)close(ends[0]);
        expect_contained(fixture, i);
    }
    assert_false(temp_dir_has(&fixture->dir, "into/node"));
    assert_false(temp_dir_has(&fixture->dir, "into/fifo"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, copy_setup, agent_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_in),
        TEST(test_in_as),
        TEST(test_in_text),
        TEST(test_out),
        TEST(test_large_and_long),
        TEST(test_out_is_limited),
        TEST(test_hostile_archives_in),
        TEST(test_garbage_in),
        TEST(test_hostile_archives_out),
    };
    return cmocka_run_group_tests_name("guest copy", tests, NULL, NULL);
}
