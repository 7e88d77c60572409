/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A script of what a daemon does with its store, with a fault at each write and each flush of it in turn:
 *
 *  1. What fails changes nothing, says so, and works when it is tried again.
 *  2. After any end the file is whole (integrity_check), and says what it said after one of the steps:
 *     the last that was acknowledged, or the one that was on its way. Only a cut of the power may take
 *     more, and nothing of what store.h promises to have flushed.
 */
#include "fault_vfs.h"
#include "store/connection.h"
#include "store/journal.h"
#include "store/lease_table.h"
#include "store/oplog.h"
#include "store_fixture.h"

#include <sys/mman.h>
#include <sys/wait.h>

#if defined(__SANITIZE_THREAD__)
#define STRIDE 29 /* it is slow, and there is one thread */
#elif defined(__SANITIZE_ADDRESS__)
#define STRIDE 7 /* it sees the same code each time */
#else
#define STRIDE 1
#endif
#define CHECKPOINT_PAGES 16 /* so that checkpoints fall among the steps */

/* -- The script ------------------------------------------------------------------------------------ */

#define WEB "11111111111111111111111111111111"
#define DB "22222222222222222222222222222222"

static const struct fixture *the; /* the image and the kernel of its VMs */

static int insert(struct store *store, const char *name, const char *id, banger_error *err)
{
    struct vm_record vm = {.state = VM_CREATED, .created_ms = 1, .updated_ms = 1};
    (void)snprintf(vm.name, sizeof(vm.name), "%s", name);
    (void)snprintf(vm.id, sizeof(vm.id), "%s", id);
    memcpy(vm.image_id, the->image.id, sizeof(vm.image_id));
    memcpy(vm.kernel_id, the->kernel.id, sizeof(vm.kernel_id));
    return vm_insert(store, &vm, err);
}

/* The record as it is, in another state; `size` bytes of text in its specification. */
static int update(struct store *store, enum vm_state vm_state, size_t size, banger_error *err)
{
    struct vm_record vm = {0};
    if (vm_find(store, WEB, &vm, err) < 0) {
        return -1;
    }
    AUTO_FREE char *text = xcalloc(1, size + 1);
    memset(text, 'x', size);
    vm.state = vm_state;
    json_decref(vm.spec);
    vm.spec = json_pack("{s:s}", "text", text);
    int status = vm_update(store, &vm, err);
    vm_record_free(&vm);
    return status;
}

static int create(struct store *store, banger_error *err)
{
    return insert(store, "web", WEB, err);
}

static int intend(struct store *store, banger_error *err)
{
    return journal_intend(store, WEB, "core", "dir", "/run/x", NULL, err) < 0 ? -1 : 0;
}

static int held(struct store *store, banger_error *err)
{
    return journal_held(store, 1, NULL, err);
}

static int begin(struct store *store, banger_error *err)
{
    return oplog_begin(store, "vm.start", WEB, "web", err) < 0 ? -1 : 0;
}

static int event(struct store *store, banger_error *err)
{
    return event_append(store, "vm.started", WEB, "web", NULL, NULL, err) < 0 ? -1 : 0;
}

static int lease(struct store *store, banger_error *err)
{
    static const struct lease_pool pool = {"bridge", "address", 2, 9};
    int64_t number = 0;
    return lease_take(store, &pool, WEB, false, &number, err);
}

static int persist(struct store *store, banger_error *err)
{
    return update(store, VM_RUNNING, 20000, err); /* some pages more than one */
}

static int end(struct store *store, banger_error *err)
{
    return oplog_end(store, 1, "done", NULL, 5, NULL, 0, err);
}

static int several(struct store *store, banger_error *err)
{
    if (store_begin(store, err) < 0) {
        return -1;
    }
    if (insert(store, "db", DB, err) < 0 ||
        journal_intend(store, DB, "core", "cgroup", "/x", NULL, err) < 0 || event(store, err) < 0) {
        store_rollback(store);
        return -1;
    }
    return store_commit(store, err);
}

static int image(struct store *store, banger_error *err)
{
    static char text[] = "/images/y";
    struct image_record one = {.id = DB, .name = "second", .path = text, .origin = text};
    return image_insert(store, &one, err);
}

static int gone(struct store *store, banger_error *err)
{
    return journal_gone(store, 1, err);
}

static int stopped(struct store *store, banger_error *err)
{
    return update(store, VM_STOPPED, 1, err);
}

static int del(struct store *store, banger_error *err)
{
    if (store_begin(store, err) < 0) {
        return -1;
    }
    if (journal_gone(store, 2, err) < 0 || vm_remove(store, DB, err) < 0) {
        store_rollback(store);
        return -1;
    }
    return store_commit(store, err);
}

static const struct step {
    int (*run)(struct store *store, banger_error *err);
    bool flushed; /* on the disk when it returns */
    const char *then;
    /* clang-format off */
} steps[] = {
    /*            VMs, with their bytes        journal                   log           events leases images */
    {NULL,    true,  "-                        | -                       | -             | 0 | - | 1"},
    {create,  true,  "web created 2            | -                       | -             | 0 | - | 1"},
    {intend,  false, "web created 2            | dir intent              | -             | 0 | - | 1"},
    {held,    false, "web created 2            | dir held                | -             | 0 | - | 1"},
    {begin,   false, "web created 2            | dir held                | start running | 0 | - | 1"},
    {event,   false, "web created 2            | dir held                | start running | 1 | - | 1"},
    {lease,   false, "web created 2            | dir held                | start running | 1 | 2 | 1"},
    {persist, true,  "web running 20011        | dir held                | start running | 1 | 2 | 1"},
    {end,     false, "web running 20011        | dir held                | start done    | 1 | 2 | 1"},
    {several, true,  "web running 20011, db created 2 | dir held, cgroup intent | start done | 2 | 2 | 1"},
    {image,   true,  "web running 20011, db created 2 | dir held, cgroup intent | start done | 2 | 2 | 2"},
    {gone,    false, "web running 20011, db created 2 | cgroup intent    | start done    | 2 | 2 | 2"},
    {stopped, true,  "web stopped 12, db created 2    | cgroup intent    | start done    | 2 | 2 | 2"},
    {del,     true,  "web stopped 12           | -                       | start done    | 2 | 2 | 2"},
};
/* clang-format on */
#define STEPS ((int)COUNT_OF(steps))

/* -- What the file says ------------------------------------------------------------------------------ */

static const char says[] =
    "SELECT "
    "(SELECT coalesce(group_concat(name||' '||state||' '||length(spec), ', '), '-') FROM vms) "
    "||'|'||"
    "(SELECT coalesce(group_concat(kind||' '||state, ', '), '-') FROM resources) ||'|'||"
    "(SELECT coalesce(group_concat(substr(kind, 4)||' '||outcome, ', '), '-') FROM operations) "
    "||'|'||"
    "(SELECT count(*) FROM events) ||'|'||"
    "(SELECT coalesce(group_concat(number, ', '), '-') FROM leases) ||'|'||"
    "(SELECT count(*) FROM images)";

static char *query(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    char *value = xstrdup((const char *)sqlite3_column_text(statement, 0));
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return value;
}

/* But for the spaces that lay out the table. */
static bool same(const char *found, const char *expected)
{
    for (; *found != '\0' && *expected != '\0'; found++, expected++) {
        while (*expected == ' ' && (expected[1] == ' ' || expected[1] == '|')) {
            expected++;
        }
        if (*found != *expected) {
            return false;
        }
        while (*expected == '|' && expected[1] == ' ') {
            expected++;
        }
    }
    return *found == *expected;
}

/* After which of the steps from..to the file is; fails when it is after none, or not whole. */
static int assert_says(const char *path, int from, int to)
{
    AUTO_FREE char *whole = query(path, "PRAGMA integrity_check");
    assert_string_equal(whole, "ok");
    AUTO_FREE char *found = query(path, says);
    for (int i = from; i <= to && i < STEPS; i++) {
        if (same(found, steps[i].then)) {
            return i;
        }
    }
    fail_msg("says '%s', which is after none of the steps %d to %d", found, from, to);
    return -1;
}

/* -- Faults ------------------------------------------------------------------------------------------ */

/* How far the script came, for who looks after its end. */
static struct progress {
    int acknowledged;
    int flushed;
    bool closing;
} * progress;

static int template_make(void **state)
{
    fault_install();
    fault.pretends = true;
    progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = fixture_filled(state);
    if (status == 0) {
        the = *state;
        store_close(STEAL(((struct fixture *)*state)->store));
    }
    return status;
}

static int template_remove(void **state)
{
    int status = fixture_remove(state);
    fault_remove();
    (void)munmap(progress, sizeof(*progress));
    return status;
}

/* The template's copy in a file of its own. */
static void renew(const char *path)
{
    static const char *const companions[] = {"-wal", "-shm", "-journal"};
    AUTO_BUF struct buf whole = BUF_INIT;
    assert_int_equal(file_read(the->path, (size_t)1 << 20, &whole, NULL), 0);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(fd_write_all(fd, whole.data, whole.length, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(companions); i++) {
        AUTO_FREE char *companion = str_format("%s%s", path, companions[i]);
        assert_int_equal(file_remove(companion, NULL), 0);
    }
    *progress = (struct progress){0};
}

static struct store *open_small(const char *path)
{
    banger_error err = BANGER_ERROR_INIT;
    struct store *store = store_open(path, &err);
    if (store == NULL) {
        fail_msg("%s", err.message);
    }
    (void)sqlite3_wal_autocheckpoint(store->db, CHECKPOINT_PAGES);
    return store;
}

/* In a child, which the fault ends: 1; else 0 for the whole script, 2 for a failure. */
static void run_to_the_end(const char *path, int number, enum fault_kind kind)
{
    struct store *store = open_small(path);
    fault_arm(number, kind);
    for (int i = 1; i < STEPS; i++) {
        if (steps[i].run(store, NULL) < 0) {
            _exit(2);
        }
        progress->acknowledged = i;
        progress->flushed = steps[i].flushed ? i : progress->flushed;
    }
    progress->closing = true;
    store_close(store);
    _exit(0);
}

static bool struck(const char *path, int number, enum fault_kind kind)
{
    int status = -1;
    renew(path);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        run_to_the_end(path, number, kind);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 1;
}

/* The next daemon's store, whose opening is a recovery; then what the file says by itself. */
static int after(const char *path, int from, int to)
{
    store_close(open_small(path));
    return assert_says(path, from, to);
}

static void ends_anywhere(enum fault_kind kind, int faults_at_least)
{
    AUTO_FREE char *path = str_format("%s/run.db", the->folder);
    bool lost = false;
    bool in_checkpoint_at_close = false;
    int number = 0;
    for (; struck(path, number, kind); number += STRIDE) {
        int from = kind == FAULT_CUT ? progress->flushed : progress->acknowledged;
        lost |= after(path, from, progress->acknowledged + 1) < progress->acknowledged;
        in_checkpoint_at_close |= progress->closing;
    }
    assert_int_equal(after(path, STEPS - 1, STEPS - 1), STEPS - 1);
    assert_true(number >= faults_at_least);
    if (STRIDE == 1) {
        assert_true(in_checkpoint_at_close);
        /* What is lazy can go, and no more. */
        assert_true(lost == (kind == FAULT_CUT && fault.seed == 0));
    }
}

static void killed_in_front_of_each_write(void **state)
{
    (void)state;
    ends_anywhere(FAULT_KILL, 150);
}

static void killed_in_the_middle_of_each_write(void **state)
{
    (void)state;
    ends_anywhere(FAULT_TORN, 150);
}

static void the_power_fails_and_all_that_was_not_flushed_goes(void **state)
{
    (void)state;
    fault.seed = 0;
    ends_anywhere(FAULT_CUT, 160);
}

/* Some sectors of a page and of its neighbours are there, some are not. */
static void the_power_fails_and_some_sectors_go(void **state)
{
    AUTO_FREE char *path = str_format("%s/run.db", the->folder);
    int number = 0;
    (void)state;
    for (fault.seed = 1; struck(path, number, FAULT_CUT); fault.seed = (unsigned)number + 1) {
        (void)after(path, progress->flushed, progress->acknowledged + 1);
        number += STRIDE;
    }
    assert_true(number >= 160);
}

/* The daemon lives: what fails changes nothing, and works once the fault is over. */
static bool stumbles(const char *path, int number, enum fault_kind kind)
{
    renew(path);
    struct store *store = open_small(path);
    fault_arm(number, kind);
    for (int i = 1; i < STEPS; i++) {
        banger_error err = BANGER_ERROR_INIT;
        if (steps[i].run(store, &err) < 0) {
            fault_disarm();
            assert_int_equal(err.code, kind == FAULT_FLUSH ? BANGER_EIO : BANGER_EFULL);
            assert_true(kind == FAULT_FLUSH || strstr(err.hint, "space") != NULL);
            (void)assert_says(path, i - 1, i - 1);
            if (steps[i].run(store, &err) < 0) {
                fail_msg("step %d fails again: %s", i, err.message);
            }
            (void)assert_says(path, i, i);
        }
    }
    store_close(store);
    bool happened = fault.happened;
    fault_disarm();
    (void)after(path, STEPS - 1, STEPS - 1);
    return happened;
}

static void fails_anywhere(enum fault_kind kind, int faults_at_least)
{
    AUTO_FREE char *path = str_format("%s/run.db", the->folder);
    int number = 0;
    while (stumbles(path, number, kind)) {
        number += STRIDE;
    }
    assert_true(number >= faults_at_least);
}

static void each_write_fails_half_done(void **state)
{
    (void)state;
    fails_anywhere(FAULT_SHORT, 150);
}

static void each_flush_fails(void **state)
{
    (void)state;
    fails_anywhere(FAULT_FLUSH, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_in_front_of_each_write),
        cmocka_unit_test(killed_in_the_middle_of_each_write),
        cmocka_unit_test(the_power_fails_and_all_that_was_not_flushed_goes),
        cmocka_unit_test(the_power_fails_and_some_sectors_go),
        cmocka_unit_test(each_write_fails_half_done),
        cmocka_unit_test(each_flush_fails),
    };
    return cmocka_run_group_tests_name("store_faults", tests, template_make, template_remove);
}
