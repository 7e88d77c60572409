/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The loader, with the plugins of tests/fixtures/plugins copied into a folder of the test's own. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "capability/loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>

#define FIXTURE_MAX ((size_t)8 * 1024 * 1024)

struct place {
    char folder[32];
    struct registry *registry;
    bool isolated; /* the folder's plugins are strangers': in processes of their own */
};

static int make_place_of(void **state, bool isolated)
{
    struct place *place = xcalloc(1, sizeof(*place));
    place->isolated = isolated;
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/banger-loader-XXXXXX");
    if (mkdtemp(place->folder) == NULL) {
        return -1;
    }
    place->registry = registry_new();
    *state = place;
    return 0;
}

static int make_place(void **state)
{
    return make_place_of(state, false);
}

static int make_strange_place(void **state)
{
    return make_place_of(state, true);
}

static int remove_place(void **state)
{
    struct place *place = *state;
    registry_free(place->registry);
    int result = dir_remove(place->folder, NULL);
    free(place);
    return result;
}

static char *path_in(const struct place *place, const char *name)
{
    return str_format("%s/%s", place->folder, name);
}

/* Copies the fixture, as `name`, with the mode a package would give it. */
static void install(const struct place *place, const char *fixture, const char *name)
{
    const char *build = getenv("BANGER_BUILD");
    AUTO_FREE char *from = str_format("%s/tests/plugins/%s.so", str_or(build, "build"), fixture);
    AUTO_FREE char *to = path_in(place, name);
    AUTO_BUF struct buf data = BUF_INIT;
    banger_error err = BANGER_ERROR_INIT;
    if (file_read(from, FIXTURE_MAX, &data, &err) < 0 ||
        file_write_atomic(to, data.data, data.length, 0755, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static int load(const struct place *place, const char *folder, const json_t *policies,
                banger_error *err)
{
    AUTO_FREE char *isolator =
        str_format("%s/bin/banger-plugin", str_or(getenv("BANGER_BUILD"), "build"));
    AUTO_FREE char *program = realpath(isolator, NULL);
    assert_non_null(program);
    const struct loader loader = {place->registry, policies, program, .bundled = !place->isolated};
    return loader_load_dir(&loader, folder, err);
}

static void loaded(const struct place *place, const char *policies_text)
{
    AUTO_JSON json_t *policies = json_loads(policies_text, 0, NULL);
    banger_error err = BANGER_ERROR_INIT;
    if (load(place, place->folder, policies, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static struct capability *find_broken(const struct place *place)
{
    for (size_t i = 0; i < registry_count(place->registry); i++) {
        if (registry_at(place->registry, i)->broken != NULL) {
            return registry_at(place->registry, i);
        }
    }
    return NULL;
}

/* A stranger's file is there as a broken capability: afterwards the registry is a new one. */
static void refused(struct place *place, enum banger_code code, const char *why)
{
    banger_error err = BANGER_ERROR_INIT;
    int result = load(place, place->folder, NULL, &err);
    const struct capability *broken = find_broken(place);
    if (broken != NULL) {
        assert_true(place->isolated && result == 0);
        err = *broken->broken;
        registry_free(place->registry);
        place->registry = registry_new();
    }
    if ((result == 0) != (broken != NULL) || err.code != code || strstr(err.message, why) == NULL) {
        fail_msg("got '%s' (%d), expected '%s'", err.message, err.code, why);
    }
    assert_non_null(strstr(err.message, place->folder));
}

static void good_plugin_is_loaded_with_its_policy(void **state)
{
    struct place *place = *state;
    install(place, "good", "good.so");
    loaded(place, "{\"good\":{\"on_error\":\"warn\",\"room\":\"3K\"}}");
    struct capability *good = registry_find(place->registry, "good");
    assert_non_null(good);
    assert_string_equal(good->plugin->version, "1.2.3");
    assert_int_equal(good->on_error, ON_ERROR_WARN);
    assert_int_equal(json_get_int(good->config, "room", 0), 3072);
    AUTO_FREE char *path = path_in(place, "good.so");
    assert_string_equal(good->origin, path);
}

static void other_files_are_passed_over(void **state)
{
    struct place *place = *state;
    static const char *const names[] = {"README", "good.so.bak", ".good.so", "so"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path = path_in(place, names[i]);
        assert_int_equal(file_write_atomic(path, "x", 1, 0666, NULL), 0);
    }
    loaded(place, "{}");
    assert_int_equal(registry_count(place->registry), 0);
}

static void older_plugin_has_less(void **state)
{
    struct place *place = *state;
    install(place, "short_struct", "a.so");
    loaded(place, "{}");
    const struct banger_plugin *plugin = registry_at(place->registry, 0)->plugin;
    assert_string_equal(plugin->name, "short-struct");
    assert_non_null(hook_of(plugin, HOOK_CHECK));
    assert_null(hook_of(plugin, HOOK_PREPARE));
    assert_null(plugin->vmm);
    assert_null(plugin->start);
}

static void newer_plugin_has_more(void **state)
{
    struct place *place = *state;
    install(place, "newer_struct", "a.so");
    loaded(place, "{\"newer-struct\":{\"first\":\"x\"}}");
    const struct capability *newer = registry_at(place->registry, 0);
    assert_non_null(hook_of(newer->plugin, HOOK_CLEANUP));
    assert_string_equal(json_get_string(newer->config, "first", ""), "x");
    assert_string_equal(json_get_string(newer->config, "second", ""), "second");
}

static void wrong_files_are_refused(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *fixture;
        enum banger_code code;
        const char *why;
    } wrong[] = {
        {"wrong_magic", BANGER_EINVALID, "its magic is 0x12345678"},
        {"wrong_abi", BANGER_EUNSUPPORTED, "built for ABI 2, and this banger has ABI 1"},
        {"missing_symbol", BANGER_EINVALID, "it exports no 'banger_plugin_v1'"},
        {"no_descriptor", BANGER_EINVALID, "returned no descriptor"},
        {"refusing_start", BANGER_EUNSUPPORTED, "start: there is no moon on this host"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO_FREE char *name = str_format("%s.so", wrong[i].fixture);
        AUTO_FREE char *path = path_in(place, name); /* dlopen knows a path that it has seen */
        install(place, wrong[i].fixture, name);
        refused(place, wrong[i].code, wrong[i].why);
        assert_int_equal(registry_count(place->registry), 0);
        assert_int_equal(file_remove(path, NULL), 0);
    }
}

static void text_is_no_plugin(void **state)
{
    struct place *place = *state;
    AUTO_FREE char *path = path_in(place, "x.so");
    assert_int_equal(file_write_atomic(path, "text", 4, 0755, NULL), 0);
    refused(place, BANGER_EINVALID, "x.so: it cannot be loaded: ");
}

static void files_are_loaded_by_name_and_duplicates_refused(void **state)
{
    struct place *place = *state;
    install(place, "good", "b.so");
    install(place, "duplicate_name", "c.so");
    install(place, "newer_struct", "a.so");
    refused(place, BANGER_EEXISTS, "/c.so: a capability named 'good' is loaded already, from");
    assert_int_equal(registry_count(place->registry), 2);
    assert_string_equal(registry_at(place->registry, 0)->plugin->name, "newer-struct");
}

static void strangers_that_cannot_be_loaded_are_broken(void **state)
{
    struct place *place = *state;
    AUTO_FREE char *odd = path_in(place, "9 My_Plugin.so");
    AUTO_FREE char *passed = path_in(place, "passed.so");
    assert_int_equal(file_write_atomic(odd, "text", 4, 0755, NULL), 0);
    assert_int_equal(file_write_atomic(passed, "text", 4, 0755, NULL), 0);
    install(place, "good", "b.so");
    install(place, "duplicate_name", "c.so");
    install(place, "wrong_abi", "wrong.so");
    loaded(place, "{\"good\":{\"rom\":\"3K\"},\"wrong\":{\"on_error\":\"warn\"},"
                  "\"passed\":{\"enabled\":false}}");
    static const struct {
        const char *name;
        const char *why;
    } rows[] = {
        {"my-plugin", "My_Plugin.so: it cannot be loaded"},
        {"good", "plugins.good: unknown key 'rom'"}, /* its name was known by then */
        {"c", "a capability named 'good' is loaded already"},
        {"wrong", "built for ABI 2"},
    };
    assert_int_equal(registry_count(place->registry), COUNT_OF(rows));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct capability *broken = registry_find(place->registry, rows[i].name);
        assert_non_null(broken);
        assert_non_null(strstr(broken->broken->message, rows[i].why));
    }
    assert_int_equal(registry_find(place->registry, "wrong")->on_error, ON_ERROR_WARN);
    loaded(place, "{\"passed\":{\"enabled\":false}}"); /* the same files, as of another folder */
    assert_non_null(registry_find(place->registry, "my-plugin-2"));
}

static void wrong_policy_of_a_stranger_is_the_sites(void **state)
{
    struct place *place = *state;
    install(place, "wrong_abi", "wrong.so");
    AUTO_JSON json_t *policies = json_pack("{s:{s:s}}", "wrong", "on_error", "ignore");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(load(place, place->folder, policies, &err), -1);
    assert_non_null(strstr(err.message, "plugins.wrong: on_error: invalid policy 'ignore'"));
}

static void flag_and_policy_say_where_ours_run(void **state)
{
    struct place *place = *state;
    install(place, "good", "good.so");
    loaded(place, "{\"good\":{\"isolate\":true}}");
    assert_non_null(registry_find(place->registry, "good")->isolate);
    install(place, "asks_for_isolation", "a.so");
    AUTO_FREE char *path = path_in(place, "good.so");
    assert_int_equal(file_remove(path, NULL), 0);
    loaded(place, "{}");
    assert_non_null(registry_find(place->registry, "asks-for-isolation")->isolate);
    registry_free(place->registry);
    place->registry = registry_new();
    loaded(place, "{\"asks-for-isolation\":{\"isolate\":false}}");
    assert_null(registry_find(place->registry, "asks-for-isolation")->isolate);
}

static void site_can_have_a_stranger_here(void **state)
{
    struct place *place = *state;
    install(place, "good", "good.so");
    loaded(place, "{\"good\":{\"isolate\":false}}");
    assert_null(registry_find(place->registry, "good")->isolate);
}

static void disabled_file_is_not_even_opened(void **state)
{
    struct place *place = *state;
    AUTO_FREE char *path = path_in(place, "broken.so");
    assert_int_equal(file_write_atomic(path, "text", 4, 0755, NULL), 0);
    install(place, "good", "named-otherwise.so");
    loaded(place, "{\"broken\":{\"enabled\":false},\"good\":{\"enabled\":false}}");
    assert_int_equal(registry_count(place->registry), 0);
}

static void what_others_can_write_is_refused(void **state)
{
    struct place *place = *state;
    install(place, "good", "good.so");
    AUTO_FREE char *path = path_in(place, "good.so");
    static const mode_t modes[] = {0757, 0775};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        refused(place, BANGER_EPERMISSION, "can be written by others than its owner");
    }
    assert_int_equal(chmod(path, 0755), 0);
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        assert_int_equal(chmod(place->folder, modes[i]), 0);
        refused(place, BANGER_EPERMISSION, "plugin folder: ");
    }
    assert_int_equal(chmod(place->folder, 0755), 0);
    assert_int_equal(registry_count(place->registry), 0);
    loaded(place, "{}");
}

static void what_strangers_own_is_refused(void **state)
{
    struct place *place = *state;
    if (geteuid() != 0) {
        print_message("only root can give a file away\n");
        skip();
    }
    install(place, "good", "good.so");
    AUTO_FREE char *path = path_in(place, "good.so");
    assert_int_equal(chown(path, 65534, (gid_t)-1), 0);
    refused(place, BANGER_EPERMISSION, "belongs to user 65534");
}

static void links_are_judged_by_their_target(void **state)
{
    struct place *place = *state;
    AUTO_FREE char *elsewhere = path_in(place, "elsewhere");
    AUTO_FREE char *target = path_in(place, "elsewhere/target");
    AUTO_FREE char *link = path_in(place, "good.so");
    assert_int_equal(mkdir(elsewhere, 0755), 0);
    install(place, "good", "elsewhere/target");
    assert_int_equal(symlink(target, link), 0);

    assert_int_equal(chmod(target, 0757), 0);
    refused(place, BANGER_EPERMISSION, "elsewhere/target can be written by others");
    assert_int_equal(chmod(target, 0755), 0);
    assert_int_equal(chmod(elsewhere, 0777), 0);
    refused(place, BANGER_EPERMISSION, "elsewhere can be written by others");
    assert_int_equal(chmod(elsewhere, 0755), 0);
    loaded(place, "{}");
    assert_non_null(registry_find(place->registry, "good"));
}

static void links_that_lead_nowhere_are_refused(void **state)
{
    struct place *place = *state;
    AUTO_FREE char *link = path_in(place, "good.so");
    assert_int_equal(symlink("/nonexistent/x.so", link), 0);
    refused(place, BANGER_ENOTFOUND, "good.so");
}

static void folder_must_be_there(void **state)
{
    struct place *place = *state;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(load(place, "/nonexistent", NULL, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    AUTO_FREE char *path = path_in(place, "dir.so");
    assert_int_equal(mkdir(path, 0755), 0);
    refused(place, BANGER_EINVALID, "dir.so is not a regular file");
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, make_place, remove_place),                               \
    {                                                                                              \
#name "_isolated", name, make_strange_place, remove_place, NULL                            \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_plugin_is_loaded_with_its_policy),
        TEST(other_files_are_passed_over),
        TEST(older_plugin_has_less),
        TEST(newer_plugin_has_more),
        TEST(wrong_files_are_refused),
        TEST(text_is_no_plugin),
        cmocka_unit_test_setup_teardown(files_are_loaded_by_name_and_duplicates_refused, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(strangers_that_cannot_be_loaded_are_broken,
                                        make_strange_place, remove_place),
        cmocka_unit_test_setup_teardown(wrong_policy_of_a_stranger_is_the_sites, make_strange_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(flag_and_policy_say_where_ours_run, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(site_can_have_a_stranger_here, make_strange_place,
                                        remove_place),
        TEST(disabled_file_is_not_even_opened),
        TEST(what_others_can_write_is_refused),
        TEST(what_strangers_own_is_refused),
        TEST(links_are_judged_by_their_target),
        TEST(links_that_lead_nowhere_are_refused),
        TEST(folder_must_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
