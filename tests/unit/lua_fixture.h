/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A home with hooks, and a host that runs them. */
#ifndef TESTS_LUA_FIXTURE_H
#define TESTS_LUA_FIXTURE_H

#include "temp_dir.h"

#include <banger/test.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define VM_ID "0123456789abcdef0123456789abcdef"

static struct temp_dir home;
static struct fake_host *fake;

static inline int lua_setup(void **state)
{
    (void)state;
    temp_dir_make(&home);
    assert_int_equal(setenv("BANGER_HOME", home.path, 1), 0);
    assert_int_equal(mkdir(temp_dir_at(&home, "hooks.d"), 0755), 0);
    fake = fake_host_new("{\"vm\": {\"id\": \"" VM_ID "\", \"name\": \"web\", \"memory_mib\": 256, "
                         "\"labels\": {\"role\": \"front\"}}, \"image\": {\"name\": \"tiny\"}}");
    fake_host_set(fake, "host.config_dir", json_string(home.path));
    return 0;
}

static inline int lua_teardown(void **state)
{
    (void)state;
    fake_host_free(fake);
    temp_dir_remove(&home);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, lua_setup, lua_teardown)

static inline void write_script(const char *name, const char *text)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "hooks.d/%s.lua", name);
    (void)unlink(temp_dir_at(&home, path)); /* a new file has another inode */
    temp_dir_write(&home, path, text);
}

/* Asks which scripts there are; what is told of the one of that name, NULL: nothing. */
static inline const json_t *expand(const char *name)
{
    const json_t *all = fake_host_provided(fake);
    size_t before = json_array_size(all);

    if (fake_host_call(fake, banger_plugin_v1()->expand) < 0) {
        fail_msg("expand: %s", fake_host_error(fake));
    }
    for (size_t i = before; i < json_array_size(all); i++) {
        const json_t *told = json_array_get(all, i);

        if (strcmp(json_string_value(json_object_get(told, "name")), name) == 0) {
            return told;
        }
    }
    return NULL;
}

static inline const char *broken_by(const char *name)
{
    const json_t *told = expand(name);
    const char *message =
        json_string_value(json_object_get(json_object_get(told, "error"), "message"));

    if (message == NULL) {
        fail_msg("%s is not broken", name);
    }
    return message;
}

/* From now on the host's calls are for that script, as it is now. */
static inline void choose(const char *name)
{
    const json_t *told = expand(name);
    const json_t *error = json_object_get(told, "error");

    if (told == NULL || error != NULL) {
        fail_msg("%s: %s", name, json_string_value(json_object_get(error, "message")));
    }
    fake_host_set(fake, "self.name", json_string(name));
    fake_host_set(fake, "self.origin", json_incref(json_object_get(told, "origin")));
    fake_host_set(fake, "self.state", json_deep_copy(json_object_get(told, "state")));
}

static inline void use(const char *text)
{
    write_script("site", text);
    choose("site");
}

static inline banger_hook hook_called(const char *name)
{
    const struct banger_hooks *hooks = banger_plugin_v1()->hooks;
    const struct {
        const char *name;
        banger_hook hook;
    } all[] = {
        {"check", hooks->check},
        {"prepare", hooks->prepare},
        {"contributeMachineConfig", hooks->contributeMachineConfig},
        {"postStart", hooks->postStart},
        {"cleanup", hooks->cleanup},
        {"configure", hooks->configure},
        {"deleted", hooks->deleted},
        {"reconciled", hooks->reconciled},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].hook;
        }
    }
    fail_msg("no hook %s", name);
    return NULL;
}

static inline int call_hook(const char *name)
{
    fake_host_clear_error(fake);
    fake_host_enter(fake, name);
    return fake_host_call(fake, hook_called(name));
}

static inline void call_well(const char *name)
{
    if (call_hook(name) < 0) {
        fail_msg("%s: %s", name, fake_host_error(fake));
    }
}

/* The hook fails, and its text holds `text`. */
static inline void call_badly(const char *name, const char *text)
{
    if (call_hook(name) == 0) {
        fail_msg("%s has not failed: '%s'", name, text);
    }
    if (strstr(fake_host_error(fake), text) == NULL) {
        fail_msg("%s: expected '%s' in '%s'", name, text, fake_host_error(fake));
    }
}

/* A script whose prepare is `body`. */
static inline void use_body(const char *body)
{
    char text[8192];

    (void)snprintf(text, sizeof(text), "return { prepare = function(vm) %s end }", body);
    use(text);
}

static inline void run_well(const char *body)
{
    use_body(body);
    call_well("prepare");
}

static inline void run_badly(const char *body, const char *text)
{
    use_body(body);
    call_badly("prepare", text);
}

#endif
