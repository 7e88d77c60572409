/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static char folder[] = "/tmp/banger-config-XXXXXX";
static char file[sizeof(folder) + 16];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(file, sizeof(file), "%s/config.lua", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return dir_remove(folder, NULL);
}

static json_t *load_bytes(const char *text, size_t length, banger_error *err)
{
    assert_int_equal(file_write_atomic(file, text, length, 0600, NULL), 0);
    return config_load(file, err);
}

static json_t *load(const char *text, banger_error *err)
{
    return load_bytes(text, strlen(text), err);
}

/* The text must be refused, naming the file and saying `why`. */
static void refused(const char *text, const char *why)
{
    banger_error err = BANGER_ERROR_INIT;
    json_t *config = load(text, &err);
    if (config != NULL || strstr(err.message, why) == NULL ||
        strstr(err.message, "config.lua:") == NULL) {
        fail_msg("%s\n  gave '%s', expected '%s'", text, err.message, why);
    }
    assert_int_equal(err.code, BANGER_EINVALID);
}

static void missing_file_gives_defaults(void **state)
{
    (void)state;
    AUTO_JSON json_t *config = config_load("/nonexistent/config.lua", NULL);
    assert_non_null(config);
    assert_string_equal(json_get_string(config, "log_level", NULL), "info");
    assert_int_equal(json_get_int(config, "vm.vcpu", 0), 2);
    assert_int_equal(json_get_int(config, "vm.memory", 0), INT64_C(512) << 20);
    assert_int_equal(json_get_int(config, "vm.disk", 0), INT64_C(2) << 30);
    assert_string_equal(json_get_string(config, "vm.network", NULL), "auto");
    assert_int_equal(json_get_int(config, "boot_timeout", 0), 60000);
    assert_int_equal(json_get_int(config, "hook_timeout", 0), 10000);
    assert_true(json_is_array(json_at(config, "plugin_dirs")));
    assert_true(json_is_object(json_at(config, "plugins")));
    assert_null(json_at(config, "socket_group"));
}

static void values_are_converted(void **state)
{
    (void)state;
    AUTO_JSON json_t *config =
        load("local n = 2\n"
             "return { log_level = 'debug', boot_timeout = '250ms' .. '' ~= '' and '2m',\n"
             "  stop_timeout = 3, vm = { vcpu = n * 2, memory = 2^30, disk = '4GiB' },\n"
             "  plugin_dirs = { '/opt/a', '/opt/b' }, socket_group = 'kvm',\n"
             "  plugins = { nat = { on_error = 'warn', list = {}, deep = { 1, 2.5, true } } } }",
             NULL);
    assert_non_null(config);
    assert_int_equal(json_get_int(config, "vm.vcpu", 0), 4);
    assert_int_equal(json_get_int(config, "vm.memory", 0), INT64_C(1) << 30);
    assert_int_equal(json_get_int(config, "vm.disk", 0), INT64_C(4) << 30);
    assert_int_equal(json_get_int(config, "boot_timeout", 0), 120000);
    assert_int_equal(json_get_int(config, "stop_timeout", 0), 3000);
    assert_int_equal(json_array_size(json_at(config, "plugin_dirs")), 2);
    AUTO_FREE char *deep = json_text(json_at(config, "plugins.nat.deep"));
    assert_string_equal(deep, "[1,2.5,true]");
}

static void environment_can_be_read(void **state)
{
    (void)state;
    assert_int_equal(setenv("BANGER_TEST_IMAGE", "debian", 1), 0);
    AUTO_JSON json_t *config =
        load("return { default_image = os.getenv('BANGER_TEST_IMAGE') or 'x' }", NULL);
    assert_non_null(config);
    assert_string_equal(json_get_string(config, "default_image", NULL), "debian");
}

static void empty_list_may_be_written_as_braces(void **state)
{
    (void)state;
    AUTO_JSON json_t *config = load("return { plugin_dirs = {} }", NULL);
    assert_non_null(config);
    assert_true(json_is_array(json_at(config, "plugin_dirs")));
}

static void wrong_values_are_named(void **state)
{
    (void)state;
    refused("return { vm = { memory = 'x' } }", "config.lua: vm.memory: invalid size 'x': use");
    refused("return { vm = { memory = '1M' } }", "vm.memory: invalid size '1M': use a size from");
    refused("return { vm = { memory = true } }", "vm.memory: it must be a size");
    refused("return { vm = { vcpu = 33 } }", "vm.vcpu: invalid number '33'");
    refused("return { vm = { vcpu = '2' } }", "vm.vcpu: it must be a whole number");
    refused("return { vm = { vcpu = 1.5 } }", "vm.vcpu: it must be a whole number");
    refused("return { vm = 3 }", "vm: it must be a table");
    refused("return { boot_timeout = 'soon' }", "boot_timeout: invalid duration 'soon'");
    refused("return { boot_timeout = 0.5 }", "boot_timeout: it must be a duration");
    refused("return { log_level = 'loud' }", "log_level: invalid level 'loud': use error,");
    refused("return { log_level = 1 }", "log_level: it must be a string");
    refused("return { default_image = '../x' }", "default_image: invalid image name '../x'");
    refused("return { plugin_dirs = 'x' }", "plugin_dirs: it must be a list of strings");
    refused("return { plugin_dirs = { 'rel' } }", "plugin_dirs: invalid folder 'rel'");
    refused("return { plugins = { 'nat' } }", "plugins: it must be a table of named tables");
    refused("return { plugins = { nat = true } }", "plugins.nat: it must be a table");
}

static void unknown_keys_name_the_nearest(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    assert_null(load("return { vm = { memroy = '1G' } }", &err));
    assert_non_null(strstr(err.message, "unknown key 'vm.memroy'"));
    assert_string_equal(err.hint, "did you mean 'vm.memory'?");
    refused("return { ['vm.memory'] = '1G' }", "unknown key 'vm.memory'");
    refused("return { loglevel = 'info' }", "unknown key 'loglevel'");
}

static void what_json_cannot_say_is_refused(void **state)
{
    (void)state;
    refused("return { plugins = { a = { f = print or function() end } } }",
            "plugins.a.f: a value must be");
    refused("local t = {} t.plugins = t return t", "a table contains itself");
    refused("return { plugins = { a = { x = 0/0 } } }", "plugins.a.x: a number must be finite");
    refused("return { plugins = { a = { x = 1, 2 } } }", "positions 1 to n");
    refused("return { plugins = { a = { 1, nil, 3 } } }", "positions 1 to n");
    refused("return { default_image = 'a\\0b' }", "without NUL");
    refused("return { default_image = '\\xff' }", "UTF-8");
    refused("local t = {} for _ = 1, 40 do t = { t } end return { plugins = { a = t } }",
            "nested too deeply");
    refused("local t = 1 for _ = 1, 25 do t = { t, t } end return { plugins = { a = { t } } }",
            "too many values");
}

static void chunk_must_return_one_table(void **state)
{
    (void)state;
    refused("", "must return one table");
    refused("return 1", "must return one table");
    refused("return {}, {}", "must return one table");
}

static void errors_name_the_line(void **state)
{
    (void)state;
    refused("\nreturn {", "config.lua:2:");
    refused("\n\nerror('no image today')", "config.lua:3: no image today");
    refused("error({})", "not a string");
    refused("return { x = nothing.here }", "config.lua:1:");
}

static void sandbox_has_no_way_out(void **state)
{
    (void)state;
    static const char *const names[] = {
        "io",    "os.execute",  "os.exit",   "os.remove",      "package",    "require",
        "debug", "load",        "dofile",    "loadfile",       "loadstring", "setmetatable",
        "print", "string.dump", "coroutine", "collectgarbage", "_G.load",    "getmetatable",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *text =
            str_format("if %s ~= nil then error('there') end return {}", names[i]);
        AUTO_JSON json_t *config = load(text, NULL);
        if (config == NULL) {
            fail_msg("%s can be reached", names[i]);
        }
    }
}

static void binary_chunks_are_refused(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    assert_null(load_bytes("\x1bLua\x54\0\x19\x93", 8, &err));
    assert_non_null(strstr(err.message, "attempt to load a binary chunk"));
}

static void time_and_memory_are_bounded(void **state)
{
    (void)state;
    refused("while true do end", "runs for too long");
    refused("while true do pcall(function() while true do end end) end", "runs for too long");
    refused("local t = {} while true do t[#t + 1] = ('x'):rep(1000000) .. #t end",
            "more than 64 MiB");
    refused("return { default_image = ('x'):rep(100000000) }", "more than 64 MiB");
}

static void too_long_a_file_is_refused(void **state)
{
    (void)state;
    size_t length = 2 * 1024 * 1024;
    AUTO_FREE char *text = xmalloc(length);
    memset(text, ' ', length);
    banger_error err = BANGER_ERROR_INIT;
    assert_null(load_bytes(text, length, &err));
    assert_non_null(strstr(err.message, "longer than"));
}

/* -- A plugin's declared keys -------------------------------------------------------------------
 */

#define DECLARED(...)                                                                              \
    {                                                                                              \
        .size = sizeof(struct banger_config_key), __VA_ARGS__                                      \
    }

static const struct banger_config_key declared[] = {
    DECLARED(.type = BANGER_CONFIG_STRING, .name = "bridge", .default_value = "br0"),
    DECLARED(.type = BANGER_CONFIG_BOOL, .name = "strict", .default_value = "true"),
    DECLARED(.type = BANGER_CONFIG_SIZE, .name = "limit"),
    DECLARED(.type = BANGER_CONFIG_LIST, .name = "ports", .default_value = "[\"22\"]"),
};

static json_t *check(const char *given_text, banger_error *err)
{
    AUTO_JSON json_t *given = json_loads(given_text, JSON_DECODE_ANY, NULL);
    return config_check("plugins.nat", declared, COUNT_OF(declared), given, err);
}

static void plugin_keys_are_completed(void **state)
{
    (void)state;
    AUTO_JSON json_t *config = check("{\"limit\": \"1K\", \"strict\": false}", NULL);
    assert_non_null(config);
    assert_string_equal(json_get_string(config, "bridge", NULL), "br0");
    assert_false(json_get_bool(config, "strict", true));
    assert_int_equal(json_get_int(config, "limit", 0), 1024);
    assert_int_equal(json_array_size(json_at(config, "ports")), 1);
    AUTO_JSON json_t *defaults =
        config_check("plugins.nat", declared, COUNT_OF(declared), NULL, NULL);
    assert_non_null(defaults);
    assert_null(json_at(defaults, "limit"));
    assert_true(json_get_bool(defaults, "strict", false));
}

static void plugin_keys_are_checked(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    assert_null(check("{\"brigde\": \"br1\"}", &err));
    assert_string_equal(err.message, "plugins.nat: unknown key 'brigde'");
    assert_string_equal(err.hint, "did you mean 'bridge'?");
    assert_null(check("{\"strict\": \"yes\"}", &err));
    assert_string_equal(err.message, "plugins.nat: strict: it must be true or false");
    assert_null(check("[1]", &err));
    assert_string_equal(err.message, "plugins.nat: it must be a table");
}

static void wrong_default_is_a_plugins_defect(void **state)
{
    (void)state;
    static const struct banger_config_key wrong[] = {
        DECLARED(.type = BANGER_CONFIG_INT, .name = "depth", .default_value = "deep"),
    };
    banger_error err = BANGER_ERROR_INIT;
    assert_null(config_check("plugins.x", wrong, 1, NULL, &err));
    assert_non_null(strstr(err.message, "plugins.x: default of depth: invalid number 'deep'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_file_gives_defaults),
        cmocka_unit_test(values_are_converted),
        cmocka_unit_test(environment_can_be_read),
        cmocka_unit_test(empty_list_may_be_written_as_braces),
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(what_json_cannot_say_is_refused),
        cmocka_unit_test(chunk_must_return_one_table),
        cmocka_unit_test(errors_name_the_line),
        cmocka_unit_test(sandbox_has_no_way_out),
        cmocka_unit_test(binary_chunks_are_refused),
        cmocka_unit_test(time_and_memory_are_bounded),
        cmocka_unit_test(too_long_a_file_is_refused),
        cmocka_unit_test(plugin_keys_are_completed),
        cmocka_unit_test(plugin_keys_are_checked),
        cmocka_unit_test(wrong_default_is_a_plugins_defect),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
