/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/journal.h"

#include "store/oplog.h"

#include "fault_vfs.h"
#include "store_fixture.h"

#include <sys/wait.h>

static int64_t intend(struct fixture *fixture, const char *vm, const char *owner, const char *key)
{
    banger_error err = BANGER_ERROR_INIT;
    int64_t id = journal_intend(fixture->store, vm, owner, "dir", key, NULL, &err);
    if (id <= 0) {
        fail_msg("%s", err.message);
    }
    return id;
}

static void rows_go_their_way(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture->store;
    char vm[ID_LENGTH + 1];
    assert_int_equal(fixture_vm(fixture, "web", vm, NULL), 0);
    AUTO_JSON json_t *attrs = json_pack("{s:i}", "pid", 1);
    AUTO_JSON json_t *more = json_pack("{s:i}", "pid", 2);
    int64_t id = journal_intend(store, vm, "core", "process", "vmm", attrs, NULL);
    assert_true(id > 0);

    struct resource_list list;
    assert_int_equal(journal_list(store, vm, NULL, &list, NULL), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].id, id);
    assert_string_equal(list.items[0].vm_id, vm);
    assert_string_equal(list.items[0].owner, "core");
    assert_string_equal(list.items[0].kind, "process");
    assert_string_equal(list.items[0].key, "vmm");
    assert_true(json_equal(list.items[0].attrs, attrs));
    assert_int_equal(list.items[0].state, RESOURCE_INTENT);
    resource_list_free(&list);

    assert_int_equal(journal_held(store, id, NULL, NULL), 0);
    assert_int_equal(journal_list(store, vm, NULL, &list, NULL), 0);
    assert_int_equal(list.items[0].state, RESOURCE_HELD);
    assert_true(json_equal(list.items[0].attrs, attrs)); /* kept */
    resource_list_free(&list);
    assert_int_equal(journal_held(store, id, more, NULL), 0);
    assert_int_equal(journal_list(store, vm, NULL, &list, NULL), 0);
    assert_true(json_equal(list.items[0].attrs, more)); /* replaced */
    resource_list_free(&list);

    assert_int_equal(journal_gone(store, id, NULL), 0);
    assert_int_equal(journal_gone(store, id, NULL), 0); /* idempotent, as release is */
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(journal_held(store, id, NULL, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_int_equal(journal_list(store, vm, NULL, &list, NULL), 0);
    assert_int_equal(list.count, 0);
    resource_list_free(&list);
}

/* A plugin that says "gone" twice must not take another row along. */
static void ids_are_never_given_twice(void **state)
{
    struct fixture *fixture = *state;
    int64_t first = intend(fixture, NULL, "core", "/a");
    assert_int_equal(journal_gone(fixture->store, first, NULL), 0);
    fixture_reopen(fixture);
    int64_t second = intend(fixture, NULL, "core", "/b");
    assert_true(second > first);
}

static void assert_keys(struct resource_list *list, const char *keys)
{
    AUTO_BUF struct buf found = BUF_INIT;
    buf_puts(&found, "");
    for (size_t i = 0; i < list->count; i++) {
        buf_puts(&found, list->items[i].key);
    }
    assert_string_equal(found.data, keys);
    resource_list_free(list);
}

static void lists_are_newest_first(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture->store;
    char web[ID_LENGTH + 1];
    char db[ID_LENGTH + 1];
    assert_int_equal(fixture_vm(fixture, "web", web, NULL), 0);
    assert_int_equal(fixture_vm(fixture, "db", db, NULL), 0);
    (void)intend(fixture, web, "core", "a");
    (void)intend(fixture, db, "core", "b");
    (void)intend(fixture, NULL, "core", "c");
    (void)intend(fixture, web, "nat", "d");
    (void)intend(fixture, web, "core", "e");
    struct resource_list list;
    assert_int_equal(journal_list(store, web, NULL, &list, NULL), 0);
    assert_keys(&list, "eda");
    assert_int_equal(journal_list(store, web, "nat", &list, NULL), 0);
    assert_keys(&list, "d");
    assert_int_equal(journal_list(store, web, "unknown", &list, NULL), 0);
    assert_keys(&list, "");
    assert_int_equal(journal_list(store, NULL, NULL, &list, NULL), 0);
    assert_string_equal(list.items[0].vm_id, "");
    assert_keys(&list, "c");
    assert_int_equal(journal_list_all(store, &list, NULL), 0);
    assert_keys(&list, "edcba");
}

static void strangers_are_refused(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    char id[ID_LENGTH + 1];
    id_new(id);
    assert_true(journal_intend(fixture->store, id, "core", "dir", "/x", NULL, &err) < 0);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_non_null(strstr(err.message, id));
    assert_true(journal_intend(fixture->store, NULL, "core", NULL, "/x", NULL, &err) < 0);
}

/* The daemon is killed between the intent and the acquiring. */
static void intent_survives_the_daemon(void **state)
{
    struct fixture *fixture = *state;
    store_close(STEAL(fixture->store));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *store = store_open(fixture->path, NULL);
        int64_t held = journal_intend(store, NULL, "core", "dir", "/held", NULL, NULL);
        int64_t gone = journal_intend(store, NULL, "core", "dir", "/gone", NULL, NULL);
        (void)journal_held(store, held, NULL, NULL);
        (void)journal_gone(store, gone, NULL);
        (void)journal_intend(store, NULL, "core", "dir", "/intent", NULL, NULL);
        (void)store_begin(store, NULL);
        (void)journal_intend(store, NULL, "core", "dir", "/uncommitted", NULL, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    struct resource_list list;
    (void)fixture_open(fixture);
    assert_int_equal(journal_list_all(fixture->store, &list, NULL), 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0].state, RESOURCE_INTENT);
    assert_int_equal(list.items[1].state, RESOURCE_HELD);
    assert_keys(&list, "/intent/held");
}

static int install_vfs(void **state)
{
    fault_install();
    return fixture_filled(state);
}

static int remove_vfs(void **state)
{
    int status = fixture_remove(state);
    fault_remove();
    return status;
}

static int flushes_since(int *last)
{
    int count = fault.flushes - *last;
    *last = fault.flushes;
    return count;
}

/* store.h says what waits for the disk: a flush more is a start that is slower, one fewer is a row
 * that a power failure takes. */
static void flushes_are_where_they_must_be(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture->store;
    char vm[ID_LENGTH + 1];
    assert_int_equal(fixture_vm(fixture, "warm", NULL, NULL), 0);
    int last = fault.flushes;
    assert_int_equal(fixture_vm(fixture, "web", vm, NULL), 0);
    assert_int_equal(flushes_since(&last), 1);
    int64_t row = intend(fixture, vm, "core", "/run");
    assert_int_equal(journal_held(store, row, NULL, NULL), 0);
    assert_int_equal(journal_gone(store, row, NULL), 0);
    row = oplog_begin(store, "start", vm, "web", NULL);
    assert_int_equal(oplog_end(store, row, "done", NULL, 1, NULL, 0, NULL), 0);
    assert_true(event_append(store, "x", vm, "web", NULL, NULL, NULL) > 0);
    assert_int_equal(fixture_count(fixture), 2);
    assert_int_equal(flushes_since(&last), 0);
    (void)intend(fixture, NULL, "core", "/images/x");
    assert_int_equal(flushes_since(&last), 1);
    assert_int_equal(store_begin(store, NULL), 0);
    (void)intend(fixture, vm, "nat", "a");
    (void)intend(fixture, vm, "nat", "b");
    assert_int_equal(store_commit(store, NULL), 0);
    assert_int_equal(flushes_since(&last), 1);
}

static void names_of_states(void **state)
{
    (void)state;
    assert_string_equal(resource_state_name(RESOURCE_INTENT), "intent");
    assert_string_equal(resource_state_name(RESOURCE_HELD), "held");
    assert_string_equal(resource_state_name((enum resource_state)9), "unknown");
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_filled, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(rows_go_their_way),
        STORE_TEST(ids_are_never_given_twice),
        STORE_TEST(lists_are_newest_first),
        STORE_TEST(strangers_are_refused),
        STORE_TEST(intent_survives_the_daemon),
        cmocka_unit_test_setup_teardown(flushes_are_where_they_must_be, install_vfs, remove_vfs),
        cmocka_unit_test(names_of_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
