/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a plugin carries: how it is described, and how it then takes part like any other. */
#include "carrier_fixture.h"

static void carried_ones_take_part(void **state)
{
    SAY("{\"name\":\"site\",\"version\":\"3\",\"summary\":\"ours\",\"license\":\"MIT\","
        "\"origin\":\"/h/site.lua\",\"hooks\":[\"prepare\",\"cleanup\"],\"state\":{\"n\":7}}",
        "{\"name\":\"audit\",\"hooks\":[\"prepare\"]}");
    AUTO_JSON json_t *input = json_pack("{s:{s:s}}", "host", "config_dir", "/etc/b");
    registry_set_world(*state, input, NULL);
    registry_refresh(*state);
    assert_string_equal(keeper_saw, "keeper /etc/b");
    expect_lineup(*state, "audit keeper site");

    AUTO_LINEUP struct lineup *lineup = registry_lineup(*state);
    const struct capability *site = lineup_find(lineup, "site");
    assert_string_equal(site->origin, "/h/site.lua");
    assert_string_equal(site->plugin->version, "3");
    assert_string_equal(site->plugin->summary, "ours");
    assert_string_equal(site->carrier->plugin->name, "keeper");
    assert_int_equal(json_get_int(site->self, "state.n", 0), 7);
    assert_string_equal(lineup_find(lineup, "audit")->origin, "/p/keeper.so");

    assert_int_equal(dispatch_now(*state, HOOK_CHECK, NULL), 0);
    assert_int_equal(dispatch_now(*state, HOOK_PREPARE, NULL), 0);
    assert_int_equal(dispatch_now(*state, HOOK_CLEANUP, NULL), 0);
    assert_string_equal(trace, "audit:prepare site:prepare site:cleanup "); /* never the keeper */
    assert_int_equal(site->tally->hooks[HOOK_PREPARE].calls, 1);
    assert_int_equal(site->carrier->tally->hooks[HOOK_PREPARE].calls, 0);
}

static void errors_name_the_carried_one(void **state)
{
    SAY("{\"name\":\"site\",\"hooks\":[\"prepare\"],\"state\":{\"fails\":true}}");
    registry_refresh(*state);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_now(*state, HOOK_PREPARE, &err), -1);
    assert_string_equal(err.message, "capability 'site': prepare: as its state says");
}

static void order_goes_across(void **state)
{
    static const struct banger_hooks none = {.size = sizeof(none)};
    static const char *const optional[] = {"zz?", NULL};
    const struct banger_plugin nat = {BANGER_PLUGIN_HEADER, .name = "nat", .hooks = &none};
    const struct banger_plugin dns = {BANGER_PLUGIN_HEADER, .name = "dns", .hooks = &none,
                                      .after = optional};
    assert_int_equal(registry_add(*state, &nat, "built-in", NULL, NULL), 0);
    assert_int_equal(registry_add(*state, &dns, "built-in", NULL, NULL), 0);
    assert_int_equal(registry_resolve(*state, NULL), 0);
    expect_lineup(*state, "dns keeper nat");
    SAY("{\"name\":\"aa\",\"after\":[\"nat\"]}", "{\"name\":\"zz\",\"before\":[\"aa\",\"nat\"]}");
    registry_refresh(*state);
    expect_lineup(*state, "keeper zz dns nat aa");
}

static void policies_are_theirs(void **state)
{
    SAY("{\"name\":\"site\",\"config\":[{\"name\":\"room\",\"type\":\"size\",\"default\":\"1K\"},"
        "{\"name\":\"n\",\"type\":\"int\",\"default\":3,\"minimum\":1,\"maximum\":9},"
        "{\"name\":\"on\",\"type\":\"bool\",\"default\":true},"
        "{\"name\":\"names\",\"type\":\"list\",\"default\":[\"a\"]}]}",
        "{\"name\":\"gone\"}");
    AUTO_JSON json_t *policies =
        json_pack("{s:{s:s, s:s, s:s, s:i}, s:{s:b}}", "site", "on_error", "warn", "timeout", "2s",
                  "room", "2K", "order", 4, "gone", "enabled", 0);
    registry_set_world(*state, NULL, policies);
    registry_refresh(*state);
    expect_lineup(*state, "site keeper");
    AUTO_LINEUP struct lineup *lineup = registry_lineup(*state);
    const struct capability *site = lineup_find(lineup, "site");
    assert_int_equal(site->on_error, ON_ERROR_WARN);
    assert_int_equal(site->timeout_ms, 2000);
    AUTO_FREE char *config = json_dumps(site->config, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(config, "{\"n\":3,\"names\":[\"a\"],\"on\":true,\"room\":2048}");
    assert_int_equal(registry_check_policies(*state, policies, NULL), 0);
}

/* A script comes and goes: only what is probably a plugin's is an error. */
static void policies_of_what_is_not_there(void **state)
{
    AUTO_JSON json_t *scripts =
        json_pack("{s:{}, s:{}, s:{s:b}}", "siet", "inventory", "nowhere", "enabled", 0);
    AUTO_JSON json_t *plugin = json_pack("{s:{}}", "kepeer");
    banger_error err = BANGER_ERROR_INIT;
    SAY("{\"name\":\"site\"}");
    registry_set_world(*state, NULL, scripts);
    registry_refresh(*state);
    assert_int_equal(registry_check_policies(*state, scripts, NULL), 0);
    AUTO_JSON json_t *strays = registry_stray_policies(*state);
    AUTO_FREE char *text = json_dumps(strays, JSON_COMPACT);
    assert_string_equal(text, "[{\"name\":\"siet\",\"nearest\":\"site\"},"
                              "{\"name\":\"inventory\",\"nearest\":null}]");
    assert_int_equal(registry_check_policies(*state, plugin, &err), -1);
    assert_string_equal(err.hint, "did you mean 'plugins.keeper'?");
}

/* -- What is wrong ------------------------------------------------------------------------------- */

static void provide_needs_a_name(void **state)
{
    SAY("[]", "{}", "{\"name\":\"Site\"}", "{\"name\":\"core\"}", "nonsense",
        "{\"name\":\"good\"}");
    registry_refresh(*state);
    assert_int_equal(keeper_refused, 5);
    expect_lineup(*state, "good keeper");
}

static const struct wrong {
    const char *said;
    const char *why;
} wrong[] = {
    {"{\"name\":\"x\",\"error\":{\"message\":\"x.lua:3: no '='\"}}", "x.lua:3: no '='"},
    {"{\"name\":\"x\",\"error\":1}", "does not say why"},
    {"{\"name\":\"x\",\"hokks\":[]}", "unknown key 'hokks'"},
    {"{\"name\":\"x\",\"version\":2}", "its 'version' is no text"},
    {"{\"name\":\"x\",\"after\":\"nat\"}", "its 'after' is no list of names"},
    {"{\"name\":\"x\",\"hooks\":[\"prepar\"]}", "there is no hook 'prepar'"},
    {"{\"name\":\"x\",\"hooks\":[\"deleted\"]}", "its carrier 'keeper' has no hook 'deleted'"},
    {"{\"name\":\"x\",\"config\":{\"a\":1}}", "its 'config' is no list of keys"},
    {"{\"name\":\"x\",\"config\":[1]}", "is no object"},
    {"{\"name\":\"x\",\"config\":[{\"name\":\"k\",\"type\":\"strnig\"}]}", "the type 'strnig'"},
    {"{\"name\":\"x\",\"config\":[{\"name\":\"K\",\"type\":\"int\"}]}", "'K' is not allowed"},
    {"{\"name\":\"x\",\"config\":[{\"name\":\"timeout\",\"type\":\"int\"}]}", "every plugin has"},
    {"{\"name\":\"x\",\"config\":[{\"name\":\"k\",\"type\":\"int\",\"default\":\"a\"}]}",
     "plugins.x: default of k: invalid number 'a'"},
    {"{\"name\":\"x\",\"config\":[{\"name\":\"k\",\"type\":\"int\",\"min\":1}]}",
     "unknown key 'min'"},
    {"{\"name\":\"keeper\"}", "a capability of that name is there already, from /p/keeper.so"},
    {"{\"name\":\"x\",\"after\":[\"keepr\"]}", "must run after 'keepr', which is not loaded"},
    {"{\"name\":\"x\",\"after\":[\"keeper\"],\"before\":[\"keeper\"]}",
     "goes in a circle: keeper -> x -> keeper"},
};

static void what_is_wrong_breaks_one_and_no_other(void **state)
{
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        SAY(wrong[i].said, "{\"name\":\"good\",\"hooks\":[\"check\",\"prepare\"]}");
        trace[0] = '\0';
        registry_refresh(*state);
        AUTO_JSON json_t *said = json_loads(wrong[i].said, 0, NULL);
        const char *name = json_get_string(said, "name", "");
        const banger_error *why = broken_of(*state, name);
        if (strstr(why->message, wrong[i].why) == NULL) {
            fail_msg("%s: '%s' (%s)", wrong[i].said, why->message, why->hint);
        }
        assert_int_equal(dispatch_now(*state, HOOK_PREPARE, NULL), 0);
        assert_string_equal(trace, "good:prepare ");
        banger_error err = BANGER_ERROR_INIT;
        assert_int_equal(dispatch_now(*state, HOOK_CHECK, &err), -1);
        assert_non_null(strstr(err.message, "is broken: "));
        assert_non_null(strstr(err.message, wrong[i].why));
    }
}

static void broken_one_obeys_its_policy(void **state)
{
    AUTO_JSON json_t *policies = json_pack("{s:{s:s, s:s, s:i}}", "site", "on_error", "warn",
                                           "whatever", "its own key", "order", -1);
    registry_set_world(*state, NULL, policies);
    SAY("{\"name\":\"site\",\"error\":{\"message\":\"line 3\",\"hint\":\"mend it\"}}",
        "{\"name\":\"good\",\"hooks\":[\"check\"]}");
    registry_refresh(*state);
    expect_lineup(*state, "site! good keeper");
    assert_string_equal(broken_of(*state, "site")->hint, "mend it");
    assert_int_equal(dispatch_now(*state, HOOK_CHECK, NULL), 0);
    assert_string_equal(warned, "capability 'site' is broken: line 3");
    assert_string_equal(trace, "good:check ");
}

static void wrong_policy_breaks_too(void **state)
{
    AUTO_JSON json_t *policies =
        json_pack("{s:{s:i}, s:{s:s}, s:{s:s}}", "site", "romo", 1, "other", "on_error", "never",
                  "big", "process_memory", "1G");
    registry_set_world(*state, NULL, policies);
    SAY("{\"name\":\"site\",\"config\":[{\"name\":\"room\",\"type\":\"int\"}]}",
        "{\"name\":\"other\"}", "{\"name\":\"big\"}");
    registry_refresh(*state);
    expect_lineup(*state, "big! keeper other! site!");
    assert_non_null(strstr(broken_of(*state, "big")->message,
                           "plugins.big: process_memory: it runs in its carrier's processes "
                           "(plugins.keeper.process_memory)"));
    assert_string_equal(broken_of(*state, "site")->message, "plugins.site: unknown key 'romo'");
    assert_string_equal(broken_of(*state, "site")->hint, "did you mean 'room'?");
    assert_non_null(strstr(broken_of(*state, "other")->message, "invalid policy 'never'"));
}

/* A script that does not load cannot say its name: a policy for the name it has otherwise must not keep
 * the daemon from coming up. */
static void missing_names_are_forgiven_where_something_is_broken(void **state)
{
    AUTO_JSON json_t *policies = json_pack("{s:{}}", "keepre");
    SAY("{\"name\":\"file-name\",\"error\":{\"message\":\"line 3\"}}");
    registry_refresh(*state);
    assert_int_equal(registry_check_policies(*state, policies, NULL), 0);
    SAY("{\"name\":\"file-name\"}");
    registry_refresh(*state);
    assert_int_equal(registry_check_policies(*state, policies, NULL), -1);
    keeper_fails = "no folder";
    registry_refresh(*state);
    assert_int_equal(registry_check_policies(*state, policies, NULL), 0);
}

static void of_a_circle_one_that_is_carried_is_broken(void **state)
{
    static const struct banger_hooks none = {.size = sizeof(none)};
    static const char *const names[] = {"b?", NULL};
    const struct banger_plugin nat = {BANGER_PLUGIN_HEADER, .name = "nat", .hooks = &none,
                                      .after = names};
    assert_int_equal(registry_add(*state, &nat, "built-in", NULL, NULL), 0);
    assert_int_equal(registry_resolve(*state, NULL), 0);
    SAY("{\"name\":\"a\",\"after\":[\"nat\"]}", "{\"name\":\"b\",\"after\":[\"a\"]}",
        "{\"name\":\"c\",\"after\":[\"b\"]}");
    registry_refresh(*state);
    expect_lineup(*state, "b! c keeper nat a");
}

/* A stranger stands in line-ups that operations read: a refresh leaves it as it is, whoever is last by name. */
static void of_a_circle_a_strange_plugin_is_not_broken(void **state)
{
    static const struct banger_hooks none = {.size = sizeof(none)};
    static const char *const names[] = {"motd?", NULL};
    const struct banger_plugin vendor = {BANGER_PLUGIN_HEADER, .name = "vendor", .hooks = &none,
                                         .after = names};
    registry_set_strangers(*state, true);
    assert_int_equal(registry_add(*state, &vendor, "/p/vendor.so", NULL, NULL), 0);
    assert_int_equal(registry_resolve(*state, NULL), 0);
    SAY("{\"name\":\"motd\",\"after\":[\"vendor\"]}");
    registry_refresh(*state);
    expect_lineup(*state, "keeper motd! vendor");
    assert_null(registry_find(*state, "vendor")->broken);
    SAY("{\"name\":\"motd\"}");
    registry_refresh(*state);
    expect_lineup(*state, "keeper motd vendor");
}

static void provide_is_for_expand_alone(void **state)
{
    static const struct banger_hooks none = {.size = sizeof(none)};
    const struct banger_plugin nat = {BANGER_PLUGIN_HEADER, .name = "nat", .hooks = &none};
    assert_int_equal(registry_add(*state, &nat, "built-in", NULL, NULL), 0);
    SAY("{\"name\":\"good\"}");
    struct scope *scope = scope_about(*state);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(
        dispatch_provider(scope, registry_find(*state, "nat"), "launch", keeper_expand, 0, &err),
        0);
    assert_int_equal(keeper_refused, 1);
    scope_unref(scope);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_registry, close_registry)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(carried_ones_take_part),
        TEST(errors_name_the_carried_one),
        TEST(order_goes_across),
        TEST(policies_are_theirs),
        TEST(policies_of_what_is_not_there),
        TEST(provide_needs_a_name),
        TEST(what_is_wrong_breaks_one_and_no_other),
        TEST(broken_one_obeys_its_policy),
        TEST(wrong_policy_breaks_too),
        TEST(missing_names_are_forgiven_where_something_is_broken),
        TEST(of_a_circle_one_that_is_carried_is_broken),
        TEST(of_a_circle_a_strange_plugin_is_not_broken),
        TEST(provide_is_for_expand_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
