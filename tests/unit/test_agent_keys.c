/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The overlay's copy onto a root: files that replace, and authorized_keys, which adds. */
#include "agent/boot_keys.c"
#include "agent/boot_overlay.c"
#include "agent/resolve.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "temp_dir.h"

#define OURS "# banger: the next line is made at every start\nssh-ed25519 NEW banger\n"

static char said[256];

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(said, sizeof(said), format, args);
    va_end(args);
}

static void put(struct temp_dir *dir, const char *name, const char *text)
{
    AUTO_FREE char *path = xstrdup(temp_dir_at(dir, name));
    AUTO_FREE char *folder = xstrdup(path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(dir_make(folder, 0755, NULL), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static void has(struct temp_dir *dir, const char *name, const char *text)
{
    AUTO_BUF struct buf found = BUF_INIT;
    assert_int_equal(file_read(temp_dir_at(dir, name), 1 << 20, &found, NULL), 0);
    assert_string_equal(str_or(found.data, ""), text);
}

static void boot(struct temp_dir *dir)
{
    AUTO_FREE char *overlay = xstrdup(temp_dir_at(dir, "overlay"));
    said[0] = '\0';
    boot_overlay(overlay, temp_dir_at(dir, "root"));
}

static int setup(void **state)
{
    struct temp_dir *dir = xcalloc(1, sizeof(*dir));
    temp_dir_make(dir);
    put(dir, "overlay/root/.ssh/authorized_keys", OURS);
    put(dir, "overlay/etc/hostname", "web\n");
    put(dir, "root/etc/hostname", "image\n");
    *state = dir;
    return 0;
}

static int teardown(void **state)
{
    temp_dir_remove(*state);
    free(*state);
    return 0;
}

static void replaces_files(void **state)
{
    boot(*state);
    has(*state, "root/etc/hostname", "web\n");
    assert_int_equal(access(temp_dir_at(*state, "root/etc/" FRESH), F_OK), -1);
    assert_string_equal(said, "");
}

static void makes_keys_private(void **state)
{
    struct stat st;
    boot(*state);
    has(*state, "root/root/.ssh/authorized_keys", OURS);
    assert_int_equal(stat(temp_dir_at(*state, "root/root/.ssh"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void keeps_other_keys(void **state)
{
    static const struct {
        const char *before;
        const char *after;
    } rows[] = {
        {"", OURS},
        {"ssh-rsa A me\n", OURS "ssh-rsa A me\n"},
        {"ssh-rsa A me", OURS "ssh-rsa A me\n"},
        {"# mine\n\nssh-rsa A\n", OURS "# mine\n\nssh-rsa A\n"},
        {OURS, OURS},
        {"# banger: of old\nssh-ed25519 OLD banger\nssh-rsa A me\n", OURS "ssh-rsa A me\n"},
        {"ssh-rsa A\n# banger: of old\nssh-ed25519 OLD banger", OURS "ssh-rsa A\n"},
        {"# banger:\n", OURS},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        put(*state, "root/root/.ssh/authorized_keys", rows[i].before);
        boot(*state);
        has(*state, "root/root/.ssh/authorized_keys", rows[i].after);
        boot(*state); /* and once more */
        has(*state, "root/root/.ssh/authorized_keys", rows[i].after);
    }
}

static void leaves_what_it_cannot_take_over(void **state)
{
    AUTO_FREE char *large = xcalloc(1, KEYS_MAX + 2);
    memset(large, 'x', KEYS_MAX + 1);
    put(*state, "root/root/.ssh/authorized_keys", large);
    boot(*state);
    has(*state, "root/root/.ssh/authorized_keys", large);
    assert_non_null(strstr(said, "root/.ssh/authorized_keys"));
}

static void follows_no_link(void **state)
{
    put(*state, "root/root/.ssh/x", "");
    put(*state, "secret", "secret\n");
    assert_int_equal(symlink(temp_dir_at(*state, "secret"),
                             strdupa(temp_dir_at(*state, "root/root/.ssh/authorized_keys"))),
                     0);
    boot(*state);
    has(*state, "root/root/.ssh/authorized_keys", OURS);
    has(*state, "secret", "secret\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replaces_files, setup, teardown),
        cmocka_unit_test_setup_teardown(makes_keys_private, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_other_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_what_it_cannot_take_over, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_no_link, setup, teardown),
    };
    return cmocka_run_group_tests_name("agent keys", tests, NULL, NULL);
}
