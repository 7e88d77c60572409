/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Published ports, one by one and beside one another. */
#include "lifecycle/publish.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_good(void **state)
{
    static const char *const good[] = {
        "80:80",           "8080:80/tcp",           "53:53/udp",
        "0.0.0.0:1:65535", "127.0.0.1:65535:1/udp", "192.0.2.1:80:80"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(publish_check(good[i], NULL), 0);
    }
}

static void test_bad(void **state)
{
    static const char *const bad[] = {
        "",         "80",          ":",           "80:",    ":80",         "0:80",
        "80:65536", "80:-1",       "80:80/sctp",  "80:80/", "1.2.3:80:80", "host:80:80",
        ":80:80",   "[::1]:80:80", "80:80:80:80", " 80:80"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(publish_check(bad[i], &err), -1);
        assert_int_equal(err.code, BANGER_EINVALID);
    }
}

struct pair {
    const char *first, *second;
    bool clash;
};

static void test_clashes(void **state)
{
    static const struct pair pairs[] = {
        {"80:80", "80:81", true},
        {"80:80", "127.0.0.1:80:80", true}, /* loopback is what is meant where nothing is said */
        {"0.0.0.0:80:80", "192.0.2.1:80:80", true},
        {"192.0.2.1:80:80", "0.0.0.0:80:80", true},
        {"80:80", "81:80", false},
        {"80:80", "80:80/udp", false},
        {"127.0.0.1:80:80", "127.0.0.2:80:80", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        AUTO_JSON json_t *list = json_pack("[s, s, s]", "1:1", pairs[i].first, pairs[i].second);
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(publish_check_clashes(list, &err), pairs[i].clash ? -1 : 0);
        if (pairs[i].clash) {
            assert_int_equal(err.code, BANGER_EINVALID);
            assert_non_null(strstr(err.message, pairs[i].second));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_clashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
