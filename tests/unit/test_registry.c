/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "capability/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <string.h>

static int nothing(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    return 0;
}

static const struct banger_hooks hooks = {.size = sizeof(hooks), .prepare = nothing};

#define KEY(...)                                                                                   \
    {                                                                                              \
        .size = sizeof(struct banger_config_key), __VA_ARGS__                                      \
    }

static const struct banger_config_key keys[] = {
    KEY(.type = BANGER_CONFIG_SIZE, .name = "room", .default_value = "1M"),
    KEY(.type = BANGER_CONFIG_DURATION, .name = "pause"),
};

#define PLUGIN(plugin_name, ...)                                                                   \
    ((struct banger_plugin){BANGER_PLUGIN_HEADER, .name = (plugin_name), .hooks = &hooks,          \
                            __VA_ARGS__})

static int new_registry(void **state)
{
    *state = registry_new();
    return 0;
}

static int free_registry(void **state)
{
    registry_free(*state);
    return 0;
}

static int add(struct registry *registry, const struct banger_plugin *plugin, const char *policy,
               banger_error *err)
{
    AUTO_JSON json_t *table = policy != NULL ? json_loads(policy, 0, NULL) : NULL;
    assert_true(policy == NULL || table != NULL);
    return registry_add(registry, plugin, "/p/x.so", table, err);
}

/* The plugin must be refused with `why`, and nothing of it stay. */
static void refused(struct registry *registry, const struct banger_plugin *plugin,
                    const char *policy, enum banger_code code, const char *why)
{
    size_t before = registry_count(registry);
    banger_error err = BANGER_ERROR_INIT;
    int result = add(registry, plugin, policy, &err);
    if (result == 0 || strstr(err.message, why) == NULL || err.code != code) {
        fail_msg("got '%s' (%d), expected '%s'", err.message, err.code, why);
    }
    assert_int_equal(registry_count(registry), before);
}

static void plugin_is_registered_whole(void **state)
{
    const struct banger_plugin plugin = PLUGIN("nat", .config = keys, .config_count = 2);
    assert_int_equal(add(*state, &plugin, NULL, NULL), 0);
    struct capability *nat = registry_find(*state, "nat");
    assert_ptr_equal(nat, registry_at(*state, 0));
    assert_string_equal(nat->origin, "/p/x.so");
    assert_int_equal(nat->on_error, ON_ERROR_ABORT);
    assert_int_equal(nat->timeout_ms, 10000);
    assert_int_equal(nat->order, INT_MAX);
    assert_int_equal(json_object_size(nat->config), 1);
    assert_int_equal(json_get_int(nat->config, "room", 0), 1 << 20);
    assert_ptr_equal(hook_of(nat->plugin, HOOK_PREPARE), nothing);
    assert_null(hook_of(nat->plugin, HOOK_CLEANUP));
    assert_string_equal(nat->plugin->version, "");
    assert_null(registry_find(*state, "na"));
}

static void policy_is_applied(void **state)
{
    const struct banger_plugin plugin = PLUGIN("nat", .config = keys, .config_count = 2);
    registry_set_timeout(*state, 3000);
    assert_int_equal(add(*state, &plugin,
                         "{\"on_error\":\"warn\",\"order\":7,\"room\":\"2K\",\"pause\":2}", NULL),
                     0);
    struct capability *nat = registry_find(*state, "nat");
    assert_int_equal(nat->on_error, ON_ERROR_WARN);
    assert_int_equal(nat->timeout_ms, 3000);
    assert_int_equal(nat->order, 7);
    assert_int_equal(json_get_int(nat->config, "room", 0), 2048);
    assert_int_equal(json_get_int(nat->config, "pause", 0), 2000);
    assert_null(json_at(nat->config, "on_error"));

    const struct banger_plugin slow = PLUGIN("slow");
    assert_int_equal(add(*state, &slow, "{\"timeout\":\"2m\",\"isolate\":false}", NULL), 0);
    assert_int_equal(registry_find(*state, "slow")->timeout_ms, 120000);
}

static void disabled_plugin_is_passed_over(void **state)
{
    const struct banger_plugin plugin = PLUGIN("nat");
    assert_int_equal(add(*state, &plugin, "{\"enabled\":false}", NULL), 0);
    assert_int_equal(registry_count(*state), 0);
    assert_int_equal(add(*state, &plugin, "{\"enabled\":true}", NULL), 0);
    assert_int_equal(registry_count(*state), 1);
}

static void wrong_policy_is_refused(void **state)
{
    const struct banger_plugin plugin = PLUGIN("nat", .config = keys, .config_count = 2);
    refused(*state, &plugin, "{\"on_error\":\"ignore\"}", BANGER_EINVALID,
            "plugins.nat: on_error: invalid policy 'ignore': use abort or warn");
    refused(*state, &plugin, "{\"timeout\":0}", BANGER_EINVALID,
            "plugins.nat: timeout: invalid duration '0'");
    refused(*state, &plugin, "{\"order\":\"first\"}", BANGER_EINVALID,
            "plugins.nat: order: it must be a whole number");
    refused(*state, &plugin, "{\"enabled\":1}", BANGER_EINVALID,
            "plugins.nat: enabled: it must be true or false");
    refused(*state, &plugin, "{\"isolate\":true}", BANGER_EUNSUPPORTED, "plugins.nat: isolate:");
    refused(*state, &plugin, "{\"room\":\"big\"}", BANGER_EINVALID,
            "plugins.nat: room: invalid size 'big'");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(add(*state, &plugin, "{\"rome\":1}", &err), -1);
    assert_string_equal(err.message, "plugins.nat: unknown key 'rome'");
    assert_string_equal(err.hint, "did you mean 'room'?");
}

static void identity_is_checked_first(void **state)
{
    struct banger_plugin plugin = PLUGIN((const char *)1);
    plugin.size = 1;
    plugin.abi_major = BANGER_ABI_MAJOR + 1;
    refused(*state, &plugin, NULL, BANGER_EUNSUPPORTED,
            "it was built for ABI 2, and this banger has ABI 1");
    plugin.magic = 0xdead;
    refused(*state, &plugin, NULL, BANGER_EINVALID, "its magic is 0x0000dead, not 0x52474e42");
    plugin = PLUGIN((const char *)1);
    plugin.size = 8;
    refused(*state, &plugin, NULL, BANGER_EINVALID, "its descriptor states a size of 8 bytes");
    plugin.size = sizeof(plugin) + 1;
    refused(*state, &plugin, NULL, BANGER_EINVALID, "in whole words");
}

static void names_are_checked(void **state)
{
    static const char *const wrong[] = {
        "", "Nat", "1nat", "na t", "nat_", "-nat", "a234567890123456789012345678901x", NULL};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const struct banger_plugin plugin = PLUGIN(wrong[i]);
        refused(*state, &plugin, NULL, BANGER_EINVALID, "use a lower-case letter");
    }
    const struct banger_plugin core = PLUGIN("core");
    refused(*state, &core, NULL, BANGER_EINVALID, "is the core's own");
    const struct banger_plugin longest = PLUGIN("a234567890123456789012345678901");
    assert_int_equal(add(*state, &longest, NULL, NULL), 0);
}

static void duplicate_is_refused(void **state)
{
    const struct banger_plugin plugin = PLUGIN("nat");
    assert_int_equal(add(*state, &plugin, NULL, NULL), 0);
    refused(*state, &plugin, NULL, BANGER_EEXISTS,
            "a capability named 'nat' is loaded already, from /p/x.so");
}

static void declared_keys_are_checked(void **state)
{
    static const struct {
        struct banger_config_key key;
        const char *why;
    } wrong[] = {
        {KEY(.type = BANGER_CONFIG_INT, .name = "Room"), "'Room' is not allowed"},
        {KEY(.type = BANGER_CONFIG_INT, .name = NULL), "'' is not allowed"},
        {KEY(.type = BANGER_CONFIG_INT, .name = "timeout"), "one that every plugin has"},
        {KEY(.type = BANGER_CONFIG_INT, .name = "room"), "declared twice"},
        {KEY(.type = 99, .name = "x", .default_value = "1"), "default of x: it must be of a type"},
        {KEY(.type = BANGER_CONFIG_BOOL, .name = "x", .default_value = "yes"), "true or false"},
        {KEY(.type = BANGER_CONFIG_INT, .name = "x", .default_value = "9", .maximum = 5),
         "default of x: invalid number '9'"},
        {{.size = 16}, "rows of different sizes"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const struct banger_config_key both[] = {keys[0], wrong[i].key};
        const struct banger_plugin plugin = PLUGIN("nat", .config = both, .config_count = 2);
        refused(*state, &plugin, NULL, BANGER_EINVALID, wrong[i].why);
    }
}

static void tables_are_checked(void **state)
{
    static const struct banger_vmm vmm = {.size = sizeof(vmm), .check = nothing};
    static const struct banger_rootfs rootfs = {.size = sizeof(rootfs)};
    static const struct banger_network network = {
        .size = sizeof(network), .check = nothing, .contribute = nothing};
    static const struct banger_hooks sizeless = {.size = 0};

    struct banger_plugin plugin = PLUGIN("x");
    plugin.hooks = NULL;
    refused(*state, &plugin, NULL, BANGER_EINVALID, "neither hooks nor a provider");
    plugin.hooks = &sizeless;
    refused(*state, &plugin, NULL, BANGER_EINVALID, "its table of hooks states a size of 0 bytes");
    plugin.hooks = NULL;
    plugin.vmm = &vmm;
    refused(*state, &plugin, NULL, BANGER_EINVALID, "its vmm provider has no 'launch'");
    plugin.rootfs = &rootfs;
    refused(*state, &plugin, NULL, BANGER_EINVALID, "2 provider tables");
    plugin.vmm = NULL;
    refused(*state, &plugin, NULL, BANGER_EINVALID, "its rootfs provider has no 'check'");
    plugin.rootfs = NULL;
    plugin.network = &network;
    assert_int_equal(add(*state, &plugin, NULL, NULL), 0);
    assert_ptr_equal(registry_at(*state, 0)->plugin->network->contribute, nothing);
}

static void policies_must_name_plugins(void **state)
{
    const struct banger_plugin plugin = PLUGIN("nat");
    assert_int_equal(add(*state, &plugin, NULL, NULL), 0);
    AUTO_JSON json_t *good =
        json_pack("{s:{}, s:{s:b}, s:{}}", "nat", "nta", "enabled", 0, "removed-since");
    assert_int_equal(registry_check_policies(*state, good, NULL), 0);
    assert_int_equal(registry_check_policies(*state, NULL, NULL), 0);
    AUTO_JSON json_t *wrong = json_pack("{s:{}}", "nta");
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(registry_check_policies(*state, wrong, &err), -1);
    assert_string_equal(err.message, "plugins.nta: no plugin of that name is loaded");
    assert_string_equal(err.hint, "did you mean 'plugins.nat'?");
}

static void broken_one_is_listed(void **state)
{
    banger_error why = BANGER_ERROR_INIT;
    (void)error_set(&why, BANGER_EUNSUPPORTED, "it was built for ABI 9");
    AUTO_JSON json_t *policy = json_pack("{s:s, s:i}", "on_error", "warn", "its_own", 1);
    assert_int_equal(registry_add_broken(*state, "old", "/p/old.so", policy, &why, NULL), 0);
    const struct capability *old = registry_find(*state, "old");
    assert_string_equal(old->broken->message, "it was built for ABI 9");
    assert_string_equal(old->origin, "/p/old.so");
    assert_int_equal(old->on_error, ON_ERROR_WARN);
    assert_null(hook_of(old->plugin, HOOK_CHECK));

    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(registry_add_broken(*state, "old", "/p/x.so", NULL, &why, &err), -1);
    assert_string_equal(err.message, "a capability named 'old' is loaded already, from /p/old.so");
    assert_int_equal(registry_add_broken(*state, "Old", "/p/x.so", NULL, &why, &err), -1);
    AUTO_JSON json_t *bad = json_pack("{s:i}", "timeout", 0);
    assert_int_equal(registry_add_broken(*state, "new", "/p/x.so", bad, &why, &err), -1);
    assert_int_equal(registry_count(*state), 1);
    AUTO_JSON json_t *off = json_pack("{s:b}", "enabled", 0);
    assert_int_equal(registry_add_broken(*state, "new", "/p/x.so", off, &why, NULL), 0);
    assert_int_equal(registry_count(*state), 1);
}

static void strangers_in_the_way_are_broken(void **state)
{
    static const char *const after_x[] = {"x?", NULL};
    static const char *const after_nat[] = {"nat", NULL};
    static const char *const after_nothing[] = {"nothing", NULL};
    const struct banger_plugin nat = PLUGIN("nat", .after = after_x);
    const struct banger_plugin x = PLUGIN("x", .after = after_nat);
    const struct banger_plugin y = PLUGIN("y", .after = after_nothing);
    assert_int_equal(add(*state, &nat, NULL, NULL), 0);
    registry_set_strangers(*state, true);
    assert_int_equal(add(*state, &x, "{\"on_error\":\"warn\"}", NULL), 0);
    assert_int_equal(add(*state, &y, NULL, NULL), 0);
    assert_int_equal(registry_resolve(*state, NULL), 0);
    assert_null(registry_find(*state, "nat")->broken);
    assert_string_equal(registry_find(*state, "x")->broken->message,
                        "the order of capabilities goes in a circle: nat -> x -> nat");
    assert_string_equal(registry_find(*state, "y")->broken->message,
                        "capability 'y' must run after 'nothing', which is not loaded");
    assert_int_equal(registry_find(*state, "x")->on_error, ON_ERROR_WARN);
}

/* -- start and stop ------------------------------------------------------------------------------
 */

static char calls[64];

static int note(struct banger_call *call, const struct banger_host *host, const char *what)
{
    assert_null(host->get_string(call, "vm.id", NULL));
    (void)strcat(calls, what);
    return 0;
}

static int start_a(const struct banger_host *host, struct banger_call *call)
{
    return note(call, host, "+a");
}

static int stop_a(const struct banger_host *host, struct banger_call *call)
{
    return note(call, host, "-a");
}

static int start_b(const struct banger_host *host, struct banger_call *call)
{
    return note(call, host, "+b");
}

static int stop_b(const struct banger_host *host, struct banger_call *call)
{
    return note(call, host, "-b");
}

static int refuse(const struct banger_host *host, struct banger_call *call)
{
    (void)note(call, host, "!c");
    return (host->fail)(call, BANGER_EUNSUPPORTED, "not here"); /* cmocka has a macro fail() */
}

static void start_and_stop_are_called_once(void **state)
{
    (void)state;
    const struct banger_plugin a = PLUGIN("a", .start = start_a, .stop = stop_a);
    const struct banger_plugin b = PLUGIN("b", .start = start_b, .stop = stop_b);
    const struct banger_plugin c = PLUGIN("c", .start = refuse, .stop = stop_a);
    struct registry *registry = registry_new();
    assert_int_equal(add(registry, &a, NULL, NULL), 0);
    assert_int_equal(add(registry, &b, NULL, NULL), 0);
    refused(registry, &c, NULL, BANGER_EUNSUPPORTED, "capability 'c': start: not here");
    assert_null(registry_find(registry, "c"));
    registry_free(registry);
    assert_string_equal(calls, "+a+b!c-b-a");
}

static void every_hook_has_its_name(void **state)
{
    (void)state;
    static const char *const names[HOOK_COUNT] = {
        "check",   "prepare",   "contributeMachineConfig", "postStart", "cleanup", "configure",
        "deleted", "reconciled"};
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        assert_string_equal(hook_name((enum hook)i), names[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_registry, free_registry)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plugin_is_registered_whole),
        TEST(policy_is_applied),
        TEST(disabled_plugin_is_passed_over),
        TEST(wrong_policy_is_refused),
        TEST(identity_is_checked_first),
        TEST(names_are_checked),
        TEST(duplicate_is_refused),
        TEST(declared_keys_are_checked),
        TEST(tables_are_checked),
        TEST(policies_must_name_plugins),
        TEST(broken_one_is_listed),
        TEST(strangers_in_the_way_are_broken),
        cmocka_unit_test(start_and_stop_are_called_once),
        cmocka_unit_test(every_hook_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
