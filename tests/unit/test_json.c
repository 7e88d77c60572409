/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static json_t *parse(const char *text)
{
    json_t *json = json_parse("the test", text, strlen(text), NULL);
    assert_non_null(json);
    return json;
}

static void parse_refuses_with_a_reason(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "{",   "{\"a\":1,\"a\":2}", "[1]x", "\"\\u0000\"",
                                      "\xff", "nul", "[\x1b[31m]"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        banger_error err = BANGER_ERROR_INIT;
        assert_null(json_parse("the request", bad[i], strlen(bad[i]), &err));
        assert_int_equal(err.code, BANGER_EINVALID);
        assert_non_null(strstr(err.message, "the request is not valid JSON: "));
        assert_null(strchr(err.message, 0x1b));
    }
    char deep[5000];
    memset(deep, '[', sizeof(deep));
    assert_null(json_parse("it", deep, sizeof(deep), NULL));
    banger_error err = BANGER_ERROR_INIT;
    assert_null(json_parse("it", "", (size_t)17 << 20, &err)); /* refused before it is read */
    assert_non_null(strstr(err.message, "longer than"));
}

static void dotted_lookup(void **state)
{
    (void)state;
    AUTO_JSON json_t *json = parse("{\"a\":{\"b\":{\"c\":7}},\"t\":\"x\",\"y\":true,\"n\":null}");
    assert_int_equal(json_get_int(json, "a.b.c", -1), 7);
    assert_int_equal(json_get_int(json, "a.b", -1), -1);
    assert_int_equal(json_get_int(json, "a.b.c.d", -1), -1);
    assert_int_equal(json_get_int(NULL, "a", -1), -1);
    assert_string_equal(json_get_string(json, "t", "none"), "x");
    assert_string_equal(json_get_string(json, "y", "none"), "none");
    assert_true(json_get_bool(json, "y", false));
    assert_true(json_get_bool(json, "t", true));
    assert_ptr_equal(json_at(json, ""), json);
    assert_null(json_at(json, "a..b"));
}

static void put_makes_the_way(void **state)
{
    (void)state;
    AUTO_JSON json_t *json = json_object();
    char longest[400];
    memset(longest, 'k', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    json_put(json, "a.b.c", json_integer(1));
    json_put(json, "a.b.d", json_integer(2));
    json_put(json, "a.b.c.e", json_integer(3)); /* what is in the way gives way */
    json_put(json, longest, json_integer(4));
    json_put(json, "a.b.f", NULL);
    assert_int_equal(json_get_int(json, longest, -1), 4);
    AUTO_FREE char *text = json_text(json_at(json, "a"));
    assert_string_equal(text, "{\"b\":{\"c\":{\"e\":3},\"d\":2}}");
    AUTO_FREE char *null = json_text(NULL);
    assert_string_equal(null, "null");
}

static void parameters_are_checked(void **state)
{
    (void)state;
    AUTO_JSON json_t *params = parse("{\"s\":\"x\",\"i\":5,\"b\":false,\"n\":null,\"r\":1.5}");
    banger_error err = BANGER_ERROR_INIT;
    const char *text = "kept";
    int64_t number = -1;
    bool flag = true;
    assert_int_equal(json_want_string(params, "n", &text, NULL), 0);
    assert_int_equal(json_want_string(params, "missing", &text, NULL), 0);
    assert_string_equal(text, "kept");
    assert_int_equal(json_need_string(params, "s", &text, NULL), 0);
    assert_string_equal(text, "x");
    assert_int_equal(json_want_int(params, "i", &number, NULL), 0);
    assert_int_equal(number, 5);
    assert_int_equal(json_want_bool(params, "b", &flag, NULL), 0);
    assert_false(flag);

    assert_int_equal(json_need_string(params, "n", &text, &err), -1);
    assert_string_equal(err.message, "parameter 'n' is missing");
    assert_int_equal(json_need_string(NULL, "s", &text, &err), -1);
    assert_int_equal(json_want_string(params, "i", &text, &err), -1);
    assert_string_equal(err.message, "parameter 'i' must be a string");
    assert_int_equal(json_want_int(params, "r", &number, &err), -1);
    assert_int_equal(json_want_bool(params, "i", &flag, &err), -1);
    assert_int_equal(number, 5);
}

static void unknown_keys_are_named(void **state)
{
    (void)state;
    static const char *const known[] = {"image", "kernel", NULL};
    AUTO_JSON json_t *good = parse("{\"image\":1}");
    AUTO_JSON json_t *bad = parse("{\"imgae\":1}");
    AUTO_JSON json_t *list = parse("[1]");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(json_only_keys("vm.create", good, known, NULL), 0);
    assert_int_equal(json_only_keys("vm.create", NULL, known, NULL), 0);
    assert_int_equal(json_only_keys("vm.create", bad, known, &err), -1);
    assert_string_equal(err.message, "unknown key 'imgae' in vm.create");
    assert_string_equal(err.hint, "did you mean 'image'?");
    assert_int_equal(json_only_keys("vm.create", list, known, &err), -1);
}

static void any_bytes_become_a_string(void **state)
{
    (void)state;
    AUTO_JSON json_t *good = json_lossy_string("\xc3\xa9");
    AUTO_JSON json_t *bad = json_lossy_string("a\xff"
                                              "b");
    AUTO_JSON json_t *none = json_lossy_string(NULL);
    assert_string_equal(json_string_value(good), "\xc3\xa9");
    assert_string_equal(json_string_value(bad), "a?b");
    assert_true(json_is_null(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_refuses_with_a_reason), cmocka_unit_test(dotted_lookup),
        cmocka_unit_test(put_makes_the_way),           cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(unknown_keys_are_named),      cmocka_unit_test(any_bytes_become_a_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
