/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/vm_table.h"

#include "base/clock.h"
#include "store/journal.h"

#include "store_fixture.h"

#include <sqlite3.h>

static void names_of_states(void **state)
{
    (void)state;
    assert_string_equal(vm_state_name(VM_CREATED), "created");
    assert_string_equal(vm_state_name(VM_ERROR), "error");
    assert_string_equal(vm_state_name((enum vm_state)99), "unknown");
}

static void every_field_comes_back(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    struct vm_record vm;
    assert_int_equal(fixture_vm(fixture, "web", NULL, NULL), 0);
    assert_int_equal(vm_find(fixture->store, "web", &vm, NULL), 0);
    int64_t before = clock_wall_ms();
    vm.state = VM_ERROR;
    (void)snprintf(vm.name, sizeof(vm.name), "web-2");
    (void)json_object_set_new(vm.spec, "vcpu", json_integer(4));
    (void)json_object_set_new(vm.runtime, "qemu", json_pack("{s:i}", "pid", 7));
    vm.last_error = xstrdup("the guest's 'init' died;\nlate");
    vm.started_ms = 42;
    assert_int_equal(vm_update(fixture->store, &vm, &err), 0);
    assert_true(vm.updated_ms >= before);

    struct vm_record read;
    fixture_reopen(fixture);
    assert_int_equal(vm_find(fixture->store, vm.id, &read, NULL), 0);
    assert_string_equal(read.name, "web-2");
    assert_string_equal(read.image_id, fixture->image.id);
    assert_string_equal(read.kernel_id, fixture->kernel.id);
    assert_int_equal(read.state, VM_ERROR);
    assert_true(json_equal(read.spec, vm.spec));
    assert_true(json_equal(read.runtime, vm.runtime));
    assert_string_equal(read.last_error, vm.last_error);
    assert_int_equal(read.created_ms, vm.created_ms);
    assert_int_equal(read.updated_ms, vm.updated_ms);
    assert_int_equal(read.started_ms, 42);
    vm_record_free(&read);
    assert_null(read.spec);
    vm_record_free(&vm);
}

static void conflicts_are_explained(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(fixture_vm(fixture, "web", NULL, NULL), 0);
    assert_int_equal(fixture_vm(fixture, "db", NULL, NULL), 0);
    assert_int_equal(fixture_vm(fixture, "web", NULL, &err), -1);
    assert_int_equal(err.code, BANGER_EEXISTS);
    assert_string_equal(err.message, "a VM named 'web' exists already");
    assert_non_null(strstr(err.hint, "banger vm delete web"));

    struct vm_record vm;
    assert_int_equal(vm_find(fixture->store, "db", &vm, NULL), 0);
    (void)snprintf(vm.name, sizeof(vm.name), "web");
    assert_int_equal(vm_update(fixture->store, &vm, &err), -1);
    assert_int_equal(err.code, BANGER_EEXISTS);
    (void)snprintf(vm.name, sizeof(vm.name), "db");
    id_new(vm.kernel_id);
    assert_int_equal(vm_update(fixture->store, &vm, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_non_null(strstr(err.message, vm.kernel_id));
    id_new(vm.id);
    memcpy(vm.kernel_id, fixture->kernel.id, sizeof(vm.kernel_id));
    assert_int_equal(vm_update(fixture->store, &vm, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_int_equal(vm_remove(fixture->store, vm.id, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    vm.state = (enum vm_state)99;
    (void)snprintf(vm.name, sizeof(vm.name), "odd");
    assert_int_equal(vm_insert(fixture->store, &vm, &err), -1);
    vm_record_free(&vm);
    assert_int_equal(fixture_count(fixture), 2);
}

static void nothing_held_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_LENGTH + 1];
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(fixture_vm(fixture, "web", id, NULL), 0);
    int64_t rows[7];
    for (int i = 0; i < 7; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "tap-%d", i);
        rows[i] = journal_intend(fixture->store, id, "core", "tap", key, NULL, NULL);
        assert_true(rows[i] > 0);
    }
    assert_int_equal(vm_remove(fixture->store, id, &err), -1);
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_non_null(strstr(err.message, "'tap tap-6', 'tap tap-5'"));
    assert_non_null(strstr(err.message, "and 2 more"));
    assert_non_null(strstr(err.hint, "banger vm stop"));
    for (int i = 0; i < 7; i++) {
        assert_int_equal(journal_gone(fixture->store, rows[i], NULL), 0);
    }
    assert_int_equal(vm_remove(fixture->store, id, NULL), 0);
    assert_int_equal(fixture_count(fixture), 0);
}

/* A VM with an id of the test's choosing. */
static void insert_with_id(const struct fixture *fixture, const char *name, const char *id)
{
    struct vm_record vm = {.state = VM_CREATED};
    (void)snprintf(vm.id, sizeof(vm.id), "%s", id);
    (void)snprintf(vm.name, sizeof(vm.name), "%s", name);
    memcpy(vm.image_id, fixture->image.id, sizeof(vm.image_id));
    memcpy(vm.kernel_id, fixture->kernel.id, sizeof(vm.kernel_id));
    assert_int_equal(vm_insert(fixture->store, &vm, NULL), 0);
}

static void find_by_name_id_and_prefix(void **state)
{
    struct fixture *fixture = *state;
    insert_with_id(fixture, "web", "beef0000000000000000000000000000");
    insert_with_id(fixture, "db", "beeffffffffffffffffffffffffffff0");
    insert_with_id(fixture, "cafe", "00000000000000000000000000000001");
    insert_with_id(fixture, "other", "cafe0000000000000000000000000000");
    insert_with_id(fixture, "last", "ffffffffffffffffffffffffffffffff");
    static const struct {
        const char *reference;
        const char *name;
    } rows[] = {
        {"web", "web"},
        {"beef0000000000000000000000000000", "web"},
        {"beef0", "web"},
        {"beeff", "db"},
        {"cafe", "cafe"}, /* a name goes before a prefix */
        {"cafe0", "other"},
        {"ffff", "last"},
        {"ffffffffffffffffffffffffffffffff", "last"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct vm_record vm;
        banger_error err = BANGER_ERROR_INIT;
        if (vm_find(fixture->store, rows[i].reference, &vm, &err) < 0) {
            fail_msg("%s: %s", rows[i].reference, err.message);
        }
        assert_string_equal(vm.name, rows[i].name);
        vm_record_free(&vm);
    }
    struct vm_record vm;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(vm_find(fixture->store, "beef", &vm, &err), -1);
    assert_int_equal(err.code, BANGER_EINVALID);
    assert_non_null(strstr(err.message, "'beeffffffffffffffffffffffffffff0 (db)' and "
                                        "'beef0000000000000000000000000000 (web)'"));
    assert_string_not_equal(err.hint, "");
}

static void unknown_gets_the_nearest(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *reference;
        enum banger_code code;
        const char *message;
        const char *hint;
    } rows[] = {
        {"wbe", BANGER_ENOTFOUND, "no VM named 'wbe'", "did you mean 'web'?"},
        {"Web", BANGER_ENOTFOUND, "no VM named 'Web'", "did you mean 'web'?"},
        {"dead", BANGER_ENOTFOUND, "no VM named 'dead'", "'banger vm list' shows what there is"},
        {"bee", BANGER_ENOTFOUND, "no VM named 'bee'", NULL}, /* too short for a prefix */
        {"%", BANGER_EINVALID, "invalid VM '%'", NULL},
        {"a\x1b[0m", BANGER_EINVALID, "invalid VM 'a?[0m'", NULL},
        {"", BANGER_EINVALID, "invalid VM ''", NULL},
    };
    struct vm_record vm;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(vm_find(fixture->store, "web", &vm, &err), -1);
    assert_string_equal(err.hint, "there is no VM yet");
    insert_with_id(fixture, "web", "beef0000000000000000000000000000");
    insert_with_id(fixture, "database", "cafe0000000000000000000000000000");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(vm_find(fixture->store, rows[i].reference, &vm, &err), -1);
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.message, rows[i].message));
        if (rows[i].hint != NULL) {
            assert_string_equal(err.hint, rows[i].hint);
        }
    }
}

static void assert_list(const struct fixture *fixture, const char *const *names, size_t count)
{
    struct vm_list list;
    assert_int_equal(vm_list_all(fixture->store, &list, NULL), 0);
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(list.items[i].name, names[i]);
        assert_string_equal(json_string_value(json_object_get(list.items[i].spec, "of")), names[i]);
    }
    vm_list_free(&list);
    assert_null(list.items);
}

/* Lists reuse what an earlier list has parsed; each must show the rows as they are now. */
static void lists_follow_every_change(void **state)
{
    struct fixture *fixture = *state;
    char ids[3][ID_LENGTH + 1];
    assert_list(fixture, NULL, 0);
    assert_int_equal(fixture_vm(fixture, "c", ids[0], NULL), 0);
    assert_int_equal(fixture_vm(fixture, "a", ids[1], NULL), 0);
    assert_int_equal(fixture_vm(fixture, "b", ids[2], NULL), 0);
    assert_list(fixture, (const char *const[]){"c", "a", "b"}, 3); /* by creation */
    assert_int_equal(vm_remove(fixture->store, ids[1], NULL), 0);
    assert_list(fixture, (const char *const[]){"c", "b"}, 2);
    assert_int_equal(fixture_vm(fixture, "a", NULL, NULL), 0);
    assert_list(fixture, (const char *const[]){"c", "b", "a"}, 3);
    assert_int_equal(vm_remove(fixture->store, ids[0], NULL), 0);
    assert_list(fixture, (const char *const[]){"b", "a"}, 2);

    struct vm_record vm;
    assert_int_equal(vm_find(fixture->store, "b", &vm, NULL), 0);
    (void)snprintf(vm.name, sizeof(vm.name), "renamed");
    (void)json_object_set_new(vm.spec, "of", json_string("renamed"));
    assert_int_equal(store_begin(fixture->store, NULL), 0);
    assert_int_equal(vm_update(fixture->store, &vm, NULL), 0);
    assert_list(fixture, (const char *const[]){"renamed", "a"}, 2);
    store_rollback(fixture->store);
    assert_list(fixture, (const char *const[]){"b", "a"}, 2);
    vm_record_free(&vm);
}

static void lists_outlive_one_another(void **state)
{
    struct fixture *fixture = *state;
    struct vm_list first;
    struct vm_list second;
    char id[ID_LENGTH + 1];
    assert_int_equal(fixture_vm(fixture, "web", id, NULL), 0);
    assert_int_equal(vm_list_all(fixture->store, &first, NULL), 0);
    assert_int_equal(vm_list_all(fixture->store, &second, NULL), 0);
    assert_ptr_equal(first.items[0].spec, second.items[0].spec); /* parsed once */
    vm_list_free(&second);
    assert_int_equal(vm_remove(fixture->store, id, NULL), 0);
    assert_int_equal(fixture_count(fixture), 0);
    store_close(STEAL(fixture->store));
    assert_string_equal(json_string_value(json_object_get(first.items[0].spec, "of")), "web");
    vm_list_free(&first);
}

static void damaged_document_names_its_vm(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_vm(fixture, "web", NULL, NULL), 0);
    assert_int_equal(fixture_vm(fixture, "db", NULL, NULL), 0);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE vms SET runtime = '{' WHERE name = 'db'", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct vm_record vm;
    struct vm_list list;
    for (int round = 0; round < 2; round++) {
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(vm_find(fixture->store, "db", &vm, &err), -1);
        assert_int_equal(err.code, BANGER_ECORRUPT);
        assert_non_null(strstr(err.message, "'db'"));
        assert_int_equal(vm_list_all(fixture->store, &list, &err), -1);
        assert_int_equal(err.code, BANGER_ECORRUPT);
        assert_int_equal(list.count, 0);
    }
    assert_int_equal(vm_find(fixture->store, "web", &vm, NULL), 0);
    vm_record_free(&vm);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_filled, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_states),         STORE_TEST(every_field_comes_back),
        STORE_TEST(conflicts_are_explained),       STORE_TEST(nothing_held_is_forgotten),
        STORE_TEST(find_by_name_id_and_prefix),    STORE_TEST(unknown_gets_the_nearest),
        STORE_TEST(lists_follow_every_change),     STORE_TEST(lists_outlive_one_another),
        STORE_TEST(damaged_document_names_its_vm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
