/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* The content that was contributed for a path; "" when there is none. */
static const char *content_of(struct fake_host *fake, const char *path)
{
    size_t i;
    size_t j;
    json_t *list;
    json_t *file;

    json_array_foreach (json_object_get(fake_host_contributions(fake), "guest.files"), i, list) {
        json_array_foreach (list, j, file) {
            if (strcmp(text_of(file, "path"), path) == 0) {
                return text_of(file, "content");
            }
        }
    }
    return "";
}

static void names_the_guest(void **state)
{
    struct fake_host *fake = fake_host_new("{\"vm\": {\"name\": \"web\"}}");

    (void)state;
    assert_int_equal(fake_host_call(fake, banger_plugin_v1()->hooks->contributeMachineConfig), 0);
    assert_string_equal(text_of(fake_host_contribution(fake, "guest.conf"), "hostname"), "web");
    assert_string_equal(content_of(fake, "/etc/hostname"), "web\n");
    assert_non_null(strstr(content_of(fake, "/etc/hosts"), "127.0.0.1\tlocalhost\n"));
    assert_non_null(strstr(content_of(fake, "/etc/hosts"), "127.0.1.1\tweb\n"));
    fake_host_free(fake);
}

static void refuses_no_name(void **state)
{
    struct fake_host *fake = fake_host_new("{\"vm\": {}}");

    (void)state;
    assert_int_equal(fake_host_call(fake, banger_plugin_v1()->hooks->contributeMachineConfig), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINTERNAL);
    assert_int_equal(json_object_size(fake_host_contributions(fake)), 0);
    fake_host_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_guest),
        cmocka_unit_test(refuses_no_name),
    };

    return cmocka_run_group_tests_name("hostname", tests, NULL, NULL);
}
