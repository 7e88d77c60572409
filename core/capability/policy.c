/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "config/config.h"

#include <limits.h>
#include <string.h>

#define KEY_NAME_MAX 63
#define TIMEOUT_MIN_MS 1
#define MEMORY_MIN (INT64_C(32) * 1024 * 1024)
#define TIMEOUT_MAX_MS (INT64_C(24) * 3600 * 1000)

#define KEY(key_name, key_type, ...)                                                               \
    {                                                                                              \
        .size = sizeof(struct banger_config_key), .name = (key_name),                              \
        .type = BANGER_CONFIG_##key_type, __VA_ARGS__                                              \
    }

static const struct banger_config_key policy_keys[] = {
    KEY("enabled", BOOL, .default_value = "true"),
    KEY("on_error", STRING, .default_value = "abort"),
    KEY("timeout", DURATION, .minimum = TIMEOUT_MIN_MS, .maximum = TIMEOUT_MAX_MS),
    KEY("order", INT, .minimum = -1000000, .maximum = 1000000),
    KEY("disable_after", INT, .default_value = "0", .maximum = 1000000),
    KEY("isolate", BOOL),
    KEY("process_memory", SIZE, .default_value = "512M", .minimum = MEMORY_MIN,
        .maximum = INT64_MAX),
};

bool policy_isolates(const json_t *policy, bool unless_said)
{
    const json_t *said = json_object_get(policy, "isolate");
    return json_is_boolean(said) ? json_is_true(said)
                                 : unless_said; /* policy_apply wants a boolean */
}

bool policy_disables(const json_t *policy)
{
    return json_is_false(json_object_get(policy, "enabled"));
}

static int check_key_name(const char *name, banger_error *err)
{
    size_t length = name != NULL ? strnlen(name, KEY_NAME_MAX + 1) : 0;
    bool good = length >= 1 && length <= KEY_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' &&
                strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
    if (!good) {
        return error_set(err, BANGER_EINVALID,
                         "its configuration key '%.*s' is not allowed: use a lower-case letter, "
                         "then letters, digits and '_', %d bytes at most",
                         KEY_NAME_MAX + 1, str_or(name, ""), KEY_NAME_MAX);
    }
    return 0;
}

/* The declared keys must be usable beside ours, and each only once. */
static int check_declared(const struct banger_config_key *keys, size_t count, banger_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = keys[i].name;
        if (check_key_name(name, err) < 0) {
            return -1;
        }
        for (size_t j = 0; j < COUNT_OF(policy_keys); j++) {
            if (strcmp(name, policy_keys[j].name) == 0) {
                return error_set(err, BANGER_EINVALID,
                                 "its configuration key '%s' is one that every plugin has", name);
            }
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(name, keys[j].name) == 0) {
                return error_set(err, BANGER_EINVALID,
                                 "its configuration key '%s' is declared twice", name);
            }
        }
    }
    return 0;
}

/* The table checked against both sets of keys at once, so that a misspelt name finds its nearest in
 * either. */
static json_t *check_table(const struct banger_plugin *plugin, const json_t *policy,
                           banger_error *err)
{
    size_t count = COUNT_OF(policy_keys) + plugin->config_count;
    AUTO_FREE struct banger_config_key *keys = xcalloc(count, sizeof(*keys));
    memcpy(keys, policy_keys, sizeof(policy_keys));
    if (plugin->config_count > 0) {
        memcpy(keys + COUNT_OF(policy_keys), plugin->config, plugin->config_count * sizeof(*keys));
    }
    AUTO_FREE char *what = str_format("plugins.%s", plugin->name);
    return config_check(what, keys, count, policy, err);
}

static int apply_on_error(struct capability *capability, const char *text, banger_error *err)
{
    if (strcmp(text, "abort") == 0) {
        capability->on_error = ON_ERROR_ABORT;
    } else if (strcmp(text, "warn") == 0) {
        capability->on_error = ON_ERROR_WARN;
    } else {
        return error_set(err, BANGER_EINVALID,
                         "plugins.%s: on_error: invalid policy '%s': use abort or warn",
                         capability->plugin->name, text);
    }
    return 0;
}

/* The core's part of a checked table. */
static int apply_common(struct capability *capability, const json_t *config,
                        int64_t default_timeout_ms, banger_error *err)
{
    capability->timeout_ms = json_get_int(config, "timeout", default_timeout_ms);
    capability->order = (int)json_get_int(config, "order", INT_MAX);
    capability->disable_after = (int)json_get_int(config, "disable_after", 0);
    return apply_on_error(capability, json_get_string(config, "on_error", "abort"), err);
}

int policy_apply(struct capability *capability, const json_t *policy, int64_t default_timeout_ms,
                 banger_error *err)
{
    const struct banger_plugin *plugin = capability->plugin;
    if (check_declared(plugin->config, plugin->config_count, err) < 0) {
        return -1;
    }
    AUTO_JSON json_t *config = check_table(plugin, policy, err);
    if (config == NULL || apply_common(capability, config, default_timeout_ms, err) < 0) {
        return -1;
    }
    if (capability->isolate == NULL && json_get_bool(config, "isolate", false)) {
        return error_set(err, BANGER_EUNSUPPORTED,
                         "plugins.%s: isolate: its code is not in a plugin file of its own",
                         plugin->name);
    }
    if (capability->carrier != NULL && json_object_get(policy, "process_memory") != NULL) {
        return error_set(err, BANGER_EUNSUPPORTED,
                         "plugins.%s: process_memory: it runs in its carrier's processes "
                         "(plugins.%s.process_memory)",
                         plugin->name, capability->carrier->plugin->name);
    }
    if (capability->isolate != NULL) {
        isolate_set_memory(capability->isolate, json_get_int(config, "process_memory", 0));
    }
    for (size_t i = 0; i < COUNT_OF(policy_keys); i++) {
        (void)json_object_del(config, policy_keys[i].name);
    }
    json_decref(capability->config);
    capability->config = STEAL(config);
    return 0;
}

int policy_apply_broken(struct capability *capability, const json_t *policy,
                        int64_t default_timeout_ms, banger_error *err)
{
    AUTO_JSON json_t *known = json_object();
    for (size_t i = 0; i < COUNT_OF(policy_keys); i++) {
        json_t *value = json_object_get(policy, policy_keys[i].name);
        if (value != NULL) {
            (void)json_object_set(known, policy_keys[i].name, value);
        }
    }
    capability->timeout_ms = default_timeout_ms;
    AUTO_FREE char *what = str_format("plugins.%s", capability->plugin->name);
    AUTO_JSON json_t *config = config_check(what, policy_keys, COUNT_OF(policy_keys), known, err);
    return config != NULL ? apply_common(capability, config, default_timeout_ms, err) : -1;
}
