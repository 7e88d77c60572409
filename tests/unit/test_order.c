/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/str.h"
#include "capability/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const struct banger_hooks no_hooks = {.size = sizeof(no_hooks)};

struct wish {
    const char *name;
    const char *after[3];
    const char *before[3];
    int order; /* 0: not configured */
};

#define WISHES_MAX 8

/* The descriptors of one test; the registry points at their names. */
static struct banger_plugin plugins[WISHES_MAX];

static struct registry *registry_of(const struct wish *wishes, size_t count)
{
    struct registry *registry = registry_new();
    for (size_t i = 0; i < count; i++) {
        plugins[i] = (struct banger_plugin){BANGER_PLUGIN_HEADER, .name = wishes[i].name,
                                            .after = wishes[i].after, .before = wishes[i].before,
                                            .hooks = &no_hooks};
        AUTO_JSON json_t *policy =
            wishes[i].order != 0 ? json_pack("{s:i}", "order", wishes[i].order) : NULL;
        assert_int_equal(registry_add(registry, &plugins[i], "built-in", policy, NULL), 0);
    }
    return registry;
}

static void expect_order(const struct wish *wishes, size_t count, const char *expected)
{
    struct registry *registry = registry_of(wishes, count);
    assert_int_equal(registry_resolve(registry, NULL), 0);
    AUTO_BUF struct buf names = BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        buf_printf(&names, "%s%s", i > 0 ? " " : "", registry_at(registry, i)->plugin->name);
    }
    assert_string_equal(names.data, expected);
    registry_free(registry);
}

static void expect_error(const struct wish *wishes, size_t count, enum banger_code code,
                         const char *message, const char *hint)
{
    struct registry *registry = registry_of(wishes, count);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(registry_resolve(registry, &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.message, message) == NULL || strstr(err.hint, hint) == NULL) {
        fail_msg("got '%s' (%s), expected '%s' (%s)", err.message, err.hint, message, hint);
    }
    for (size_t i = 0; i < count; i++) { /* a failure changes nothing */
        assert_string_equal(registry_at(registry, i)->plugin->name, wishes[i].name);
    }
    registry_free(registry);
}

#define ORDER(expected, ...)                                                                       \
    do {                                                                                           \
        static const struct wish wishes[] = {__VA_ARGS__};                                         \
        expect_order(wishes, COUNT_OF(wishes), expected);                                          \
    } while (0)

#define ORDER_FAILS(code, message, hint, ...)                                                      \
    do {                                                                                           \
        static const struct wish wishes[] = {__VA_ARGS__};                                         \
        expect_error(wishes, COUNT_OF(wishes), code, message, hint);                               \
    } while (0)

static void names_decide_where_nothing_else_does(void **state)
{
    (void)state;
    ORDER("a b c", {.name = "c"}, {.name = "a"}, {.name = "b"});
}

static void configuration_goes_before_names(void **state)
{
    (void)state;
    ORDER("c b a", {.name = "a"}, {.name = "b", .order = 2}, {.name = "c", .order = 1});
    ORDER("b a", {.name = "a", .order = 5}, {.name = "b", .order = -5});
}

static void after_and_before_go_before_configuration(void **state)
{
    (void)state;
    ORDER("z a", {.name = "a", .after = {"z"}, .order = 1}, {.name = "z", .order = 2});
    ORDER("z a", {.name = "a"}, {.name = "z", .before = {"a"}});
    ORDER("d c b a", {.name = "a", .after = {"b"}}, {.name = "b", .after = {"c"}},
          {.name = "c", .after = {"d"}}, {.name = "d"});
    ORDER("a m b", {.name = "m", .after = {"a"}, .before = {"b"}}, {.name = "b"}, {.name = "a"});
}

static void what_is_free_keeps_its_place(void **state)
{
    (void)state;
    ORDER("b c a d", {.name = "a", .after = {"c"}}, {.name = "b"}, {.name = "c"}, {.name = "d"});
}

static void optional_names_hold_where_they_are_loaded(void **state)
{
    (void)state;
    ORDER("a", {.name = "a", .after = {"nat?"}, .before = {"dns?"}});
    ORDER("nat a", {.name = "a", .after = {"nat?"}}, {.name = "nat"});
}

static void unknown_name_gets_the_nearest(void **state)
{
    (void)state;
    ORDER_FAILS(BANGER_ENOTFOUND, "capability 'dns' must run after 'brigde', which is not loaded",
                "did it mean 'bridge'?", {.name = "dns", .after = {"brigde"}}, {.name = "bridge"});
    ORDER_FAILS(BANGER_ENOTFOUND, "capability 'dns' must run before 'nat'",
                "plugins.dns.enabled = false", {.name = "dns", .before = {"nat"}});
}

static void cycle_is_named_whole(void **state)
{
    (void)state;
    ORDER_FAILS(BANGER_EINVALID, "circle: a -> a", "", {.name = "a", .after = {"a"}});
    ORDER_FAILS(BANGER_EINVALID, "circle: a -> b -> a", "", {.name = "a", .after = {"b"}},
                {.name = "b", .after = {"a"}});
    ORDER_FAILS(BANGER_EINVALID, "circle: a -> c -> b -> a", "", {.name = "first"},
                {.name = "behind", .after = {"a"}}, {.name = "a", .after = {"b"}},
                {.name = "b", .after = {"c"}}, {.name = "c", .after = {"a"}, .before = {"b"}});
}

static void nothing_is_in_order(void **state)
{
    (void)state;
    struct registry *registry = registry_new();
    assert_int_equal(registry_resolve(registry, NULL), 0);
    assert_null(registry_at(registry, 0));
    registry_free(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_decide_where_nothing_else_does),
        cmocka_unit_test(configuration_goes_before_names),
        cmocka_unit_test(after_and_before_go_before_configuration),
        cmocka_unit_test(what_is_free_keeps_its_place),
        cmocka_unit_test(optional_names_hold_where_they_are_loaded),
        cmocka_unit_test(unknown_name_gets_the_nearest),
        cmocka_unit_test(cycle_is_named_whole),
        cmocka_unit_test(nothing_is_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
