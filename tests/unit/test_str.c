/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/str.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void comparisons(void **state)
{
    (void)state;
    assert_true(str_equal(NULL, NULL));
    assert_false(str_equal(NULL, ""));
    assert_true(str_starts("abc", ""));
    assert_false(str_starts("ab", "abc"));
    assert_true(str_ends("abc", "bc"));
    assert_false(str_ends("c", "bc"));
}

static void nearest_finds_slips(void **state)
{
    (void)state;
    static const char *const known[] = {"web", NULL, "database", "cache-1"};
    static const struct {
        const char *word;
        const char *nearest;
    } rows[] = {
        {"wbe", "web"},
        {"we", "web"},
        {"Web", "web"},
        {"databse", "database"},
        {"dtaabase", "database"},
        {"cache1", "cache-1"},
        {"xyz", NULL},
        {"", NULL},
        {"w", NULL},
        {"a-name-of-something-else", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *found = str_nearest(rows[i].word, known, COUNT_OF(known));
        if (!str_equal(found, rows[i].nearest)) {
            fail_msg("'%s' gave '%s'", rows[i].word, str_or(found, "nothing"));
        }
    }
    char endless[200];
    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    const char *const longer[] = {endless};
    assert_null(str_nearest(endless, known, COUNT_OF(known)));
    assert_null(str_nearest("web", longer, 1));
    assert_null(str_nearest("web", NULL, 0));
}

static void buffer_grows_and_shrinks(void **state)
{
    (void)state;
    AUTO_BUF struct buf buf = BUF_INIT;
    buf_consume(&buf, 5);
    assert_int_equal(buf.length, 0);
    for (int i = 0; i < 1000; i++) {
        buf_printf(&buf, "%03d", i);
    }
    assert_int_equal(buf.length, 3000);
    assert_int_equal(strlen(buf.data), 3000);
    buf_consume(&buf, 2997);
    assert_string_equal(buf.data, "999");
    buf_consume(&buf, 100);
    assert_string_equal(buf.data, "");
    AUTO_FREE char *empty = buf_steal(&buf);
    assert_string_equal(empty, "");
    assert_null(buf.data);
}

static void printable_drops_what_drives_a_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *shown;
    } rows[] = {
        {"plain \xc3\xa9\n\tx", "plain \xc3\xa9\n\tx"},
        {"a\x1b[1;31mred\x1b[0m", "ared"},
        {"a\x1b]0;title\ab", "ab"},
        {"a\x1b]0;title\x1b\\b", "ab"},
        {"a\x1b]0;never ended\nb", "a\nb"},
        {"a\x1bP1;2q...\x1b\\b", "ab"},
        {"a\x1b(Bb", "ab"},
        {"a\x1b"
         "cb",
         "ab"},
        {"a\x1b[\nb", "a\nb"},
        {"a\x1b[12", "a"},
        {"a\x1b", "a"},
        {"a\x1b\x1b[0mb", "ab"},
        {"a\r\b\x7f\x07z", "az"},
        {"a\xc2\x9b"
         "31mb",
         "a31mb"}, /* CSI as one C1 character */
        {"a\x9b"
         "31mb",
         "a?31mb"},
        {"\xff\xc3", "??"},
        {"\xed\xa0\x80", "???"}, /* a surrogate */
        {"\xc0\xaf", "??"},      /* a long form */
        {"\xf0\x9f\x8c\x8d", "\xf0\x9f\x8c\x8d"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *shown = str_printable(rows[i].bytes, strlen(rows[i].bytes));
        if (strcmp(shown, rows[i].shown) != 0) {
            fail_msg("row %zu gave '%s'", i, shown);
        }
    }
    AUTO_FREE char *with_nul = str_printable("a\0b", 3);
    assert_string_equal(with_nul, "ab");
    AUTO_FREE char *none = str_printable("", 0);
    assert_string_equal(none, "");
}

static void line_is_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *line;
    } rows[] = {
        {"", ""},
        {"a\nb\tc", "a b c"},
        {"\xc3\xa9", "\xc3\xa9"},
        {"a\xc3", "a"},         /* cut behind the first byte of two */
        {"a\xe2\x82", "a"},     /* behind two of three */
        {"a\xc3z", "a?z"},      /* not a cut: something follows */
        {"a\xc2\x85z", "a  z"}, /* NEL, a C1 control */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "%s", rows[i].bytes);
        str_make_line(text);
        assert_string_equal(text, rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons),
        cmocka_unit_test(nearest_finds_slips),
        cmocka_unit_test(buffer_grows_and_shrinks),
        cmocka_unit_test(printable_drops_what_drives_a_terminal),
        cmocka_unit_test(line_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
