/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "temp_dir.h"
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct temp_dir dir;
static struct fake_host *fake;

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    fake = fake_host_new("{\"vm\": {}}");
    assert_int_equal(setenv("HOME", dir.path, 1), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_free(fake);
    temp_dir_remove(&dir);
    return 0;
}

static void set_entries(const char *text)
{
    json_t *entries = json_loads(text, 0, NULL);

    assert_non_null(entries);
    fake_host_set(fake, "config.entries", entries);
}

static void call_well(banger_hook hook)
{
    if (fake_host_call(fake, hook) < 0) {
        fail_msg("%s", fake_host_error(fake));
    }
}

static void refuses(banger_hook hook, const char *entries, const char *text)
{
    set_entries(entries);
    if (fake_host_call(fake, hook) == 0) {
        fail_msg("taken: %s", entries);
    }
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
    if (strstr(fake_host_error(fake), text) == NULL) {
        fail_msg("%s: expected '%s' in '%s'", entries, text, fake_host_error(fake));
    }
    fake_host_clear_error(fake);
}

static void bad_entries(void **state)
{
    static const struct {
        const char *entries;
        const char *text;
    } rows[] = {
        {"{\"host\": \"/a\"}", "entries must be a list"},
        {"[\"/a\"]", "entries[1]: invalid entry \"/a\""},
        {"[{\"host\": \"/a\", \"guest\": \"/root/a\"}, {\"host\": \"b\", \"guest\": \"/root/b\"}]",
         "entries[2]: invalid host \"b\": it must be absolute"},
        {"[{\"guest\": \"/root/a\"}]", "entries[1]: invalid host : it must be a path"},
        {"[{\"host\": \"/a\", \"guest\": \"root/a\"}]", "invalid guest \"root/a\""},
        {"[{\"host\": \"/a/../b\", \"guest\": \"/root/a\"}]", "invalid host \"/a/../b\": '..'"},
        {"[{\"host\": \"/a\", \"guest\": \"/root/../etc/passwd\"}]",
         "invalid guest \"/root/../etc/passwd\": '..'"},
        {"[{\"host\": \"~other/a\", \"guest\": \"/root/a\"}]", "invalid host \"~other/a\""},
        {"[{\"host\": \"/a//b\", \"guest\": \"/root/a\"}]", "empty parts"},
        {"[{\"host\": \"/a\\nb\", \"guest\": \"/root/a\"}]", "control characters"},
        {"[{\"host\": \"/a\", \"guest\": \"/root/a\", \"mode\": 600}]",
         "invalid mode 600: it must"},
        {"[{\"host\": \"/a\", \"guest\": \"/root/a\", \"mode\": \"0888\"}]",
         "invalid mode \"0888\""},
        {"[{\"host\": \"/a\", \"guest\": \"/root/a\", \"mode\": \"4755\"}]",
         "invalid mode \"4755\""},
        {"[{\"host\": \"/a\", \"guest\": \"/root/a\", \"mode\": \"0000\"}]",
         "invalid mode \"0000\""},
        {"[{\"host\": \"/a\", \"guest\": \"/root/a\", \"mode\": \"7\"}]", "invalid mode \"7\""},
        {"[{\"host\": \"/a\", \"guest\": \"/root/a\", \"mod\": \"0600\"}]", "unknown key 'mod'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        refuses(banger_plugin_v1()->start, rows[i].entries, rows[i].text);
    }
}

static void good_entries(void **state)
{
    (void)state;
    call_well(banger_plugin_v1()->start); /* none */
    set_entries("[]");
    call_well(banger_plugin_v1()->start);
    set_entries("[{\"host\": \"~/.gitconfig\", \"guest\": \"~/.gitconfig\", \"mode\": \"600\"},"
                "{\"host\": \"/etc/ssl/\", \"guest\": \"/work/...\"}]");
    call_well(banger_plugin_v1()->start);
}

/* Without a work disk below /root, with one below its mount. */
static void places(void **state)
{
    banger_hook hook = banger_plugin_v1()->hooks->contributeMachineConfig;

    (void)state;
    set_entries("[{\"host\": \"/a\", \"guest\": \"/root/a\"}]");
    call_well(hook);
    refuses(hook, "[{\"host\": \"/a\", \"guest\": \"/root\"}]", "must be below /root");
    refuses(hook, "[{\"host\": \"/a\", \"guest\": \"/rootless/a\"}]", "must be below /root");
    refuses(hook, "[{\"host\": \"/a\", \"guest\": \"/etc/passwd\"}]",
            "entries[1]: invalid guest \"/etc/passwd\"");

    fake_host_set(fake, "machine.guest.conf.mount",
                  json_pack("[s]", "/dev/vdb /work ext4 rw grow"));
    set_entries("[{\"host\": \"/a\", \"guest\": \"/work/b/c\"}]");
    call_well(hook);
    refuses(hook, "[{\"host\": \"/a\", \"guest\": \"/root/a\"}]",
            "the mount of the VM's work disk");
    refuses(hook, "[{\"host\": \"/a\", \"guest\": \"/workshop/a\"}]",
            "the mount of the VM's work disk");
    assert_int_equal(json_object_size(fake_host_contributions(fake)), 0);
}

static void copies(void **state)
{
    const json_t *copies = fake_host_copies(fake);
    char expected[PATH_MAX];
    char *text;

    (void)state;
    temp_dir_write(&dir, ".gitconfig", "[user]\n");
    set_entries("[{\"host\": \"~/.gitconfig\", \"guest\": \"~/.gitconfig\", \"mode\": \"0600\"},"
                "{\"host\": \"~/not-there\", \"guest\": \"/root/x\"},"
                "{\"host\": \"~/.gitconfig/below\", \"guest\": \"/root/y\"},"
                "{\"host\": \"/etc/\", \"guest\": \"/root/all\"}]");
    call_well(banger_plugin_v1()->hooks->postStart);
    assert_int_equal(json_array_size(copies), 2);
    (void)snprintf(
        expected, sizeof(expected),
        "[{\"mode\": 384, \"path\": \"/root/.gitconfig\", \"source\": \"%s/.gitconfig\"}, "
        "{\"path\": \"/root/all\", \"source\": \"/etc\"}]",
        dir.path);
    text = json_dumps(copies, JSON_SORT_KEYS);
    assert_string_equal(text, expected);
    free(text);
    assert_int_equal(json_array_size(fake_host_log(fake)), 2);
    assert_non_null(strstr(json_string_value(json_array_get(fake_host_log(fake), 0)),
                           "not-there is not there"));
    assert_non_null(
        strstr(json_string_value(json_array_get(fake_host_progress(fake), 0)), "warning: "));
}

static void a_copy_fails(void **state)
{
    (void)state;
    fake_host_fail_copies(fake);
    temp_dir_write(&dir, "a", "");
    set_entries("[{\"host\": \"~/a\", \"guest\": \"/root/a\"}, {\"host\": \"~/a\", \"guest\": "
                "\"/root/b\"}]");
    assert_int_equal(fake_host_call(fake, banger_plugin_v1()->hooks->postStart), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EGUEST);
    assert_int_equal(json_array_size(fake_host_copies(fake)), 1);
    fake_host_clear_error(fake);
    fake_host_set_remaining(fake, 0);
    assert_int_equal(fake_host_call(fake, banger_plugin_v1()->hooks->postStart), -1);
    assert_non_null(strstr(fake_host_hint(fake), "timeout"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bad_entries), TEST(good_entries), TEST(places), TEST(copies), TEST(a_copy_fails),
    };

    return cmocka_run_group_tests_name("file-sync", tests, NULL, NULL);
}
