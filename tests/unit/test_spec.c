/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM's specification: what is taken, what is refused and in which words, what a change does. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "config/config.h"
#include "lifecycle/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static json_t *config;

static int load_config(void **state)
{
    (void)state;
    config = config_load("/nonexistent/config.lua", NULL);
    return config != NULL ? 0 : -1;
}

static int drop_config(void **state)
{
    (void)state;
    json_decref(config);
    return 0;
}

static json_t *make(const char *params, banger_error *err)
{
    static const char *const also[] = {"name", NULL};
    AUTO_JSON json_t *json = json_loads(params, 0, NULL);
    assert_non_null(json);
    return spec_new(json, config, also, err);
}

static json_t *change(const json_t *old, const char *changes, banger_error *err)
{
    AUTO_JSON json_t *json = json_loads(changes, 0, NULL);
    assert_non_null(json);
    return spec_change(old, json, err);
}

static void test_defaults(void **state)
{
    (void)state;
    AUTO_JSON json_t *spec = make("{\"name\":\"x\",\"vcpu\":null}", NULL);
    AUTO_JSON json_t *want =
        json_pack("{s:i, s:i, s:i, s:s, s:s, s:s, s:[], s:{}, s:[], s:[]}", "vcpu", 2, "memory_mib",
                  512, "disk_mib", 2048, "vmm", "auto", "rootfs", "auto", "network", "auto",
                  "publish", "labels", "boot_args", "env");
    assert_true(json_equal(spec, want)); /* `nat` is not said */
}

static void test_given_values(void **state)
{
    (void)state;
    static const char given[] =
        "{\"vcpu\":32,\"memory_mib\":64,\"disk_mib\":67108864,\"vmm\":\"qemu\",\"rootfs\":\"copy\","
        "\"network\":\"user\",\"nat\":false,\"publish\":[\"127.0.0.1:80:8080/udp\"],"
        "\"labels\":{\"a.b-c\":\"d e\"},\"boot_args\":[\"quiet\"],\"env\":[\"A=\"]}";
    AUTO_JSON json_t *want = json_loads(given, 0, NULL);
    AUTO_JSON json_t *spec = make(given, NULL);
    assert_true(json_equal(spec, want));
}

static void test_bad_input(void **state)
{
    (void)state;
    static const struct {
        const char *params;
        const char *says;
    } rows[] = {
        {"{\"vcpu\":0}", "vcpu 0: use a whole number from 1 to 32"},
        {"{\"vcpu\":33}", "33"},
        {"{\"vcpu\":2.0}", "whole number"},
        {"{\"vcpu\":\"2\"}", "whole number"},
        {"{\"memory_mib\":63}", "63"},
        {"{\"disk_mib\":9223372036854775807}", "9223372036854775807"},
        {"{\"vmm\":\"\"}", "provider"},
        {"{\"vmm\":\"../x\"}", "../x"},
        {"{\"vmm\":7}", "a string"},
        {"{\"nat\":1}", "true or false"},
        {"{\"publish\":\"80:80\"}", "list"},
        {"{\"publish\":[80]}", "list of strings"},
        {"{\"publish\":[\"80:80\",\"80:81\"]}", "80"},
        {"{\"labels\":[]}", "object"},
        {"{\"labels\":{\"a\":1}}", "object of strings"},
        {"{\"labels\":{\"a=b\":\"c\"}}", "a=b"},
        {"{\"labels\":{\"\":\"c\"}}", "label"},
        {"{\"boot_args\":[\"a b\"]}", "a b"},
        {"{\"boot_args\":[\"a\\nb\"]}", "argument"},
        {"{\"env\":[\"1=2\"]}", "1=2"},
        {"{\"memory\":512}", "memory"},
        {"{\"ephemeral\":true}", "ephemeral"},
        {"{\"disk_by\":\"copy\"}", "disk_by"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        banger_error err = BANGER_ERROR_INIT;
        json_t *spec = make(rows[i].params, &err);
        if (spec != NULL || err.code != BANGER_EINVALID ||
            strstr(err.message, rows[i].says) == NULL) {
            fail_msg("%s: %s", rows[i].params, spec != NULL ? "taken" : err.message);
        }
    }
}

static void test_boot_args_add_up(void **state)
{
    (void)state;
    AUTO_JSON json_t *params = json_pack("{s:[]}", "boot_args");
    json_t *list = json_object_get(params, "boot_args");
    char text[256];
    memset(text, 'a', 255);
    text[255] = '\0';
    for (int i = 0; i < 4; i++) {
        (void)json_array_append_new(list, json_string(text));
    }
    AUTO_JSON json_t *spec = spec_new(params, config, NULL, NULL);
    assert_non_null(spec);
    banger_error err = BANGER_ERROR_INIT;
    (void)json_array_append_new(list, json_string("b"));
    assert_null(spec_new(params, config, NULL, &err));
    assert_int_equal(err.code, BANGER_EINVALID);
}

static void test_changes(void **state)
{
    (void)state;
    AUTO_JSON json_t *old = make("{\"disk_mib\":100,\"labels\":{\"a\":\"1\",\"b\":\"2\"}}", NULL);
    AUTO_JSON json_t *kept = json_deep_copy(old);
    AUTO_JSON json_t *spec = change(
        old, "{\"vcpu\":3,\"disk_mib\":100,\"labels\":{\"a\":null,\"c\":\"3\"},\"env\":[\"A=b\"]}",
        NULL);
    AUTO_JSON json_t *labels = json_pack("{s:s, s:s}", "b", "2", "c", "3");
    assert_non_null(spec);
    assert_int_equal(json_get_int(spec, "vcpu", 0), 3);
    assert_true(json_equal(json_object_get(spec, "labels"), labels));
    assert_true(json_equal(old, kept)); /* a refused change must find it as it was */

    static const char *const bad[] = {"{\"disk_mib\":99}", "{\"vcpu\":null}", "{\"name\":\"x\"}",
                                      "{\"labels\":null}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        banger_error err = BANGER_ERROR_INIT;
        assert_null(change(old, bad[i], &err));
        assert_int_equal(err.code, BANGER_EINVALID);
    }
    assert_true(json_equal(old, kept));
}

static void test_labels_add_up(void **state)
{
    (void)state;
    AUTO_JSON json_t *spec = make("{}", NULL);
    for (int i = 0; i < 64; i++) {
        AUTO_FREE char *one = str_format("{\"labels\":{\"k%d\":\"\"}}", i);
        json_t *next = change(spec, one, NULL);
        assert_non_null(next);
        json_decref(spec);
        spec = next;
    }
    banger_error err = BANGER_ERROR_INIT;
    assert_null(change(spec, "{\"labels\":{\"more\":\"\"}}", &err));
    assert_int_equal(err.code, BANGER_EINVALID);
    AUTO_JSON json_t *swapped = change(spec, "{\"labels\":{\"k0\":null,\"more\":\"\"}}", &err);
    assert_non_null(swapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_given_values),
        cmocka_unit_test(test_bad_input),     cmocka_unit_test(test_changes),
        cmocka_unit_test(test_labels_add_up), cmocka_unit_test(test_boot_args_add_up),
    };
    return cmocka_run_group_tests_name("spec", tests, load_config, drop_config);
}
