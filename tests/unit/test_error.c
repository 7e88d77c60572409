/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

static void set_replaces_everything(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(error_set(&err, BANGER_EBUSY, "first %d", 1), -1);
    assert_int_equal(error_hint(&err, "wait"), -1);
    assert_int_equal(error_set(&err, BANGER_EINVALID, "second"), -1);
    assert_int_equal(err.code, BANGER_EINVALID);
    assert_string_equal(err.message, "second");
    assert_string_equal(err.hint, "");
}

static void null_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, BANGER_EIO, "x"), -1);
    assert_int_equal(error_sys(NULL, ENOENT, "x"), -1);
    assert_int_equal(error_hint(NULL, "x"), -1);
    assert_int_equal(error_prefix(NULL, "x"), -1);
    error_join(NULL, &BANGER_ERROR_INIT);
}

static void errno_becomes_a_code(void **state)
{
    (void)state;
    static const struct {
        int number;
        enum banger_code code;
    } rows[] = {
        {ENOENT, BANGER_ENOTFOUND}, {EEXIST, BANGER_EEXISTS},      {EACCES, BANGER_EPERMISSION},
        {ENOSPC, BANGER_EFULL},     {EDQUOT, BANGER_EFULL},        {EBUSY, BANGER_EBUSY},
        {EIO, BANGER_EIO},          {ETIMEDOUT, BANGER_ETIMEDOUT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(error_sys(&err, rows[i].number, "cannot open %s", "/x"), -1);
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.message, "cannot open /x: "));
        assert_non_null(strstr(err.message, strerror(rows[i].number)));
        int has_hint = rows[i].code == BANGER_EFULL;
        assert_true((strstr(err.hint, "free some space") != NULL) == has_hint);
    }
    banger_error err = BANGER_ERROR_INIT;
    (void)error_sys(&err, EROFS, "cannot open /x");
    assert_int_equal(err.code, BANGER_EPERMISSION);
    assert_non_null(strstr(err.hint, "read-only"));
}

static void arguments_may_point_into_the_error(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    (void)error_set(&err, BANGER_EIO, "inner");
    (void)error_set(&err, BANGER_EIO, "outer (%s)", err.message);
    (void)error_hint(&err, "see %s", err.message);
    (void)error_hint(&err, "%s!", err.hint);
    (void)error_prefix(&err, "%s/", err.message);
    assert_string_equal(err.message, "outer (inner)/outer (inner)");
    assert_string_equal(err.hint, "see outer (inner)!");
}

static void join_keeps_the_first(void **state)
{
    (void)state;
    banger_error first = BANGER_ERROR_INIT;
    banger_error second = BANGER_ERROR_INIT;
    error_join(&first, &second);
    assert_int_equal(first.code, 0);
    (void)error_set(&second, BANGER_EFULL, "no space");
    (void)error_hint(&second, "free some");
    error_join(&first, &second);
    assert_int_equal(first.code, BANGER_EFULL);
    (void)error_set(&first, BANGER_EIO, "no disk");
    error_join(&first, &second);
    assert_int_equal(first.code, BANGER_EIO);
    assert_string_equal(first.message, "no disk; also: no space");
    assert_string_equal(first.hint, "free some");
}

static void text_is_one_printable_line(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    (void)error_set(&err, BANGER_EGUEST, "guest said 'a\nb\x1b[31m\xff'");
    assert_string_equal(err.message, "guest said 'a b [31m?'");
    (void)error_hint(&err, "x\ty");
    assert_string_equal(err.hint, "x y");
}

static void a_cut_leaves_valid_text(void **state)
{
    (void)state;
    char longer[3 * ERROR_MESSAGE_MAX];
    for (size_t i = 0; i < sizeof(longer) - 1; i += 3) {
        memcpy(longer + i, "\xe2\x82\xac", 3); /* the euro sign */
    }
    longer[sizeof(longer) - 3] = '\0';
    for (int shift = 0; shift < 3; shift++) {
        banger_error err = BANGER_ERROR_INIT;
        (void)error_set(&err, BANGER_EIO, "%.*s%s", shift, "abc", longer);
        (void)error_prefix(&err, "%.*s", shift, "xyz");
        error_join(&err, &err);
        json_t *text = json_string(err.message); /* refuses what is not UTF-8 */
        assert_non_null(text);
        assert_true(json_string_length(text) > ERROR_MESSAGE_MAX - 8);
        json_decref(text);
    }
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    for (int code = BANGER_EINVALID; code <= BANGER_EINTERNAL; code++) {
        assert_string_not_equal(error_code_name((enum banger_code)code), "unknown");
    }
    assert_string_equal(error_code_name((enum banger_code)0), "unknown");
    assert_string_equal(error_code_name((enum banger_code)9999), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_replaces_everything),
        cmocka_unit_test(null_is_accepted),
        cmocka_unit_test(errno_becomes_a_code),
        cmocka_unit_test(arguments_may_point_into_the_error),
        cmocka_unit_test(join_keeps_the_first),
        cmocka_unit_test(text_is_one_printable_line),
        cmocka_unit_test(a_cut_leaves_valid_text),
        cmocka_unit_test(every_code_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
