/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include <banger/json.h>
#include <string.h>

#define MEMORY_DEFAULT (INT64_C(64) << 20U)

/* Paths are compared as they are written. */
bool settings_is_plain(const char *path)
{
    size_t length = strlen(path);

    return path[0] == '/' && length > 1 && path[length - 1] != '/' && strstr(path, "//") == NULL &&
           strstr(path, "/./") == NULL && strstr(path, "/../") == NULL &&
           (length < 3 || strcmp(path + length - 3, "/..") != 0) &&
           strcmp(path + length - 2, "/.") != 0;
}

static json_t *read_paths(const struct banger_host *host, struct banger_call *call, const char *key)
{
    char name[64];
    json_t *paths;
    size_t index;
    json_t *path;

    (void)snprintf(name, sizeof(name), "config.%s", key);
    paths = banger_json_get(host, call, name);
    paths = paths != NULL ? paths : json_array();
    json_array_foreach (paths, index, path) {
        if (!json_is_string(path) || !settings_is_plain(json_string_value(path))) {
            host->hint(call, "change plugins.lua.%s in config.lua", key);
            (void)host->fail(call, BANGER_EINVALID,
                             "%s[%zu]: invalid path \"%s\": it must be absolute, without '.', '..' "
                             "and a '/' at its end",
                             key, index + 1, json_string_value(path));
            json_decref(paths);
            return NULL;
        }
    }
    return paths;
}

json_t *settings_read(const struct banger_host *host, struct banger_call *call)
{
    static const char *const lists[] = {"programs", "read_dirs", "sockets", "write_dirs"};
    json_t *settings = json_pack("{s:I}", "memory",
                                 (json_int_t)host->get_int(call, "config.memory", MEMORY_DEFAULT));

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        json_t *paths = read_paths(host, call, lists[i]);

        if (paths == NULL) {
            json_decref(settings);
            return NULL;
        }
        json_object_set_new(settings, lists[i], paths);
    }
    return settings;
}

size_t settings_memory(const json_t *settings)
{
    json_int_t memory = json_integer_value(json_object_get(settings, "memory"));

    return (size_t)(memory > 0 ? memory : MEMORY_DEFAULT);
}

bool settings_allow(const json_t *settings, const char *key, const char *path)
{
    size_t index;
    json_t *allowed;

    json_array_foreach (json_object_get(settings, key), index, allowed) {
        if (strcmp(json_string_value(allowed), path) == 0) {
            return true;
        }
    }
    return false;
}

const char *settings_find_dir(const json_t *settings, const char *key, const char *path,
                              const char **rest)
{
    size_t index;
    json_t *allowed;

    json_array_foreach (json_object_get(settings, key), index, allowed) {
        size_t length = json_string_length(allowed);

        if (strncmp(json_string_value(allowed), path, length) == 0 && path[length] == '/') {
            *rest = path + length + 1;
            return json_string_value(allowed);
        }
    }
    return NULL;
}
