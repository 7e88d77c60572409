/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which scripts there are, what is told of them, and what is wrong with those that cannot be used. */
#include "lua_fixture.h"
#include "source.h"

static const char *text_of(const json_t *told, const char *key)
{
    return json_string_value(json_object_get(told, key));
}

static void a_script_is_told(void **state)
{
    const json_t *told;
    char *text;

    (void)state;
    write_script("site",
                 "return { name = 'site', version = '1.2', summary = 'ours', after = {'nat?'}, "
                 "before = 'dns',\n"
                 "  config = { url = { type = 'string', default = 'http://x', help = 'where' },"
                 "             depth = { type = 'int', default = 3, minimum = 1, maximum = 9 } },\n"
                 "  cleanup = function(vm) end, check = function(vm) end }");
    told = expand("site");
    assert_non_null(told);
    assert_string_equal(text_of(told, "version"), "1.2");
    assert_string_equal(text_of(told, "summary"), "ours");
    assert_string_equal(text_of(told, "origin"), temp_dir_at(&home, "hooks.d/site.lua"));
    text = json_dumps(json_object_get(told, "hooks"), 0);
    assert_string_equal(text, "[\"check\", \"cleanup\"]");
    free(text);
    text = json_dumps(json_object_get(told, "after"), 0);
    assert_string_equal(text, "[\"nat?\"]");
    free(text);
    text = json_dumps(json_object_get(told, "before"), 0);
    assert_string_equal(text, "[\"dns\"]");
    free(text);
    text = json_dumps(json_object_get(told, "config"), JSON_SORT_KEYS);
    assert_string_equal(text, "[{\"default\": 3, \"maximum\": 9, \"minimum\": 1, \"name\": "
                              "\"depth\", \"type\": \"int\"}, "
                              "{\"default\": \"http://x\", \"help\": \"where\", \"name\": \"url\", "
                              "\"type\": \"string\"}]");
    free(text);
    assert_int_equal(strlen(text_of(json_object_get(told, "state"), "revision")), 32);
}

static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char *script;
        const char *text;
    } rows[] = {
        {"return {", "site.lua:1: unexpected symbol"},
        {"\n\nerror('no')", "site.lua:3: no"},
        {"return 7", "it must return one table"},
        {"", "it must return one table"},
        {"return {}, 1", "it must return one table"},
        {"return { prepar = function() end }", "unknown key 'prepar'; did you mean 'prepare'?"},
        {"return { 7 }", "its keys must be names"},
        {"return { name = 'other' }", "'name' must be \"site\""},
        {"return { prepare = 7 }", "'prepare' must be a function"},
        {"return { version = 7 }", "'version' must be a text"},
        {"return { after = { 7 } }", "'after' must be a list of names"},
        {"return { after = { a = 'b' } }", "'after' must be a list of names"},
        {"return { config = { 7 } }", "'config' must be a table of keys"},
        {"return { config = { a = 7 } }", "config.a must be a table"},
        {"return { config = { a = { type = 'strin' } } }", "did you mean 'string'?"},
        {"return { config = { a = { typ = 'string' } } }", "unknown key 'typ'"},
        {"return { config = { a = { type = 'table', default = function() end } } }", "config.a: "},
        {"local f = io.open('/etc/passwd')", "site.lua:1: there is no 'io' here: banger.host.run"},
        {"\nlocal name = bangr.self", "site.lua:2: unknown global 'bangr'; did you mean 'banger'?"},
        {"banger.log.inof('x')", "banger.log: unknown member 'inof'; did you mean 'info'?"},
        {"banger.runtime.set('a', 1)", "only in a hook"},
        {"banger.host.write('/tmp/x', '')", "only in a hook"},
        {"banger.http.request{ url = 'http://127.0.0.1' }", "only in a hook"},
        {"local c = banger.config", "only in a hook"},
        {"require('none')", "lib/none.lua: No such file"},
        {"require('../x')", "invalid name '../x'"},
        {"while true do end", "loading it takes too many steps"},
        {"coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() "
         "while true do end end }) while true do end end)()",
         "loading it takes too many steps"},
        {"local t = {} while true do t[#t+1] = ('x'):rep(1000) .. #t end", "MiB of memory"},
        {"return { summary = '\\xff' }", "'summary' must be a text in UTF-8: a string must"},
        {"\xff", "must be text in UTF-8"},
        {"\x1bLua", "it is compiled Lua; a script must be text"},
    };

    (void)state;
    fake_host_set(fake, "config.memory", json_integer(4 << 20));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *message;

        write_script("site", rows[i].script);
        message = broken_by("site");
        if (strstr(message, rows[i].text) == NULL) {
            fail_msg("%s: expected '%s' in '%s'", rows[i].script, rows[i].text, message);
        }
    }
}

static void errors_in_functions_have_a_traceback(void **state)
{
    (void)state;
    write_script("site",
                 "local function a()\n  error('no')\nend\nlocal function b()\n  a()\nend\nb()");
    assert_string_equal(broken_by("site"),
                        "site.lua:2: no (traceback: a at site.lua:2, b at site.lua:5, site.lua:7)");
}

static void folders_and_files_must_be_ours(void **state)
{
    (void)state;
    write_script("site", "return {}");
    assert_int_equal(chmod(temp_dir_at(&home, "hooks.d/site.lua"), 0664), 0);
    assert_non_null(strstr(broken_by("site"), "be writable by nobody else"));
    assert_int_equal(chmod(temp_dir_at(&home, "hooks.d/site.lua"), 0644), 0);
    assert_null(json_object_get(expand("site"), "error"));
    assert_int_equal(chmod(temp_dir_at(&home, "hooks.d"), 0777), 0);
    assert_non_null(strstr(broken_by("hooks-d"), "be writable by nobody else"));
    assert_null(expand("site"));
    assert_int_equal(chmod(temp_dir_at(&home, "hooks.d"), 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(temp_dir_at(&home, "hooks.d/site.lua"), 12345, 0), 0);
        assert_non_null(strstr(broken_by("site"), "must belong to root"));
    }
}

static void names_of_files(void **state)
{
    (void)state;
    write_script("My_Hook", "return {}");
    write_script(".hidden", "return {}");
    temp_dir_write(&home, "hooks.d/README", "no script");
    assert_non_null(strstr(broken_by("my-hook"), "invalid file name \"My_Hook.lua\""));
    assert_int_equal(json_array_size(fake_host_provided(fake)), 1);
}

static void other_folders_are_configured(void **state)
{
    (void)state;
    assert_int_equal(mkdir(temp_dir_at(&home, "more"), 0755), 0);
    temp_dir_write(&home, "more/other.lua", "return {}");
    fake_host_set(fake, "config.dirs", json_pack("[s]", temp_dir_at(&home, "more")));
    assert_string_equal(text_of(expand("other"), "origin"), temp_dir_at(&home, "more/other.lua"));
    fake_host_set(fake, "config.dirs", json_pack("[s]", temp_dir_at(&home, "none")));
    assert_non_null(strstr(broken_by("none"), "there is no folder"));
}

/* The site's come first; a daemon of a BANGER_HOME is told of none. */
static void the_site_has_a_folder(void **state)
{
    const json_t *all = fake_host_provided(fake);

    (void)state;
    assert_int_equal(mkdir(temp_dir_at(&home, "etc"), 0755), 0);
    assert_int_equal(mkdir(temp_dir_at(&home, "etc/hooks.d"), 0755), 0);
    temp_dir_write(&home, "etc/hooks.d/common.lua", "return {}");
    write_script("own", "return {}");
    assert_null(expand("common"));
    fake_host_set(fake, "host.site_dir", json_string(temp_dir_at(&home, "etc")));
    assert_non_null(expand("own"));
    assert_int_equal(json_array_size(all), 3);
    assert_string_equal(text_of(json_array_get(all, 1), "name"), "common");
    assert_string_equal(text_of(json_array_get(all, 2), "name"), "own");
    fake_host_set(fake, "host.site_dir", json_string(home.path)); /* root's are the same */
    assert_non_null(expand("own"));
    assert_int_equal(json_array_size(all), 4);
}

/* `banger hook check` of one file, wherever it lies. */
static void one_file_alone(void **state)
{
    (void)state;
    write_script("site", "return {}");
    fake_host_set(fake, "trial.script", json_string(temp_dir_at(&home, "hooks.d/site.lua")));
    assert_null(json_object_get(expand("site"), "error"));
    fake_host_set(fake, "trial.script", json_string(temp_dir_at(&home, "none/site.lua")));
    assert_string_equal(broken_by("site-lua"), "its folder is not there");
    fake_host_set(fake, "trial.script", json_string("/no-such-script.lua"));
    assert_non_null(strstr(broken_by("no-such-script"), "No such file"));
}

/* What has not changed is not read again; what has, is, with what it requires. */
static void changes_are_seen(void **state)
{
    char before[64];
    const json_t *told;

    (void)state;
    write_script("site", "local u = require('util') return { summary = u.text }");
    assert_non_null(strstr(broken_by("site"), "lib"));
    assert_int_equal(mkdir(temp_dir_at(&home, "hooks.d/lib"), 0755), 0);
    temp_dir_write(&home, "hooks.d/lib/util.lua", "return { text = 'one' }");
    told = expand("site");
    assert_string_equal(text_of(told, "summary"), "one");
    (void)snprintf(before, sizeof(before), "%s",
                   text_of(json_object_get(told, "state"), "revision"));
    told = expand("site");
    assert_string_equal(text_of(json_object_get(told, "state"), "revision"), before);
    temp_dir_write(&home, "hooks.d/lib/util.lua", "return { text = 'two' }");
    told = expand("site");
    assert_string_equal(text_of(told, "summary"), "two");
    assert_string_not_equal(text_of(json_object_get(told, "state"), "revision"), before);
    assert_int_equal(unlink(temp_dir_at(&home, "hooks.d/site.lua")), 0);
    assert_null(expand("site"));
}

/* From then on what is found out may be kept. */
static void settle(const char *file)
{
    struct source_mark mark;

    do {
        source_mark(temp_dir_at(&home, file), &mark);
    } while (!source_settled(&mark));
}

/* How long it took, and how much memory there was, is not the script's doing for ever. */
static void what_may_pass_is_not_kept(void **state)
{
    (void)state;
    write_script("site", "for i = 1, 1e6 do end return {}");
    settle("hooks.d/site.lua");
    fake_host_set_deadline(fake, 1);
    assert_non_null(strstr(broken_by("site"), "it did not end in its time"));
    fake_host_set_deadline(fake, 60000);
    assert_null(json_object_get(expand("site"), "error"));
}

static void *malloc_small(size_t size)
{
    return size < 100000 ? malloc(size) : NULL;
}

/* What `script` and lib/util.lua are told to be where jansson gets no memory for a large text, and then again. */
static void without_memory(const char *script, const char *module, const char *text)
{
    write_script("site", script);
    temp_dir_write(&home, "hooks.d/lib/util.lua", module);
    settle("hooks.d/lib/util.lua");
    json_set_alloc_funcs(malloc_small, free);
    assert_non_null(strstr(broken_by("site"), text));
    json_set_alloc_funcs(malloc, free);
    assert_null(json_object_get(expand("site"), "error"));
}

/* A host that has no memory does not make a text one that is no UTF-8. */
static void no_memory_is_told(void **state)
{
    static char large[200000];

    (void)state;
    (void)snprintf(large, sizeof(large), "return {} --%0*d", (int)sizeof(large) - 20, 0);
    assert_int_equal(mkdir(temp_dir_at(&home, "hooks.d/lib"), 0755), 0);
    without_memory(large, "", "this host has no memory for it");
    without_memory("require('util') return {}", large,
                   "site.lua:1: require: lib/util.lua: this host has no memory for it");
    temp_dir_write(&home, "hooks.d/lib/util.lua", "return '\xff'");
    assert_non_null(strstr(broken_by("site"), "require: lib/util.lua must be UTF-8"));
}

/* An operation goes on with the text that it began with, its modules too. */
static void an_operation_keeps_its_text(void **state)
{
    (void)state;
    assert_int_equal(mkdir(temp_dir_at(&home, "hooks.d/lib"), 0755), 0);
    temp_dir_write(&home, "hooks.d/lib/util.lua", "return { text = 'one' }");
    use("local u = require('util') return { prepare = function() banger.log.info(u.text) end }");
    call_well("prepare");
    temp_dir_write(&home, "hooks.d/lib/util.lua", "return { text = 'two' }");
    write_script("site", "error('not this one')");
    call_well("prepare");
    assert_string_equal(json_string_value(json_array_get(fake_host_log(fake), 0)), "one");
    assert_string_equal(json_string_value(json_array_get(fake_host_log(fake), 1)), "one");
    use("return { prepare = function() require('util') end }");
    call_badly("prepare", "'util' must be required at the top of the script");
}

static void modules_are_bounded_and_end(void **state)
{
    (void)state;
    assert_int_equal(mkdir(temp_dir_at(&home, "hooks.d/lib"), 0755), 0);
    temp_dir_write(&home, "hooks.d/lib/a.lua", "return require('b')");
    temp_dir_write(&home, "hooks.d/lib/b.lua", "return require('a')");
    write_script("site", "require('a')");
    assert_non_null(strstr(broken_by("site"), "'a' requires itself"));
    temp_dir_write(&home, "hooks.d/lib/b.lua",
                   "loaded = (rawget(_G, 'loaded') or 0) + 1 return { n = loaded }");
    use("local a, b = require('a'), require('b') return { prepare = function() "
        "assert(a == b and b.n == 1) end }");
    call_well("prepare");
    assert_int_equal(chmod(temp_dir_at(&home, "hooks.d/lib"), 0777), 0);
    write_script("site", "require('b') return {}");
    assert_non_null(strstr(broken_by("site"), "be writable by nobody else"));
}

static void settings_are_checked(void **state)
{
    static const char *const bad[] = {"bin/true", "/usr/bin/../true", "/usr//bin/true", "/usr/bin/",
                                      "/"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fake_host_clear_error(fake);
        fake_host_set(fake, "config.programs", json_pack("[s]", bad[i]));
        assert_int_equal(fake_host_call(fake, banger_plugin_v1()->expand), -1);
        assert_non_null(strstr(fake_host_error(fake), "programs[1]: invalid path"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_script_is_told),
        TEST(what_is_wrong_is_told),
        TEST(errors_in_functions_have_a_traceback),
        TEST(folders_and_files_must_be_ours),
        TEST(names_of_files),
        TEST(other_folders_are_configured),
        TEST(the_site_has_a_folder),
        TEST(one_file_alone),
        TEST(changes_are_seen),
        TEST(what_may_pass_is_not_kept),
        TEST(no_memory_is_told),
        TEST(an_operation_keeps_its_text),
        TEST(modules_are_bounded_and_end),
        TEST(settings_are_checked),
    };

    return cmocka_run_group_tests_name("lua: load", tests, NULL, NULL);
}
