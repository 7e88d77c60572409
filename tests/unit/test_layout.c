/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/layout.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static int clear(void **state)
{
    (void)state;
    static const char *const variables[] = {"BANGER_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME",
                                            "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"};
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        (void)unsetenv(variables[i]);
    }
    return 0;
}

static void banger_home_holds_everything(void **state)
{
    (void)state;
    struct layout layout;
    (void)setenv("BANGER_HOME", "/srv/b", 1);
    assert_int_equal(layout_load(&layout, NULL), 0);
    AUTO_FREE char *config = layout_config_file(&layout);
    AUTO_FREE char *database = layout_database(&layout);
    AUTO_FREE char *socket = layout_control_socket(&layout);
    AUTO_FREE char *log = layout_daemon_log(&layout);
    AUTO_FREE char *vm = layout_vm_dir(&layout, "0123456789abcdef0123456789abcdef");
    AUTO_FREE char *run = layout_vm_run_dir(&layout, "0123456789abcdef0123456789abcdef");
    AUTO_FREE char *image = layout_image_dir(&layout, "i");
    AUTO_FREE char *kernel = layout_kernel_dir(&layout, "k");
    assert_string_equal(config, "/srv/b/config.lua");
    assert_string_equal(database, "/srv/b/state/banger.db");
    assert_string_equal(socket, "/srv/b/run/bangerd.sock");
    assert_string_equal(log, "/srv/b/state/bangerd.log");
    assert_string_equal(vm, "/srv/b/state/vms/0123456789abcdef0123456789abcdef");
    assert_string_equal(run, "/srv/b/run/vms/01234567");
    assert_string_equal(image, "/srv/b/state/images/i");
    assert_string_equal(kernel, "/srv/b/state/kernels/k");
    assert_non_null(layout.plugin_dir);
    assert_non_null(layout.libexec_dir);
    AUTO_JSON json_t *told = layout_describe(&layout);
    assert_string_equal(json_string_value(json_object_get(told, "config_dir")), "/srv/b");
    assert_null(
        json_object_get(told, "site_dir")); /* a home of its own has nothing of the site's */
    layout_free(&layout);
    assert_null(layout.state_dir);
}

static void a_bad_banger_home_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"relative", "/a/../b", "/a\nb"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct layout layout;
        banger_error err = BANGER_ERROR_INIT;
        (void)setenv("BANGER_HOME", bad[i], 1);
        assert_int_equal(layout_load(&layout, &err), -1);
        assert_int_equal(err.code, BANGER_EINVALID);
        assert_non_null(strstr(err.message, "BANGER_HOME"));
    }
}

static void root_has_the_system_folders(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("skipped: not root\n");
        skip();
    }
    struct layout layout;
    (void)setenv("BANGER_HOME", "", 1); /* empty is unset */
    (void)setenv("XDG_STATE_HOME", "/nowhere", 1);
    assert_int_equal(layout_load(&layout, NULL), 0);
    assert_string_equal(layout.config_dir, "/etc/banger");
    AUTO_JSON json_t *told = layout_describe(&layout);
    assert_string_equal(json_string_value(json_object_get(told, "site_dir")), "/etc/banger");
    assert_string_equal(layout.state_dir, "/var/lib/banger");
    assert_string_equal(layout.run_dir, "/run/banger");
    assert_string_equal(layout.cache_dir, "/var/cache/banger");
    layout_free(&layout);
}

/* As an ordinary user: the effective id only, so that it can be taken back. */
static void a_user_has_xdg_folders(void **state)
{
    (void)state;
    bool root = geteuid() == 0;
    if (root) {
        assert_int_equal(seteuid(65534), 0);
    }
    struct layout layout;
    banger_error err = BANGER_ERROR_INIT;
    (void)setenv("HOME", "/home/u", 1);
    (void)setenv("XDG_CONFIG_HOME", "relative", 1); /* to be ignored */
    (void)setenv("XDG_CACHE_HOME", "/cache", 1);
    int loaded = layout_load(&layout, &err);
    (void)unsetenv("HOME");
    struct layout homeless;
    int refused = layout_load(&homeless, &err);
    if (root) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_int_equal(loaded, 0);
    assert_string_equal(layout.config_dir, "/home/u/.config/banger");
    assert_string_equal(layout.site_dir, "/etc/banger");
    assert_string_equal(layout.cache_dir, "/cache/banger");
    assert_string_equal(layout.state_dir, "/home/u/.local/state/banger");
    assert_string_equal(layout.run_dir, "/home/u/.local/state/banger/run");
    layout_free(&layout);
    assert_int_equal(refused, -1);
    assert_non_null(strstr(err.message, "HOME"));
    assert_string_not_equal(err.hint, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(banger_home_holds_everything, clear),
        cmocka_unit_test_setup(a_bad_banger_home_is_refused, clear),
        cmocka_unit_test_setup(root_has_the_system_folders, clear),
        cmocka_unit_test_setup(a_user_has_xdg_folders, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
