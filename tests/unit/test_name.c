/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/name.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <string.h>

static char letters[PATH_MAX + 8]; /* '/' and then only 'a' */

static const char *of_length(size_t length)
{
    return letters + sizeof(letters) - 1 - length;
}

static int prepare(void **state)
{
    (void)state;
    memset(letters, 'a', sizeof(letters) - 1);
    return 0;
}

typedef int (*check)(const char *what, const char *value, banger_error *err);

static void accepts(check function, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        banger_error err = BANGER_ERROR_INIT;
        if (function("thing", values[i], &err) != 0) {
            fail_msg("'%s' was refused: %s", values[i], err.message);
        }
        assert_int_equal(err.code, 0);
    }
}

static void refuses(check function, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        banger_error err = BANGER_ERROR_INIT;
        if (function("thing", values[i], &err) == 0) {
            fail_msg("'%s' was accepted", values[i]);
        }
        assert_int_equal(err.code, BANGER_EINVALID);
        assert_non_null(strstr(err.message, "use "));
    }
}

static void labels(void **state)
{
    (void)state;
    const char *const good[] = {"a", "0", "web-1", "a--b", of_length(63)};
    const char *const bad[] = {"",    "-a",  "a-",  "A",        "a_b", "a.b",
                               "a b", "a\n", "a/b", "\xc3\xa9", "..",  of_length(64)};
    accepts(name_check_label, good, COUNT_OF(good));
    refuses(name_check_label, bad, COUNT_OF(bad));
}

static void artifacts(void **state)
{
    (void)state;
    const char *const good[] = {"a", "6.1.0-56-cloud_x", "Debian", of_length(63)};
    const char *const bad[] = {"",   ".",   "..",  ".a",    "-a",
                               "_a", "a/b", "a b", "a\x7f", of_length(64)};
    accepts(name_check_artifact, good, COUNT_OF(good));
    refuses(name_check_artifact, bad, COUNT_OF(bad));
}

static int package(const char *what, const char *value, banger_error *err)
{
    (void)what;
    return name_check_package(value, err);
}

static void plugins_and_packages(void **state)
{
    (void)state;
    const char *const good_plugins[] = {"a", "file-sync", "x2-", of_length(31)};
    const char *const bad_plugins[] = {"",    "-a",  "2a",  "A",  "a_b",
                                       "a.b", "a b", "a\n", "..", of_length(32)};
    accepts(name_check_plugin, good_plugins, COUNT_OF(good_plugins));
    refuses(name_check_plugin, bad_plugins, COUNT_OF(bad_plugins));
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(name_check_plugin("plugin", "core", &err), -1);
    assert_string_equal(err.message, "invalid plugin 'core': it is the core's own");
    const char *const good_packages[] = {"g++", "libc6", "linux-image-6.1.0-56-cloud-amd64", "0a"};
    const char *const bad_packages[] = {"",    "a",  "-o",   "./a",   "a/b",     "Linux Image",
                                        "a;b", "+a", "a\nb", "a=1.0", "a:amd64", of_length(129)};
    accepts(package, good_packages, COUNT_OF(good_packages));
    refuses(package, bad_packages, COUNT_OF(bad_packages));
}

static void paths(void **state)
{
    (void)state;
    const char *const good[] = {"/", "/a", "/a.b/..c/d..", "/ with space/\xc3\xa9"};
    accepts(name_check_path, good, COUNT_OF(good));
    char longest[PATH_MAX + 1];
    longest[0] = '/';
    memcpy(longest + 1, of_length(PATH_MAX - 1), PATH_MAX);
    const char *const bad[] = {"/a/", "//", "/a//b", "/./a", "/a/..", "/a\n", longest};
    refuses(name_check_path, bad, COUNT_OF(bad));
    longest[PATH_MAX - 1] = '\0';
    assert_int_equal(name_check_path("path", longest, NULL), 0);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(name_check_path("path", "a/b", &err), -1);
    assert_string_equal(err.message, "invalid path 'a/b': it must be an absolute path");
    assert_int_equal(name_check_path("path", "", NULL), -1);
}

static int boot_arg(const char *what, const char *value, banger_error *err)
{
    (void)what;
    return name_check_boot_arg(value, err);
}

static int env(const char *what, const char *value, banger_error *err)
{
    (void)what;
    return name_check_env(value, err);
}

static int label_pair(const char *what, const char *value, banger_error *err)
{
    (void)what;
    return name_check_label_pair(value, err);
}

static void pairs_and_arguments(void **state)
{
    (void)state;
    const char *const good_args[] = {"quiet", "a=b,c", of_length(255)};
    const char *const bad_args[] = {"",
                                    "a b",
                                    "a\tb",
                                    "a\"b",
                                    "a'b",
                                    "a\\b",
                                    of_length(256),
                                    "a\nb",
                                    "a\x7f"
                                    "b",
                                    "a\xa0"
                                    "b",
                                    "x=\xc3\xa0",
                                    "a\xc2\xa0init=/bin/sh"};
    accepts(boot_arg, good_args, COUNT_OF(good_args));
    refuses(boot_arg, bad_args, COUNT_OF(bad_args));
    const char *const good_env[] = {"A=", "_a1=x=y", "PATH=/bin:/usr/bin", "A=two\nlines"};
    const char *const bad_env[] = {"", "A", "=x", "1A=x", "A B=x", "A-B=x"};
    accepts(env, good_env, COUNT_OF(good_env));
    refuses(env, bad_env, COUNT_OF(bad_env));
    char longest[260] = "key=";
    memcpy(longest + 4, of_length(255), 256);
    const char *const good_pairs[] = {"a=", "team.x=a b", longest};
    accepts(label_pair, good_pairs, COUNT_OF(good_pairs));
    char longer[261] = "key=";
    memcpy(longer + 4, of_length(256), 257);
    const char *const bad_pairs[] = {"", "a", "=b", ".a=b", "a=b\n", longer};
    refuses(label_pair, bad_pairs, COUNT_OF(bad_pairs));
}

static void message_shows_the_value_safely(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    (void)name_check_label("VM name", "we\x1b[31m", &err);
    assert_non_null(strstr(err.message, "invalid VM name 'we?[31m'"));
    char accents[200];
    for (size_t i = 0; i < sizeof(accents) - 2; i += 2) {
        memcpy(accents + i, "\xc3\xa9", 2);
    }
    accents[sizeof(accents) - 2] = '\0';
    for (size_t shift = 0; shift < 2; shift++) {
        AUTO_FREE char *value = str_format("%.*s%s", (int)shift, "x", accents);
        (void)name_check_label("VM name", value, &err);
        assert_non_null(strstr(err.message, "\xc3\xa9...'")); /* cut between characters */
    }
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes; /* -1: refused */
    } rows[] = {
        {"0", 0},
        {"512", INT64_C(512) << 20},
        {"1B", 1},
        {"1k", 1024},
        {"64M", 64 << 20},
        {"2GiB", INT64_C(2) << 30},
        {"1T", INT64_C(1) << 40},
        {"", -1},
        {"-1", -1},
        {"+1", -1},
        {" 1", -1},
        {"1 M", -1},
        {"1.5G", -1},
        {"0x10", -1},
        {"M", -1},
        {"1Q", -1},
        {"1MM", -1},
        {"9223372036854775807", -1},
        {"99999999999999999999", -1},
        {"8388608T", -1},
        {"2T", -1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t bytes = -1;
        banger_error err = BANGER_ERROR_INIT;
        int status = size_parse("memory", rows[i].text, 1 << 20, 0, INT64_C(1) << 40, &bytes, &err);
        if (bytes != rows[i].bytes || (status == 0) != (rows[i].bytes >= 0)) {
            fail_msg("'%s' gave %lld: %s", rows[i].text, (long long)bytes, err.message);
        }
    }
    banger_error err = BANGER_ERROR_INIT;
    int64_t bytes = 0;
    assert_int_equal(size_parse("memory", "1M", 1, 64 << 20, INT64_C(1) << 40, &bytes, &err), -1);
    assert_string_equal(err.message,
                        "invalid memory '1M': use a size from 64M to 1T, such as 512M or 2G");
    char text[16];
    size_format(INT64_C(3) << 29, text);
    assert_string_equal(text, "1.5G");
    size_format(INT64_MAX, text);
    assert_string_equal(text, "8388608T");
    size_format(0, text);
    assert_string_equal(text, "0B");
}

static void durations_and_numbers(void **state)
{
    (void)state;
    int64_t value = -1;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(duration_parse("timeout", "250ms", 0, 60000, &value, &err), 0);
    assert_int_equal(value, 250);
    assert_int_equal(duration_parse("timeout", "3", 0, 60000, &value, &err), 0);
    assert_int_equal(value, 3000);
    assert_int_equal(duration_parse("timeout", "1m", 0, 60000, &value, &err), 0);
    assert_int_equal(duration_parse("timeout", "61s", 100, 60000, &value, &err), -1);
    assert_non_null(strstr(err.message, "from 100ms to 60s"));
    assert_int_equal(duration_parse("timeout", "9999999999999h", 0, INT64_MAX, &value, &err), -1);
    assert_int_equal(duration_parse("timeout", "-1s", -5000, 60000, &value, &err), -1);
    assert_int_equal(value, 60000);

    assert_int_equal(number_parse("vcpu", "-3", -5, 5, &value, &err), 0);
    assert_int_equal(value, -3);
    static const char *const bad[] = {"",  " 1", "+1",  "1 ",  "1x",
                                      "6", "-",  "--1", "0x1", "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(number_parse("vcpu", bad[i], -5, 5, &value, &err), -1);
    }
    assert_int_equal(value, -3);
}

static void ids(void **state)
{
    (void)state;
    char first[ID_LENGTH + 1];
    char second[ID_LENGTH + 1];
    id_new(first);
    id_new(second);
    assert_int_equal(strlen(first), ID_LENGTH);
    assert_true(id_is_prefix(first));
    assert_string_not_equal(first, second);
    assert_true(id_is_prefix("beef"));
    assert_false(id_is_prefix("bee"));
    assert_false(id_is_prefix("BEEF"));
    assert_false(id_is_prefix("beeg"));
    assert_false(id_is_prefix("0123456789abcdef0123456789abcdef0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels),
        cmocka_unit_test(artifacts),
        cmocka_unit_test(plugins_and_packages),
        cmocka_unit_test(paths),
        cmocka_unit_test(pairs_and_arguments),
        cmocka_unit_test(message_shows_the_value_safely),
        cmocka_unit_test(sizes),
        cmocka_unit_test(durations_and_numbers),
        cmocka_unit_test(ids),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
