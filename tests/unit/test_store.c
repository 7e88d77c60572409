/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file and its transactions: what is refused, what survives, what a full disk does. */
#include "store/store.h"

#include "store/journal.h"
#include "store/oplog.h"

#include "fault_vfs.h"
#include "store_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* -- Opening -------------------------------------------------------------------------------- */

static void refused(const struct fixture *fixture, enum banger_code code, const char *why)
{
    banger_error err = BANGER_ERROR_INIT;
    struct store *store = store_open(fixture->path, &err);
    if (store != NULL) {
        store_close(store);
        fail_msg("it was opened, expected '%s'", why);
    }
    if (err.code != code || strstr(err.message, why) == NULL || err.hint[0] == '\0') {
        fail_msg("gave %s '%s' hint '%s', expected '%s'", error_code_name(err.code), err.message,
                 err.hint, why);
    }
}

static void run_sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void read_file(const char *path, struct buf *out)
{
    out->length = 0;
    assert_int_equal(file_read(path, (size_t)64 << 20, out, NULL), 0);
}

static void new_file_is_private_and_whole(void **state)
{
    struct fixture *fixture = *state;
    (void)umask(0);
    (void)fixture_open(fixture);
    assert_int_equal(fixture_count(fixture), 0);
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        struct stat info;
        AUTO_FREE char *file = str_format("%s%s", fixture->path, suffixes[i]);
        assert_int_equal(stat(file, &info), 0);
        assert_int_equal(info.st_mode & 07777, 0600);
    }
    AUTO_FREE char *staging = str_format("%s.new", fixture->path);
    assert_int_equal(access(staging, F_OK), -1);
    fixture_reopen(fixture);
    assert_int_equal(fixture_count(fixture), 0);
}

static void a_loose_mode_is_tightened(void **state)
{
    struct fixture *fixture = *state;
    struct stat info;
    (void)fixture_open(fixture);
    store_close(STEAL(fixture->store));
    assert_int_equal(chmod(fixture->path, 0664), 0);
    (void)fixture_open(fixture);
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
}

static void odd_files_are_refused(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *wal = str_format("%s-wal", fixture->path);
    (void)fixture_open(fixture);
    store_close(STEAL(fixture->store));
    assert_int_equal(symlink("/etc/passwd", wal), 0);
    refused(fixture, BANGER_EPERMISSION, "-wal is a symbolic link");
    assert_int_equal(unlink(wal), 0);

    AUTO_FREE char *elsewhere = str_format("%s.elsewhere", fixture->path);
    assert_int_equal(rename(fixture->path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, fixture->path), 0);
    refused(fixture, BANGER_EPERMISSION, "is a symbolic link");
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    refused(fixture, BANGER_EPERMISSION, "not a regular file");
}

static void strange_owner_is_refused(void **state)
{
    struct fixture *fixture = *state;
    if (geteuid() != 0) {
        print_message("skipped: not root, so no file can be given away\n");
        skip();
    }
    (void)fixture_open(fixture);
    store_close(STEAL(fixture->store));
    assert_int_equal(chown(fixture->path, 12345, 12345), 0);
    refused(fixture, BANGER_EPERMISSION, "belongs to user 12345");
}

static void folder_may_be_a_link(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *real = str_format("%s/real", fixture->folder);
    AUTO_FREE char *link = str_format("%s/link", fixture->folder);
    assert_int_equal(mkdir(real, 0700), 0);
    assert_int_equal(symlink("real", link), 0);
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/b.db", link);
    (void)fixture_open(fixture);
    banger_error err = BANGER_ERROR_INIT;
    assert_null(store_open("/nonexistent/banger.db", &err));
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_null(store_open("banger.db", &err));
    assert_int_equal(err.code, BANGER_EINVALID);
}

static void newer_schema_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUF struct buf before = BUF_INIT;
    AUTO_BUF struct buf after = BUF_INIT;
    (void)fixture_open(fixture);
    store_close(STEAL(fixture->store));
    run_sql(fixture->path, "PRAGMA user_version = 4711");
    read_file(fixture->path, &before);
    refused(fixture, BANGER_EUNSUPPORTED,
            "schema version 4711, and this banger knows versions up "
            "to 2");
    read_file(fixture->path, &after);
    assert_int_equal(before.length, after.length);
    assert_memory_equal(before.data, after.data, before.length);
}

static void strangers_database_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUF struct buf before = BUF_INIT;
    AUTO_BUF struct buf after = BUF_INIT;
    run_sql(fixture->path, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    read_file(fixture->path, &before);
    refused(fixture, BANGER_EUNSUPPORTED, "not one of banger's");
    read_file(fixture->path, &after);
    assert_memory_equal(before.data, after.data, before.length);
}

static void write_file(const char *path, const void *data, size_t length)
{
    assert_int_equal(file_write_atomic(path, data, length, 0600, NULL), 0);
}

static void damage_is_refused_with_advice(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUF struct buf whole = BUF_INIT;
    store_close(STEAL(fixture->store));
    read_file(fixture->path, &whole);

    write_file(fixture->path, "", 0);
    refused(fixture, BANGER_ECORRUPT, "is damaged: it is empty");
    write_file(fixture->path, "This is no database at all, but long enough to be one", 53);
    refused(fixture, BANGER_ECORRUPT, "not a database");
    write_file(fixture->path, whole.data, whole.length / 2);
    refused(fixture, BANGER_ECORRUPT, fixture->path);
    memset(whole.data + 4096, 0xa5, 4096); /* the second page */
    write_file(fixture->path, whole.data, whole.length);
    refused(fixture, BANGER_ECORRUPT, fixture->path);

    banger_error err = BANGER_ERROR_INIT;
    assert_null(store_open(fixture->path, &err));
    assert_non_null(strstr(err.hint, "running VMs are not touched"));
    assert_non_null(strstr(err.hint, "keep a copy"));
}

/* Whatever is flipped, the answer is an error or a store that can be read or says that it cannot:
 * never a crash, and never a fresh file in the place of the old one. */
static void any_flipped_byte_is_survived(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_vm(fixture, "web", NULL, NULL), 0);
    store_close(STEAL(fixture->store));
    AUTO_BUF struct buf whole = BUF_INIT;
    read_file(fixture->path, &whole);
    unsigned seed = 12345;
    size_t refusals = 0;
    for (int round = 0; round < 150; round++) {
        seed = seed * 1103515245u + 12345u;
        size_t at = round < 100 ? (size_t)round : seed % whole.length; /* all of the header */
        char saved = whole.data[at];
        whole.data[at] = (char)(saved ^ 0xff);
        write_file(fixture->path, whole.data, whole.length);
        whole.data[at] = saved;
        banger_error err = BANGER_ERROR_INIT;
        struct store *store = store_open(fixture->path, &err);
        struct vm_list list;
        if (store == NULL) {
            assert_int_not_equal(err.code, 0);
            refusals++;
        } else if (vm_list_all(store, &list, &err) == 0) {
            assert_int_equal(list.count, 1);
            vm_list_free(&list);
        } else {
            assert_int_equal(err.code, BANGER_ECORRUPT);
        }
        store_close(store);
    }
    assert_true(refusals > 20);
}

/* -- Crashes -------------------------------------------------------------------------------- */

/* Runs it in a child that ends without closing anything; returns the exit status. */
static int in_child(void (*body)(struct fixture *fixture, int argument), struct fixture *fixture,
                    int argument)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body(fixture, argument);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void insert_some(struct fixture *fixture, int count)
{
    fixture->store = store_open(fixture->path, NULL);
    for (int i = 0; i < count; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "vm-%d", i);
        if (fixture->store == NULL || fixture_vm(fixture, name, NULL, NULL) < 0) {
            _exit(2);
        }
    }
}

/* The rows that are there must be the first ones, each whole. */
static size_t count_prefix(struct fixture *fixture)
{
    struct vm_list list;
    (void)fixture_open(fixture);
    assert_int_equal(vm_list_all(fixture->store, &list, NULL), 0);
    for (size_t i = 0; i < list.count; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "vm-%zu", i);
        assert_string_equal(list.items[i].name, name);
        assert_string_equal(json_string_value(json_object_get(list.items[i].spec, "of")), name);
    }
    size_t count = list.count;
    vm_list_free(&list);
    store_close(STEAL(fixture->store));
    return count;
}

static void torn_wal_gives_what_was_whole(void **state)
{
    struct fixture *fixture = *state;
    store_close(STEAL(fixture->store));
    assert_int_equal(in_child(insert_some, fixture, 10), 0);
    AUTO_FREE char *wal_path = str_format("%s-wal", fixture->path);
    AUTO_FREE char *shm_path = str_format("%s-shm", fixture->path);
    AUTO_BUF struct buf db = BUF_INIT;
    AUTO_BUF struct buf wal = BUF_INIT;
    read_file(fixture->path, &db);
    read_file(wal_path, &wal);
    size_t last = 0;
    size_t steps = 0;
    for (size_t cut = 0;; cut = cut + 3001 < wal.length ? cut + 3001 : wal.length) {
        write_file(fixture->path, db.data, db.length);
        write_file(wal_path, wal.data, cut);
        assert_int_equal(file_remove(shm_path, NULL), 0);
        size_t count = count_prefix(fixture);
        assert_true(count >= last);
        steps += count > last;
        last = count;
        if (cut == wal.length) {
            break;
        }
    }
    assert_int_equal(last, 10); /* nothing that was committed is lost by a crash of the process */
    assert_true(steps > 3);

    wal.data[wal.length / 2] ^= 0x01; /* what follows a bad checksum does not count */
    write_file(fixture->path, db.data, db.length);
    write_file(wal_path, wal.data, wal.length);
    assert_int_equal(file_remove(shm_path, NULL), 0);
    size_t count = count_prefix(fixture);
    assert_true(count > 0 && count < 10);
}

static void open_until_write(struct fixture *fixture, int writes)
{
    fault_install();
    fault_arm(writes, FAULT_KILL);
    store_close(store_open(fixture->path, NULL));
}

static void creation_may_be_killed_anywhere(void **state)
{
    struct fixture *fixture = *state;
    int kills = 0;
    while (in_child(open_until_write, fixture, kills) == 1) {
        (void)fixture_open(fixture);
        assert_int_equal(fixture_count(fixture), 0);
        store_close(STEAL(fixture->store));
        assert_int_equal(file_remove(fixture->path, NULL), 0);
        kills++;
    }
    assert_true(kills > 10);
}

/* -- A full disk ---------------------------------------------------------------------------- */

static int install_fault(void **state)
{
    fault_install();
    return fixture_filled(state);
}

static int remove_fault(void **state)
{
    int status = fixture_remove(state);
    fault_remove();
    return status;
}

static void assert_full(const banger_error *err)
{
    if (err->code != BANGER_EFULL || strstr(err->hint, "space") == NULL) {
        fail_msg("gave %s '%s'", error_code_name(err->code), err->message);
    }
}

static void full_disk_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    int failures = 0;
    for (int writes = 0;; writes++) {
        fault_arm(writes, FAULT_FULL);
        int status = fixture_vm(fixture, "web", NULL, &err);
        fault_disarm();
        if (status == 0) {
            break;
        }
        assert_full(&err);
        assert_int_equal(fixture_count(fixture), 0);
        failures++;
    }
    assert_true(failures > 0);
    assert_int_equal(fixture_count(fixture), 1);
    fixture_reopen(fixture);
    assert_int_equal(fixture_count(fixture), 1);
}

/* What a caller does: several writes, and a rollback when one of them fails. */
static int write_several(struct fixture *fixture, banger_error *err)
{
    char id[ID_LENGTH + 1];
    if (store_begin(fixture->store, err) < 0) {
        return -1;
    }
    if (fixture_vm(fixture, "one", id, err) < 0 ||
        journal_intend(fixture->store, id, "core", "dir", "/x", NULL, err) < 0 ||
        event_append(fixture->store, "vm.created", id, "one", NULL, NULL, err) < 0) {
        store_rollback(fixture->store);
        return -1;
    }
    return store_commit(fixture->store, err);
}

static void full_disk_rolls_a_transaction_back(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    int failures = 0;
    for (int writes = 0;; writes++) {
        fault_arm(writes, FAULT_FULL);
        int status = write_several(fixture, &err);
        fault_disarm();
        store_rollback(fixture->store); /* harmless */
        if (status == 0) {
            break;
        }
        assert_full(&err);
        assert_int_equal(fixture_count(fixture), 0);
        failures++;
    }
    assert_true(failures > 0);
    assert_int_equal(fixture_count(fixture), 1);
}

static void full_disk_leaves_no_half_database(void **state)
{
    struct fixture *fixture = *state;
    store_close(STEAL(fixture->store));
    for (int writes = 0;; writes++) {
        assert_int_equal(file_remove(fixture->path, NULL), 0);
        banger_error err = BANGER_ERROR_INIT;
        fault_arm(writes, FAULT_FULL);
        struct store *store = store_open(fixture->path, &err);
        bool happened = fault.happened;
        fault_disarm();
        store_close(store);
        AUTO_FREE char *staging = str_format("%s.new", fixture->path);
        assert_int_equal(access(staging, F_OK), -1);
        if (!happened) {
            assert_non_null(store);
            break;
        }
        if (store == NULL) {
            assert_full(&err);
        }
        (void)fixture_open(fixture);
        assert_int_equal(fixture_count(fixture), 0);
        store_close(STEAL(fixture->store));
    }
}

/* -- Transactions --------------------------------------------------------------------------- */

static void parts_commit_within_the_whole(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture->store;
    assert_int_equal(store_begin(store, NULL), 0);
    assert_int_equal(fixture_vm(fixture, "kept", NULL, NULL), 0);
    assert_int_equal(store_begin(store, NULL), 0);
    assert_int_equal(fixture_vm(fixture, "dropped", NULL, NULL), 0);
    store_rollback(store);
    assert_int_equal(store_begin(store, NULL), 0);
    assert_int_equal(fixture_vm(fixture, "kept-too", NULL, NULL), 0);
    assert_int_equal(store_commit(store, NULL), 0);
    assert_int_equal(fixture_count(fixture), 2);
    assert_int_equal(store_commit(store, NULL), 0);
    assert_int_equal(fixture_count(fixture), 2);

    assert_int_equal(store_begin(store, NULL), 0);
    assert_int_equal(store_begin(store, NULL), 0);
    assert_int_equal(fixture_vm(fixture, "inner", NULL, NULL), 0);
    assert_int_equal(store_commit(store, NULL), 0);
    store_rollback(store); /* takes the committed part along */
    store_rollback(store); /* harmless */
    assert_int_equal(fixture_count(fixture), 2);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(store_commit(store, &err), -1);
    assert_int_equal(err.code, BANGER_EINTERNAL);
}

/* SQLite rolls back by itself on some failures; here somebody does it behind the store's back. What
 * follows must not be committed piece by piece. */
static void lost_transaction_fails_to_its_end(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(store_begin(fixture->store, NULL), 0);
    assert_int_equal(fixture_vm(fixture, "one", NULL, NULL), 0);
    fault_arm(0, FAULT_FULL);
    json_t *big = json_object();
    char *text = xmalloc((size_t)12 << 20); /* more than the page cache holds: it spills */
    memset(text, 'x', ((size_t)12 << 20) - 1);
    text[((size_t)12 << 20) - 1] = '\0';
    (void)json_object_set_new(big, "text", json_string(text));
    free(text);
    assert_true(event_append(fixture->store, "big", NULL, NULL, big, NULL, &err) < 0);
    json_decref(big);
    fault_disarm();
    assert_full(&err);
    assert_int_equal(fixture_vm(fixture, "two", NULL, &err), -1);
    assert_int_equal(store_commit(fixture->store, &err), -1);
    assert_int_equal(fixture_count(fixture), 0);
    assert_int_equal(fixture_vm(fixture, "three", NULL, NULL), 0);
    assert_int_equal(fixture_count(fixture), 1);
}

static void oversized_rows_are_refused(void **state)
{
    struct fixture *fixture = *state;
    size_t length = (size_t)17 << 20;
    AUTO_FREE char *text = xmalloc(length + 1);
    memset(text, 'x', length);
    text[length] = '\0';
    AUTO_JSON json_t *big = json_pack("{s:s}", "text", text);
    banger_error err = BANGER_ERROR_INIT;
    assert_true(event_append(fixture->store, "big", NULL, NULL, big, NULL, &err) < 0);
    assert_int_equal(err.code, BANGER_EINVALID);
}

/* -- Threads -------------------------------------------------------------------------------- */

#ifdef __SANITIZE_THREAD__
/* jansson counts references atomically and documents it (JANSSON_THREAD_SAFE_REFCOUNT), but reads
 * the count plainly beforehand, to leave its constants alone. */
BANGER_EXPORT const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race:json_incref\nrace:json_decref\n";
}
#endif

#define THREADS 8
#define ROUNDS 12

struct worker {
    struct fixture *fixture;
    int number;
    int failures;
};

static int work_once(struct worker *worker, int round)
{
    struct fixture *fixture = worker->fixture;
    struct store *store = fixture->store;
    char name[32];
    char id[ID_LENGTH + 1];
    (void)snprintf(name, sizeof(name), "vm-%d-%d", worker->number, round);
    if (store_begin(store, NULL) < 0 || fixture_vm(fixture, name, id, NULL) < 0) {
        return -1;
    }
    if (round % 3 == 0) {
        store_rollback(store);
        return 0;
    }
    int64_t row = journal_intend(store, id, "core", "dir", name, NULL, NULL);
    if (store_commit(store, NULL) < 0 || journal_held(store, row, NULL, NULL) < 0) {
        return -1;
    }
    struct vm_record vm = {0};
    struct vm_list list = {0};
    int status = vm_find(store, name, &vm, NULL) < 0 || vm_list_all(store, &list, NULL) < 0 ||
                         journal_gone(store, row, NULL) < 0
                     ? -1
                     : 0;
    vm_record_free(&vm);
    vm_list_free(&list);
    return status;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (int round = 0; round < ROUNDS; round++) {
        worker->failures += work_once(worker, round) < 0;
    }
    return NULL;
}

static void threads_do_not_mix(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.fixture = fixture, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
    struct resource_list rows;
    assert_int_equal(fixture_count(fixture), THREADS * (ROUNDS - ROUNDS / 3));
    assert_int_equal(journal_list_all(fixture->store, &rows, NULL), 0);
    assert_int_equal(rows.count, 0);
    resource_list_free(&rows);
}

#define STORE_TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, fixture_remove)
#define FAULT_TEST(test) cmocka_unit_test_setup_teardown(test, install_fault, remove_fault)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(new_file_is_private_and_whole, fixture_folder),
        STORE_TEST(a_loose_mode_is_tightened, fixture_folder),
        STORE_TEST(odd_files_are_refused, fixture_folder),
        STORE_TEST(strange_owner_is_refused, fixture_folder),
        STORE_TEST(folder_may_be_a_link, fixture_folder),
        STORE_TEST(newer_schema_is_left_alone, fixture_folder),
        STORE_TEST(strangers_database_is_left_alone, fixture_folder),
        STORE_TEST(damage_is_refused_with_advice, fixture_filled),
        STORE_TEST(any_flipped_byte_is_survived, fixture_filled),
        STORE_TEST(torn_wal_gives_what_was_whole, fixture_filled),
        STORE_TEST(creation_may_be_killed_anywhere, fixture_folder),
        FAULT_TEST(full_disk_changes_nothing),
        FAULT_TEST(full_disk_rolls_a_transaction_back),
        FAULT_TEST(full_disk_leaves_no_half_database),
        FAULT_TEST(lost_transaction_fails_to_its_end),
        STORE_TEST(parts_commit_within_the_whole, fixture_filled),
        STORE_TEST(oversized_rows_are_refused, fixture_filled),
        STORE_TEST(threads_do_not_mix, fixture_filled),
    };
    store_close(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
