/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/oplog.h"

#include "base/json.h"

#include "store_fixture.h"

#define VM_A "0000000000000000000000000000000a"
#define VM_B "0000000000000000000000000000000b"

static void operations_tell_their_stages(void **state)
{
    struct fixture *fixture = *state;
    static char reason[] = "no TAP: \xff";
    const struct oplog_stage stages[] = {
        {.name = "preflight", .started_ns = 1000, .took_ns = 2999},
        {.name = "bridge", .started_ns = 5000, .outcome = 1},
        {.name = "tap", .started_ns = 7000, .took_ns = 1000, .outcome = -1, .error = reason},
    };
    int64_t id = oplog_begin(fixture->store, "start", VM_A, "web", NULL);
    assert_true(id > 0);
    AUTO_JSON json_t *running = oplog_list(fixture->store, VM_A, 10, NULL);
    const json_t *row = json_array_get(running, 0);
    assert_string_equal(json_get_string(row, "outcome", ""), "running");
    assert_true(json_is_null(json_object_get(row, "took_ms")));
    assert_int_equal(json_array_size(json_object_get(row, "stages")), 0);

    assert_int_equal(
        oplog_end(fixture->store, id, "failed", "it \xff broke", 12345678, stages, 3, NULL), 0);
    AUTO_JSON json_t *list = oplog_list(fixture->store, NULL, 10, NULL);
    assert_int_equal(json_array_size(list), 1);
    row = json_array_get(list, 0);
    assert_int_equal(json_get_int(row, "id", 0), id);
    assert_string_equal(json_get_string(row, "kind", ""), "start");
    assert_string_equal(json_get_string(row, "vm", ""), VM_A);
    assert_string_equal(json_get_string(row, "name", ""), "web");
    assert_int_equal(strlen(json_get_string(row, "started", "")),
                     24); /* 2026-11-23T04:45:28.123Z */
    assert_int_equal(json_get_int(row, "took_ms", 0), 12);
    assert_string_equal(json_get_string(row, "outcome", ""), "failed");
    assert_string_equal(json_get_string(row, "error", ""), "it ? broke");
    AUTO_FREE char *text = json_text(json_object_get(row, "stages"));
    assert_string_equal(
        text, "[{\"name\":\"preflight\",\"started_us\":1,\"took_us\":2,\"outcome\":\"done\","
              "\"error\":null},"
              "{\"name\":\"bridge\",\"started_us\":5,\"took_us\":0,\"outcome\":\"skipped\","
              "\"error\":null},"
              "{\"name\":\"tap\",\"started_us\":7,\"took_us\":1,\"outcome\":\"failed\","
              "\"error\":\"no TAP: ?\"}]");
}

static void host_operations_have_no_vm(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    int64_t id = oplog_begin(fixture->store, "image build", NULL, NULL, NULL);
    assert_int_equal(oplog_end(fixture->store, id, "done", NULL, 0, NULL, 0, NULL), 0);
    AUTO_JSON json_t *list = oplog_list(fixture->store, NULL, 10, NULL);
    const json_t *row = json_array_get(list, 0);
    assert_true(json_is_null(json_object_get(row, "vm")));
    assert_true(json_is_null(json_object_get(row, "name")));
    assert_true(json_is_null(json_object_get(row, "error")));
    AUTO_JSON json_t *none = oplog_list(fixture->store, VM_A, 10, NULL);
    assert_int_equal(json_array_size(none), 0);
    assert_int_equal(oplog_end(fixture->store, id + 1, "done", NULL, 0, NULL, 0, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

static void a_dead_daemons_operations_are_interrupted(void **state)
{
    struct fixture *fixture = *state;
    int64_t ended = oplog_begin(fixture->store, "stop", VM_A, "web", NULL);
    assert_int_equal(oplog_end(fixture->store, ended, "done", NULL, 1, NULL, 0, NULL), 0);
    assert_true(oplog_begin(fixture->store, "start", VM_A, "web", NULL) > 0);
    assert_true(oplog_begin(fixture->store, "start", VM_B, "db", NULL) > 0);
    fixture_reopen(fixture);
    assert_int_equal(oplog_interrupt_all(fixture->store, NULL), 2);
    assert_int_equal(oplog_interrupt_all(fixture->store, NULL), 0);
    AUTO_JSON json_t *list = oplog_list(fixture->store, NULL, 10, NULL);
    assert_string_equal(json_get_string(json_array_get(list, 0), "outcome", ""), "done");
    assert_string_equal(json_get_string(json_array_get(list, 1), "outcome", ""), "interrupted");
    assert_string_not_equal(json_get_string(json_array_get(list, 2), "error", ""), "");
}

static void limits_take_the_newest_oldest_first(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 6; i++) {
        assert_true(oplog_begin(fixture->store, "start", i % 2 ? VM_B : VM_A, NULL, NULL) > 0);
    }
    AUTO_JSON json_t *all = oplog_list(fixture->store, NULL, 2, NULL);
    assert_int_equal(json_array_size(all), 2);
    assert_int_equal(json_get_int(json_array_get(all, 0), "id", 0), 5);
    assert_int_equal(json_get_int(json_array_get(all, 1), "id", 0), 6);
    AUTO_JSON json_t *one = oplog_list(fixture->store, VM_A, 2, NULL);
    assert_int_equal(json_get_int(json_array_get(one, 0), "id", 0), 3);
    assert_int_equal(json_get_int(json_array_get(one, 1), "id", 0), 5);
    AUTO_JSON json_t *none = oplog_list(fixture->store, NULL, 0, NULL);
    assert_int_equal(json_array_size(none), 0);
    AUTO_JSON json_t *many = oplog_list(fixture->store, NULL, SIZE_MAX, NULL);
    assert_int_equal(json_array_size(many), 6);
}

/* Many operations, in one transaction so that the disk is not what is waited for. */
static void log_many(const struct fixture *fixture, const char *vm_id, int count)
{
    assert_int_equal(store_begin(fixture->store, NULL), 0);
    for (int i = 0; i < count; i++) {
        int64_t id = oplog_begin(fixture->store, "start", vm_id, NULL, NULL);
        if (oplog_end(fixture->store, id, "done", NULL, 1, NULL, 0, NULL) < 0) {
            fail();
        }
    }
    assert_int_equal(store_commit(fixture->store, NULL), 0);
}

static size_t kept(const struct fixture *fixture, const char *vm_id)
{
    AUTO_JSON json_t *list = oplog_list(fixture->store, vm_id, SIZE_MAX, NULL);
    return json_array_size(list);
}

static void each_vm_keeps_its_newest(void **state)
{
    struct fixture *fixture = *state;
    int64_t running = oplog_begin(fixture->store, "long", VM_A, NULL, NULL);
    log_many(fixture, VM_B, 3);
    log_many(fixture, VM_A, 1100);
    assert_int_equal(kept(fixture, VM_A), 1001); /* and the one that still runs */
    assert_int_equal(kept(fixture, VM_B), 3);
    assert_int_equal(oplog_end(fixture->store, running, "done", NULL, 1, NULL, 0, NULL), 0);
    log_many(fixture, VM_A, 1);
    assert_int_equal(kept(fixture, VM_A), 1000);
    log_many(fixture, NULL, 1005);
    assert_int_equal(kept(fixture, NULL), 1000 + 3 + 1000);
}

/* Sandboxes come and go: what VMs of the past did must not grow without end. */
static void all_together_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    for (int vm = 0; vm < 24; vm++) {
        char id[ID_LENGTH + 1];
        id_new(id);
        log_many(fixture, id, 900);
    }
    assert_int_equal(kept(fixture, NULL), 20000);
}

static void events_are_told_and_kept(void **state)
{
    struct fixture *fixture = *state;
    AUTO_JSON json_t *data = json_pack("{s:i}", "pid", 7);
    AUTO_JSON json_t *event = NULL;
    int64_t id = event_append(fixture->store, "vm.started", VM_A, "web", data, &event, NULL);
    assert_true(id > 0);
    assert_true(event_append(fixture->store, "daemon.started", NULL, NULL, NULL, NULL, NULL) > id);
    AUTO_JSON json_t *list = event_list(fixture->store, 0, 10, NULL);
    assert_int_equal(json_array_size(list), 2);
    assert_true(json_equal(json_array_get(list, 0), event)); /* live and later are the same */
    assert_int_equal(json_get_int(event, "id", 0), id);
    assert_string_equal(json_get_string(event, "type", ""), "vm.started");
    assert_string_equal(json_get_string(event, "vm", ""), VM_A);
    assert_string_equal(json_get_string(event, "name", ""), "web");
    assert_int_equal(json_get_int(event, "data.pid", 0), 7);
    assert_int_equal(strlen(json_get_string(event, "time", "")), 24);
    const json_t *second = json_array_get(list, 1);
    assert_true(json_is_null(json_object_get(second, "vm")));
    assert_int_equal(json_object_size(json_object_get(second, "data")), 0);
    (void)json_object_set_new(data, "pid", json_integer(8));
    assert_int_equal(json_get_int(event, "data.pid", 0), 7); /* a copy */

    AUTO_JSON json_t *later = event_list(fixture->store, id, 10, NULL);
    assert_int_equal(json_array_size(later), 1);
    AUTO_JSON json_t *first = event_list(fixture->store, 0, 1, NULL);
    assert_int_equal(json_get_int(json_array_get(first, 0), "id", 0), id);
}

static void events_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(store_begin(fixture->store, NULL), 0);
    int64_t id = 0;
    for (int i = 0; i < 10050; i++) {
        id = event_append(fixture->store, "x", NULL, NULL, NULL, NULL, NULL);
    }
    assert_int_equal(store_commit(fixture->store, NULL), 0);
    AUTO_JSON json_t *list = event_list(fixture->store, 0, SIZE_MAX, NULL);
    assert_int_equal(json_array_size(list), 10000);
    assert_int_equal(json_get_int(json_array_get(list, 9999), "id", 0), id);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_filled, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(operations_tell_their_stages),
        STORE_TEST(host_operations_have_no_vm),
        STORE_TEST(a_dead_daemons_operations_are_interrupted),
        STORE_TEST(limits_take_the_newest_oldest_first),
        STORE_TEST(each_vm_keeps_its_newest),
        STORE_TEST(all_together_are_bounded),
        STORE_TEST(events_are_told_and_kept),
        STORE_TEST(events_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
