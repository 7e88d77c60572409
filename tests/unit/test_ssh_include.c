/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our Include in a user's ssh configuration, and the quoting for ssh and its shell. */
#include "cli/ssh.c"
#include "cli/ssh_include.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PATH_OF_OURS "/home/me/.local/state/banger/ssh/config"
#define LINES MARKER "\nInclude " PATH_OF_OURS "\n"
#define LINES_MADE MARKER_MADE "\nInclude " PATH_OF_OURS "\n"
#define LINES_CRLF MARKER "\r\nInclude " PATH_OF_OURS "\r\n"

/* Never called here: ssh.c's other half asks the daemon. */
json_t *cli_call(struct cli *cli, const char *method, json_t *params, banger_error *err)
{
    (void)cli;
    (void)method;
    (void)err;
    json_decref(params);
    return NULL;
}

static struct buf bytes(const char *data, size_t length)
{
    struct buf text = BUF_INIT;
    buf_append(&text, data, length);
    return text;
}

static void comes_and_goes(void **state)
{
    static const struct {
        const char *before;
        const char *installed;
        bool made;
    } rows[] = {
        {"", LINES_MADE, true},
        {"", LINES, false},
        {"\n", LINES "\n", false},
        {"Host a\n  User b\n", LINES "Host a\n  User b\n", false},
        {"Host a\n  User b", LINES "Host a\n  User b", false},
        {"Host a\r\n  User b\r\n", LINES_CRLF "Host a\r\n  User b\r\n", false},
        {"\r\nHost a\n", LINES_CRLF "\r\nHost a\n", false},
        {"Host a\n\tUser \xff\xfe\n\n\n# end", LINES "Host a\n\tUser \xff\xfe\n\n\n# end", false},
        {MARKER "\nHost a\n", LINES MARKER "\nHost a\n", false},
        {MARKER, LINES MARKER, false},
        {"Include " PATH_OF_OURS ".d\n", LINES "Include " PATH_OF_OURS ".d\n", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf text = bytes(rows[i].before, strlen(rows[i].before));
        AUTO_BUF struct buf installed = BUF_INIT;
        AUTO_BUF struct buf back = BUF_INIT;
        bool made = !rows[i].made;
        assert_false(ssh_include_is_in(&text, PATH_OF_OURS));
        ssh_include_add(&text, PATH_OF_OURS, rows[i].made, &installed);
        assert_string_equal(installed.data, rows[i].installed);
        assert_true(ssh_include_is_in(&installed, PATH_OF_OURS));
        ssh_include_remove(&installed, PATH_OF_OURS, &made, &back);
        assert_string_equal(str_or(back.data, ""), rows[i].before);
        assert_int_equal(made, rows[i].made);
    }
}

static void keeps_zero_bytes(void **state)
{
    static const char odd[] = "Host a\0b\n\0\n";
    AUTO_BUF struct buf text = bytes(odd, sizeof(odd));
    AUTO_BUF struct buf installed = BUF_INIT;
    AUTO_BUF struct buf back = BUF_INIT;
    bool made = true;
    (void)state;
    ssh_include_add(&text, PATH_OF_OURS, false, &installed);
    ssh_include_remove(&installed, PATH_OF_OURS, &made, &back);
    assert_int_equal(back.length, sizeof(odd));
    assert_memory_equal(back.data, odd, sizeof(odd));
}

/* What a user did with it meanwhile. */
static void goes_from_an_edited_file(void **state)
{
    static const struct {
        const char *before;
        const char *after;
    } rows[] = {
        {"Host a\n" LINES "Host b\n", "Host a\nHost b\n"},
        {"Include " PATH_OF_OURS "\nHost b\n", "Host b\n"},
        {MARKER "\n\nInclude " PATH_OF_OURS "\n", MARKER "\n\n"},
        {LINES LINES "x\n", "x\n"},
        {"x\nInclude " PATH_OF_OURS, "x\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf text = bytes(rows[i].before, strlen(rows[i].before));
        AUTO_BUF struct buf after = BUF_INIT;
        bool made = true;
        assert_true(ssh_include_is_in(&text, PATH_OF_OURS));
        ssh_include_remove(&text, PATH_OF_OURS, &made, &after);
        assert_string_equal(str_or(after.data, ""), rows[i].after);
        assert_false(made);
    }
}

static void quotes_for_a_shell(void **state)
{
    static const char *const rows[][2] = {
        {"plain-1.2_3/x:y@z", "plain-1.2_3/x:y@z"},
        {"", "''"},
        {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},
        {"$HOME;`x`\\\"!", "'$HOME;`x`\\\"!'"},
        {"~", "'~'"},
        {"\n", "'\n'"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *word = ssh_shell_word(rows[i][0]);
        assert_string_equal(word, rows[i][1]);
    }
}

static void quotes_for_ssh(void **state)
{
    static const struct {
        const char *path;
        bool expands;
        const char *word;
    } rows[] = {
        {"/a/b", true, "/a/b"},
        {"/a b", true, "\"/a b\""},
        {"/50%", true, "/50%%"},
        {"/50%", false, "/50%"},
        {"/a\"b\\c", false, "\"/a\\\"b\\\\c\""},
        {"/a#b", false, "\"/a#b\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *word = ssh_config_word(rows[i].path, rows[i].expands);
        assert_string_equal(word, rows[i].word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_and_goes),           cmocka_unit_test(keeps_zero_bytes),
        cmocka_unit_test(goes_from_an_edited_file), cmocka_unit_test(quotes_for_a_shell),
        cmocka_unit_test(quotes_for_ssh),
    };
    return cmocka_run_group_tests_name("ssh include", tests, NULL, NULL);
}
