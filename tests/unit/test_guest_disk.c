/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest configuration on a disk: written by us, read back by e2fsprogs' own debugfs and e2fsck. */
#include "image/guest_disk.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/process.h"
#include "image/ext4.h"
#include "temp_dir.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#define PATIENCE_MS 60000

static struct temp_dir dir;
static char disk[PATH_MAX];
static char redo[PATH_MAX];
static char agent[PATH_MAX];

/* Runs a program of e2fsprogs; its status, what it printed in `out`. */
static int run_tool(struct buf *out, const char *tool, const char *option, const char *request,
                    const char *path)
{
    struct process_result result = {0};
    banger_error err = BANGER_ERROR_INIT;
    char *const argv[] = {(char *)(uintptr_t)tool, (char *)(uintptr_t)option,
                          (char *)(uintptr_t)request, (char *)(uintptr_t)path, NULL};
    if (process_run(argv, 1 << 20, deadline_in(PATIENCE_MS), &result, &err) < 0) {
        fail_msg("%s", err.message);
    }
    if (out != NULL) {
        buf_append(out, str_or(result.out.data, ""), result.out.length);
    }
    int status = result.status;
    process_result_free(&result);
    return status;
}

static void assert_sound(void)
{
    AUTO_BUF struct buf said = BUF_INIT;
    if (run_tool(&said, "/sbin/e2fsck", "-f", "-n", disk) != 0) {
        fail_msg("e2fsck: %s", said.data);
    }
}

static void assert_prints(const char *request, const char *text)
{
    AUTO_BUF struct buf said = BUF_INIT;
    (void)run_tool(&said, "/sbin/debugfs", "-R", request, disk);
    if (strstr(str_or(said.data, ""), text) == NULL) {
        fail_msg("debugfs %s: expected '%s' in '%s'", request, text, str_or(said.data, ""));
    }
}

static void assert_absent(const char *path)
{
    AUTO_FREE char *request = str_format("stat %s", path);
    AUTO_BUF struct buf said = BUF_INIT;
    (void)run_tool(&said, "/sbin/debugfs", "-R", request, disk);
    if (strstr(str_or(said.data, ""), "Inode:") != NULL) {
        fail_msg("%s is there", path);
    }
}

static void change_by_hand(const char *request)
{
    struct process_result result = {0};
    char *const argv[] = {(char[]){"/sbin/debugfs"},  (char[]){"-w"}, (char[]){"-R"},
                          (char *)(uintptr_t)request, disk,           NULL};
    assert_int_equal(process_run(argv, 1 << 20, deadline_in(PATIENCE_MS), &result, NULL), 0);
    assert_int_equal(result.status, 0);
    process_result_free(&result);
}

static int make_disk(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(disk, sizeof(disk), "%s", temp_dir_at(&dir, "disk"));
    (void)snprintf(redo, sizeof(redo), "%s", temp_dir_at(&dir, "redo"));
    (void)snprintf(agent, sizeof(agent), "%s", temp_dir_at(&dir, "agent"));
    temp_dir_write(&dir, "agent", "the agent's program\n");
    temp_dir_write(&dir, "disk", "");
    assert_int_equal(truncate(disk, 16 << 20), 0);
    return run_tool(NULL, "/sbin/mke2fs", "-q", "-text4", disk);
}

static int remove_disk(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

static int write_guest(const char *guest, banger_error *err)
{
    AUTO_JSON json_t *json = json_loads(guest, 0, NULL);
    assert_non_null(json);
    return guest_disk_write(disk, redo, agent, json, deadline_in(PATIENCE_MS), err);
}

#define WEB                                                                                        \
    "{\"conf\": {\"init\": \"auto\", \"hostname\": \"web\"}, \"files\": [{\"path\": "              \
    "\"/etc/hostname\", \"content\": \"web\\n\"}, {\"path\": \"/root/.ssh/keys\", \"mode\": 384, " \
    "\"uid\": 70000, \"gid\": 5, \"content\": \"secret\"}]}"
#define PLAIN "{\"conf\": {\"hostname\": \"plain\"}, \"files\": []}"

static void write_well(const char *guest)
{
    banger_error err = BANGER_ERROR_INIT;
    if (write_guest(guest, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static void test_content(void **state)
{
    (void)state;
    write_well(WEB);
    assert_sound();
    assert_prints("cat /banger/agent", "the agent's program\n");
    assert_prints("stat /banger/agent", "Mode:  0755");
    assert_prints("stat /banger", "Mode:  0700");
    assert_prints("cat /banger/guest.conf", "init=auto\nhostname=web\n");
    assert_prints("stat /banger/guest.conf", "Mode:  0600");
    assert_prints("cat /banger/overlay/etc/hostname", "web\n");
    assert_prints("cat /banger/overlay/root/.ssh/keys", "secret");
    assert_prints("stat /banger/overlay/root/.ssh/keys", "User: 70000   Group:     5");
}

static uint64_t free_blocks(void)
{
    AUTO_BUF struct buf said = BUF_INIT;
    (void)run_tool(&said, "/sbin/debugfs", "-R", "stats", disk);
    const char *at = strstr(said.data, "Free blocks:");
    assert_non_null(at);
    return strtoull(at + strlen("Free blocks:"), NULL, 10);
}

/* Each start writes it anew, with nothing left of the one before. */
static void test_again(void **state)
{
    (void)state;
    write_well(WEB);
    uint64_t before = free_blocks();
    write_well(PLAIN);
    assert_absent("/banger/overlay");
    assert_prints("cat /banger/guest.conf", "hostname=plain\n");
    for (int i = 0; i < 20; i++) {
        write_well(WEB);
    }
    assert_int_equal(free_blocks(), before);
    assert_sound();
}

/* What is in the way is a guest's: it is removed by its name, and nothing beside it. */
static void test_hostile_tree(void **state)
{
    (void)state;
    const struct ext4_attr attr = {.mode = 0644};
    write_well(WEB);
    struct ext4 *fs = ext4_open(disk, NULL);
    assert_int_equal(ext4_data(fs, "/data/kept", attr, "kept", 4, NULL), 0);
    assert_int_equal(ext4_hardlink(fs, "/banger/overlay/kept", "/data/kept", NULL), 0);
    assert_int_equal(ext4_symlink(fs, "/banger/x", attr, "/data", NULL), 0);
    assert_int_equal(ext4_dir(fs, "/banger/a/b/c", (struct ext4_attr){.mode = 0755}, NULL), 0);
    assert_int_equal(ext4_close(fs, NULL), 0);
    write_well(WEB);
    assert_sound();
    assert_prints("cat /data/kept", "kept");
    assert_prints("stat /data/kept", "Links: 1");
    assert_absent("/banger/a");

    change_by_hand("mkdir /banger/loop");
    change_by_hand("ln /banger /banger/loop/back"); /* a folder in itself */
    change_by_hand("ln / /banger/loop/root");
    change_by_hand("ln <8> /banger/loop/journal");
    write_well(PLAIN);
    assert_absent("/banger/loop");
    assert_prints("cat /data/kept", "kept");
    assert_prints("stat <8>", "Links: 1");
}

static void test_link_in_the_way(void **state)
{
    (void)state;
    struct ext4 *fs = ext4_open(disk, NULL);
    assert_int_equal(ext4_data(fs, "/etc/agent", (struct ext4_attr){.mode = 0644}, "own", 3, NULL),
                     0);
    assert_int_equal(ext4_symlink(fs, "/banger", (struct ext4_attr){0}, "/etc", NULL), 0);
    assert_int_equal(ext4_close(fs, NULL), 0);
    write_well(WEB);
    assert_sound();
    assert_prints("cat /etc/agent", "own");
    assert_prints("stat /banger", "Type: directory");
    assert_absent("/etc/guest.conf");
}

static void test_unclean(void **state)
{
    (void)state;
    change_by_hand("feature needs_recovery"); /* as a killed guest leaves it */
    write_well(WEB);
    assert_prints("stats", "Filesystem state:         clean");
    AUTO_BUF struct buf said = BUF_INIT;
    (void)run_tool(&said, "/sbin/debugfs", "-R", "stats", disk);
    assert_null(strstr(said.data, "needs_recovery"));
    assert_sound();
}

static void test_full(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    AUTO_FREE char *big = xstrdup(temp_dir_at(&dir, "big"));
    temp_dir_write(&dir, "big", "");
    assert_int_equal(truncate(big, 20 << 20), 0);
    AUTO_FREE char *guest =
        str_format("{\"conf\": {}, \"files\": [{\"path\": \"/big\", \"source\": \"%s\"}]}", big);
    write_well(WEB);
    assert_int_equal(write_guest(guest, &err), -1);
    assert_int_equal(err.code, BANGER_EFULL);
    assert_non_null(strstr(err.message, "no free blocks"));
    assert_sound(); /* and nothing has changed */
    assert_prints("cat /banger/overlay/etc/hostname", "web\n");
}

static void test_refusals(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(write_guest("{\"conf\": {}, \"files\": [{\"path\": \"/a/../b\", \"content\": "
                                 "\"\"}]}",
                                 &err),
                     -1);
    assert_int_equal(err.code, BANGER_EINVALID);
    write_well(PLAIN);
    assert_int_equal(truncate(disk, 1000), 0);
    err = (banger_error)BANGER_ERROR_INIT;
    assert_int_equal(write_guest(PLAIN, &err), -1);
    assert_non_null(strstr(err.message, disk));
}

/* -- kill -9 ------------------------------------------------------------------------------------- */

static void traced_child(void)
{
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    (void)raise(SIGSTOP);
    _exit(write_guest(WEB, NULL) == 0 ? 0 : 1);
}

/* Whether a stopped child is at a call that changes the disk. */
static bool at_write(pid_t child)
{
    struct user_regs_struct registers;
    assert_int_equal(ptrace(PTRACE_GETREGS, child, NULL, &registers), 0);
    return registers.orig_rax == SYS_pwrite64 || registers.orig_rax == SYS_write ||
           registers.orig_rax == SYS_fallocate;
}

/* Runs a write in a child until it has come `writes` times to such a call or back from one, and kills it
 * there. False: it has come to its end before. */
static bool killed_at(unsigned writes)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        traced_child();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    for (unsigned seen = 0; WIFSTOPPED(status) && seen <= writes;) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        seen += WIFSTOPPED(status) && at_write(child) ? 1 : 0;
    }
    if (!WIFSTOPPED(status)) {
        assert_int_equal(status, 0);
        return false;
    }
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    return true;
}

/* Wherever the daemon dies, the next one finds the disk as it was, or can make it what it was to be. */
static void test_killed_anywhere(void **state)
{
    (void)state;
    const struct ext4_attr attr = {.mode = 0644};
    struct ext4 *fs = ext4_open(disk, NULL);
    assert_int_equal(ext4_data(fs, "/home/kept", attr, "kept", 4, NULL), 0);
    assert_int_equal(ext4_close(fs, NULL), 0);
    write_well(PLAIN);
    unsigned writes = 0;
    while (killed_at(writes)) {
        bool committed = access(redo, F_OK) == 0;
        if (!committed) {
            assert_sound();
        }
        assert_int_equal(guest_disk_finish(redo, NULL), 0);
        assert_sound();
        assert_prints("cat /banger/guest.conf", committed ? "hostname=web" : "hostname=");
        assert_int_equal(access(redo, F_OK), -1);
        write_well(PLAIN);
        assert_prints("cat /home/kept", "kept");
        writes++;
    }
    assert_true(writes > 10);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_disk, remove_disk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_content), TEST(test_again), TEST(test_hostile_tree), TEST(test_link_in_the_way),
        TEST(test_unclean), TEST(test_full),  TEST(test_refusals),     TEST(test_killed_anywhere),
    };
    return cmocka_run_group_tests_name("guest_disk", tests, NULL, NULL);
}
