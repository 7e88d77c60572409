/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/name.h"
#include "config_lua.h"

static int check_log_level(const char *what, const char *text, banger_error *err)
{
    if (log_parse_level(text) >= 0) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID, "invalid %s '%s': use error, warn, info or debug", what,
                     text);
}

/* Keys whose strings must be more than strings. */
static const struct {
    const char *key;
    const char *what;
    int (*check)(const char *what, const char *text, banger_error *err);
} string_rules[] = {
    {"log_level", "level", check_log_level},
    {"vm.vmm", "provider", name_check_artifact},
    {"vm.rootfs", "provider", name_check_artifact},
    {"vm.network", "provider", name_check_artifact},
    {"default_image", "image name", name_check_artifact},
    {"default_kernel", "kernel name", name_check_artifact},
    {"socket_group", "group", name_check_artifact},
};

static int check_strings(const char *path, const json_t *config, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(string_rules); i++) {
        const char *text = json_get_string(config, string_rules[i].key, NULL);
        if (text != NULL && string_rules[i].check(string_rules[i].what, text, err) < 0) {
            return error_prefix(err, "%s: %s: ", path, string_rules[i].key);
        }
    }
    size_t index = 0;
    json_t *dir = NULL;
    json_array_foreach (json_at(config, "plugin_dirs"), index, dir) {
        if (name_check_path("folder", json_string_value(dir), err) < 0) {
            return error_prefix(err, "%s: plugin_dirs: ", path);
        }
    }
    return 0;
}

/* Each plugin's table is checked when the plugin is known; that it is a table, now. */
static int check_plugins(const char *path, const json_t *config, banger_error *err)
{
    json_t *plugins = json_object_get(config, "plugins");
    if (!json_is_object(plugins)) {
        return error_set(err, BANGER_EINVALID, "%s: plugins: it must be a table of named tables",
                         path);
    }
    const char *name = NULL;
    json_t *policy = NULL;
    json_object_foreach (plugins, name, policy) {
        if (!json_is_object(policy)) {
            return error_set(err, BANGER_EINVALID, "%s: plugins.%s: it must be a table", path,
                             name);
        }
    }
    return 0;
}

/* What the file says; an empty object when there is none. */
static json_t *read_given(const char *path, banger_error *err)
{
    AUTO_BUF struct buf text = BUF_INIT;
    banger_error problem = BANGER_ERROR_INIT;
    if (file_read(path, CONFIG_TEXT_MAX, &text, &problem) < 0) {
        if (problem.code == BANGER_ENOTFOUND) {
            return json_object();
        }
        if (err != NULL) {
            *err = problem;
        }
        return NULL;
    }
    return config_lua_read(path, str_or(text.data, ""), text.length, err);
}

json_t *config_load(const char *path, banger_error *err)
{
    AUTO_JSON json_t *given = read_given(path, err);
    if (given == NULL) {
        return NULL;
    }
    size_t count = 0;
    const struct banger_config_key *keys = config_core_keys(&count);
    AUTO_JSON json_t *config = config_check(path, keys, count, given, err);
    if (config == NULL || check_strings(path, config, err) < 0 ||
        check_plugins(path, config, err) < 0) {
        return NULL;
    }
    return STEAL(config);
}
