/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line's parser, on a table of its own. */
#include "cli/args.c"
#include "cli/command.c"
#include "cli/utf8.c"
#include "cli/value.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

const struct command commands_vm[] = {
    {
        .path = "vm run",
        .arguments = ARGUMENTS({"PATH", VALUE_FILE, ARGUMENT_OPTIONAL},
                               {"COMMAND", VALUE_WORD, ARGUMENT_TAIL}),
        .options = OPTIONS({"name", 'n', VALUE_NEW_VM, "NAME", "help", false},
                           {"env", 'e', VALUE_ENV, "NAME=VALUE", "help", true},
                           {"label", 'l', VALUE_LABEL, "KEY=VALUE", "help", true},
                           {"tty", 't', VALUE_NONE, NULL, "help", false},
                           {"interactive", 'i', VALUE_NONE, NULL, "help", false}),
    },
    {
        .path = "vm exec",
        .arguments =
            ARGUMENTS({"VM", VALUE_VM, ARGUMENT_ONE}, {"COMMAND", VALUE_WORD, ARGUMENT_COMMAND}),
        .options = OPTIONS({"tty", 't', VALUE_NONE, NULL, "help", false}),
    },
    {0},
};
const struct command commands_network[] = {{.path = "network list"}, {0}};

const struct command commands_host[] = {
    {
        .path = "stop",
        .alias = "halt",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_SOME}),
    },
    {0},
};
const struct command commands_kit[] = {{.path = "plugin new"}, {0}};

#define WORDS_MAX 16

/* One command line, parsed. */
struct line {
    char *argv[WORDS_MAX];
    int argc;
    struct args args;
    banger_error err;
    int status;
};

/* Splits `text` at single spaces and parses it for `command`. */
static struct line *parse(const struct command *command, const char *text)
{
    struct line *line = calloc(1, sizeof(*line));
    char *copy = strdup(text);
    char *rest = copy;
    for (char *word = strsep(&rest, " "); word != NULL && copy[0] != '\0';
         word = strsep(&rest, " ")) {
        line->argv[line->argc++] = strdup(word);
    }
    free(copy);
    line->status = args_parse(&line->args, command, line->argc, line->argv, &line->err);
    return line;
}

static void drop(struct line *line)
{
    args_free(&line->args);
    for (int i = 0; i < line->argc; i++) {
        free(line->argv[i]);
    }
    free(line);
}

static const struct command *run = &commands_vm[0];
static const struct command *exec = &commands_vm[1];

static void test_options_in_every_spelling(void **state)
{
    (void)state;
    static const char *const spellings[] = {"--name web", "--name=web", "-n web", "-nweb"};
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        struct line *line = parse(run, spellings[i]);
        assert_int_equal(line->status, 0);
        assert_string_equal(args_text(&line->args, "name"), "web");
        drop(line);
    }
    struct line *line = parse(run, "-itnweb -q");
    assert_int_equal(line->status, 0);
    assert_true(args_has(&line->args, "tty") && args_has(&line->args, "interactive"));
    assert_true(args_has(&line->args, "quiet"));
    assert_string_equal(args_text(&line->args, "name"), "web");
    drop(line);
}

static void test_repeated_options(void **state)
{
    (void)state;
    struct line *line = parse(run, "-e A=1 --env B=2=3 -l x=1 -l x=2");
    assert_int_equal(line->status, 0);
    json_t *env = args_array(&line->args, "env");
    assert_int_equal(json_array_size(env), 2);
    assert_string_equal(json_string_value(json_array_get(env, 1)), "B=2=3");
    json_t *labels = args_object(&line->args, "label");
    assert_int_equal(json_object_size(labels), 1);
    assert_string_equal(json_string_value(json_object_get(labels, "x")), "2");
    assert_null(args_array(&line->args, "interactive-not-given"));
    json_decref(env);
    json_decref(labels);
    drop(line);
}

static void test_guest_command_is_not_looked_at(void **state)
{
    (void)state;
    struct line *line = parse(run, "-t -- ls --help -- -n");
    assert_int_equal(line->status, 0);
    assert_false(args_has(&line->args, "help"));
    assert_string_equal(line->args.guest_argv[0], "ls");
    assert_string_equal(line->args.guest_argv[2], "--");
    assert_null(line->args.guest_argv[4]);
    drop(line);

    line = parse(exec, "-t web ls -t --help");
    assert_int_equal(line->status, 0);
    assert_string_equal(args_word(&line->args, 0), "web");
    assert_string_equal(line->args.guest_argv[0], "ls");
    assert_string_equal(line->args.guest_argv[2], "--help");
    drop(line);

    line = parse(run, "--"); /* nothing behind it: as if it were not there */
    assert_int_equal(line->status, 0);
    assert_null(line->args.guest_argv);
    drop(line);
}

static void test_help_ends_the_parsing(void **state)
{
    (void)state;
    struct line *line = parse(exec, "--help --no-such-option");
    assert_int_equal(line->status, 0); /* though VM is missing as well */
    assert_true(args_has(&line->args, "help"));
    drop(line);
}

static void test_wrong_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *message;
    } wrong[] = {
        {"--name", "--name needs a value"},      {"-n", "-n needs a value"},
        {"--tty=yes", "takes no value"},         {"-n a -n b", "given twice"},
        {"--nam a", "unknown option '--nam'"},   {"-x", "unknown option '-x'"},
        {"-tx", "unknown option '-tx'"},         {"--=a", "unknown option '--'"},
        {"a b", "unexpected argument 'b'"},      {"-n -", "invalid --name '-'"},
        {"-e =", "invalid environment setting"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct line *line = parse(run, wrong[i].line);
        assert_int_equal(line->status, -1);
        assert_int_equal(line->err.code, BANGER_EINVALID);
        assert_non_null(strstr(line->err.message, wrong[i].message));
        drop(line);
    }
}

static void test_words(void **state)
{
    (void)state;
    const struct command *stop = &commands_host[0];
    struct line *line = parse(stop, "a -q b -- c");
    assert_int_equal(line->status, 0);
    assert_int_equal(line->args.word_count, 3);
    assert_string_equal(args_word(&line->args, 2), "c");
    assert_null(args_word(&line->args, 3));
    drop(line);
    line = parse(stop, "");
    assert_int_equal(line->status, -1);
    assert_string_equal(line->err.message, "'banger stop' needs VM");
    drop(line);
    line = parse(stop, "-- -q"); /* a name that is none, but no option either */
    assert_int_equal(line->status, -1);
    assert_non_null(strstr(line->err.message, "invalid VM '-q'"));
    drop(line);
}

static void test_commands_are_found(void **state)
{
    (void)state;
    const struct command_group *group = NULL;
    banger_error err = BANGER_ERROR_INIT;
    int used = 0;
    char *both[] = {(char *)"vm", (char *)"exec", (char *)"x"};
    assert_ptr_equal(command_find(3, both, &used, &group, &err), exec);
    assert_int_equal(used, 2);
    char *alias[] = {(char *)"halt"};
    assert_ptr_equal(command_find(1, alias, &used, &group, &err), &commands_host[0]);
    char *alone[] = {(char *)"vm", (char *)"--help"};
    assert_null(command_find(2, alone, &used, &group, &err));
    assert_string_equal(group->name, "vm");
    char *misspelt[] = {(char *)"vm", (char *)"exce"};
    assert_null(command_find(2, misspelt, &used, &group, &err));
    assert_null(group);
    assert_string_equal(err.hint, "did you mean 'banger vm exec'?");
    char *without_group[] = {(char *)"exec"};
    assert_null(command_find(1, without_group, &used, &group, &err));
    assert_string_equal(err.hint, "did you mean 'banger vm exec'?");
}

static void test_published_ports(void **state)
{
    (void)state;
    static const char *const good[] = {"80:80", "1:65535/udp", "127.0.0.1:80:8080/tcp"};
    static const char *const bad[] = {
        "",           ":",        "80",   "80:",  ":80",  "0:1",           "1:65536",
        "1:2:3",      "1:2/sctp", "1:2/", "1:2 ", " 1:2", "256.0.0.1:1:2", "::1:2:3",
        "99999999:1", "1:2:3:4",  "+1:2"};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(value_check(VALUE_PUBLISH, "--publish", good[i], NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(value_check(VALUE_PUBLISH, "--publish", bad[i], NULL), -1);
    }
}

static void test_signals_and_sizes(void **state)
{
    (void)state;
    static const char *const good[] = {"TERM", "sigkill", "9", "64", "Usr1"};
    static const char *const bad[] = {"", "SIG", "0", "65", "-9", "9x", "TERMINATE"};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(value_check(VALUE_SIGNAL, "--signal", good[i], NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(value_check(VALUE_SIGNAL, "--signal", bad[i], NULL), -1);
    }
    assert_int_equal(value_mib("2G"), 2048);
    assert_int_equal(value_mib("300"), 300);
    assert_int_equal(value_milliseconds("2"), 2000);
    assert_int_equal(value_check(VALUE_MEMORY, "--memory", "65537K", NULL), -1);
    assert_int_equal(value_check(VALUE_MEMORY, "--memory", "65536K", NULL), 0);
}

static void test_copy_ends(void **state)
{
    (void)state;
    const char *path = NULL;
    assert_int_equal(value_copy_split("web:/tmp/a:b", &path), 3);
    assert_string_equal(path, "/tmp/a:b");
    assert_int_equal(value_copy_split("./web:/tmp", &path), 0);
    assert_string_equal(path, "./web:/tmp");
    assert_int_equal(value_copy_split("plain", &path), 0);
    assert_int_equal(value_check(VALUE_COPY, "SOURCE", "web:relative", NULL), -1);
    assert_int_equal(value_check(VALUE_COPY, "SOURCE", "WEB:/x", NULL), -1);
    assert_int_equal(value_check(VALUE_COPY, "SOURCE", "", NULL), -1);
}

static void test_text_of_any_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *text;
    } rows[] = {
        {"plain", 5, "plain"},
        {"", 0, ""},
        {"a\xff"
         "b",
         3,
         "a\xef\xbf\xbd"
         "b"},
        {"\xe2\x82", 2, "\xef\xbf\xbd\xef\xbf\xbd"},                 /* cut short */
        {"\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd"},                 /* longer than it need be */
        {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xe2\x82\xac\xff", 4, "\xe2\x82\xac\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *json = utf8_json(rows[i].bytes, rows[i].length);
        assert_string_equal(json_string_value(json), rows[i].text);
        json_decref(json);
    }
    json_t *zero = utf8_json("a\0\xff", 3);
    assert_int_equal(json_string_length(zero), 5);
    json_decref(zero);
}

static void test_names_of_new_plugins(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "motd", "a-1", "abcdefghijklmnopqrstuvwxyz-2345"};
    static const char *const bad[] = {
        "",     "Motd", "1a",  "-a", "a_b",
        "core", "é",    "a/b", "..", "abcdefghijklmnopqrstuvwxyz-23456"};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(value_check(VALUE_NEW_PLUGIN, "NAME", good[i], NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(value_check(VALUE_NEW_PLUGIN, "NAME", bad[i], NULL), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_in_every_spelling),
        cmocka_unit_test(test_repeated_options),
        cmocka_unit_test(test_guest_command_is_not_looked_at),
        cmocka_unit_test(test_help_ends_the_parsing),
        cmocka_unit_test(test_wrong_lines),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_commands_are_found),
        cmocka_unit_test(test_published_ports),
        cmocka_unit_test(test_signals_and_sizes),
        cmocka_unit_test(test_copy_ends),
        cmocka_unit_test(test_text_of_any_bytes),
        cmocka_unit_test(test_names_of_new_plugins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
