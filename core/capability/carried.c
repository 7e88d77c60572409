/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The description is made into a descriptor like a plugin's, which then goes the way of every
 * descriptor: what is allowed to the one is allowed to the other. Its texts stay in the JSON, which the
 * capability holds.
 */
#include "carried.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "capability/descriptor.h"

#include <string.h>

int carried_check(const json_t *said, banger_error *err)
{
    if (!json_is_object(said)) {
        return error_set(err, BANGER_EINVALID, "a capability is described by an object");
    }
    return descriptor_check_name(json_string_value(json_object_get(said, "name")), err);
}

/* -- Parts of the description ------------------------------------------------------------------- */

static int check_text(const json_t *said, const char *key, banger_error *err)
{
    const json_t *value = json_object_get(said, key);
    return value == NULL || json_is_string(value)
               ? 0
               : error_set(err, BANGER_EINVALID, "its '%s' is no text", key);
}

static bool is_list(const json_t *value)
{
    return value == NULL || json_is_array(value) ||
           (json_is_object(value) && json_object_size(value) == 0); /* Lua's {} may be either */
}

static int check_list(const json_t *said, const char *key, banger_error *err)
{
    const json_t *list = json_object_get(said, key);
    bool good = is_list(list);
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (list, i, item) {
        good = good && json_is_string(item);
    }
    return good ? 0 : error_set(err, BANGER_EINVALID, "its '%s' is no list of names", key);
}

static int check_shape(const json_t *said, banger_error *err)
{
    static const char *const known[] = {"name",   "version", "summary", "license",
                                        "origin", "after",   "before",  "hooks",
                                        "config", "state",   "error",   NULL};
    static const char *const texts[] = {"version", "summary", "license", "origin", NULL};
    static const char *const lists[] = {"after", "before", "hooks", NULL};
    if (json_only_keys("its description", said, known, err) < 0) {
        return -1;
    }
    for (size_t i = 0; texts[i] != NULL; i++) {
        if (check_text(said, texts[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; lists[i] != NULL; i++) {
        if (check_list(said, lists[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* NULL-terminated, as in a descriptor; the list is the caller's, the names are the description's. NULL:
 * none. */
static const char **name_list(const json_t *list)
{
    size_t count = json_array_size(list);
    const char **names = count > 0 ? xcalloc(count + 1, sizeof(*names)) : NULL;
    for (size_t i = 0; i < count; i++) {
        names[i] = json_string_value(json_array_get(list, i));
    }
    return names;
}

static int unknown_hook(const char *name, banger_error *err)
{
    const char *names[HOOK_COUNT];
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        names[hook] = hook_name((enum hook)hook);
    }
    const char *nearest = str_nearest(name, names, HOOK_COUNT);
    (void)error_set(err, BANGER_EINVALID, "there is no hook '%s'", name);
    return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest) : -1;
}

/* The hooks that it names, out of its carrier's table. */
static int take_hooks(const struct capability *carrier, const json_t *list,
                      struct banger_hooks *hooks, banger_error *err)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (list, i, item) {
        const char *name = json_string_value(item);
        enum hook hook = hook_by_name(name);
        banger_hook function = hook_in_table(carrier->plugin->hooks, hook);
        if (hook == HOOK_COUNT) {
            return unknown_hook(name, err);
        }
        if (function == NULL) {
            return error_set(err, BANGER_EINVALID, "its carrier '%s' has no hook '%s'",
                             carrier->plugin->name, name);
        }
        *hook_place(hooks, hook) = function;
    }
    return 0;
}

/* -- Configuration keys -------------------------------------------------------------------------- */

static const char *const type_names[] = {
    [BANGER_CONFIG_STRING] = "string",     [BANGER_CONFIG_INT] = "int",
    [BANGER_CONFIG_BOOL] = "bool",         [BANGER_CONFIG_SIZE] = "size",
    [BANGER_CONFIG_DURATION] = "duration", [BANGER_CONFIG_LIST] = "list",
    [BANGER_CONFIG_JSON] = "table",
};

const char *config_type_name(enum banger_config_type type)
{
    return (size_t)type < COUNT_OF(type_names) ? type_names[type] : NULL;
}

static int take_type(const json_t *row, struct banger_config_key *key, banger_error *err)
{
    const char *name = json_get_string(row, "type", "");
    for (size_t i = BANGER_CONFIG_STRING; i < COUNT_OF(type_names); i++) {
        if (strcmp(name, type_names[i]) == 0) {
            key->type = (enum banger_config_type)i;
            return 0;
        }
    }
    const char *nearest =
        str_nearest(name, type_names + BANGER_CONFIG_STRING, COUNT_OF(type_names) - 1);
    (void)error_set(err, BANGER_EINVALID,
                    "its configuration key '%s' has the type '%s': use string, int, bool, size, "
                    "duration, list or table",
                    key->name, name);
    return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest) : -1;
}

/* Defaults are text in a descriptor; here they may be given as what they are. */
static void write_default(json_t *row)
{
    const json_t *value = json_object_get(row, "default");
    if (value != NULL && !json_is_string(value)) {
        AUTO_FREE char *text = json_text(value);
        (void)json_object_set_new(row, "default", json_string(text));
    }
}

static int take_key(json_t *row, struct banger_config_key *key, banger_error *err)
{
    static const char *const known[] = {"name",    "type",    "default", "help",
                                        "minimum", "maximum", NULL};
    if (!json_is_object(row)) {
        return error_set(err, BANGER_EINVALID, "a key of its 'config' is no object");
    }
    if (json_only_keys("a key of its 'config'", row, known, err) < 0) {
        return -1;
    }
    write_default(row);
    key->size = sizeof(*key);
    key->name = json_get_string(row, "name", "");
    key->default_value = json_get_string(row, "default", NULL);
    key->help = json_get_string(row, "help", "");
    key->minimum = json_get_int(row, "minimum", 0);
    key->maximum = json_get_int(row, "maximum", 0);
    return take_type(row, key, err);
}

static int take_keys(json_t *said, struct banger_config_key **keys, size_t *count,
                     banger_error *err)
{
    json_t *list = json_object_get(said, "config");
    if (!is_list(list)) {
        return error_set(err, BANGER_EINVALID, "its 'config' is no list of keys");
    }
    *count = json_array_size(list);
    if (*count == 0) {
        return 0;
    }
    *keys = xcalloc(*count, sizeof(**keys));
    for (size_t i = 0; i < *count; i++) {
        if (take_key(json_array_get(list, i), &(*keys)[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* -- The capability ------------------------------------------------------------------------------ */

static int adopt(struct capability *capability, json_t *said, banger_error *err)
{
    AUTO_FREE const char **after = NULL;
    AUTO_FREE const char **before = NULL;
    AUTO_FREE struct banger_config_key *keys = NULL;
    struct banger_hooks hooks = {.size = sizeof(hooks)};
    struct banger_plugin plugin = {
        BANGER_PLUGIN_HEADER,
        .name = json_get_string(said, "name", ""),
        .version = json_get_string(said, "version", ""),
        .summary = json_get_string(said, "summary", ""),
        .license = json_get_string(said, "license", ""),
        .hooks = &hooks,
    };
    if (check_shape(said, err) < 0 ||
        take_hooks(capability->carrier, json_object_get(said, "hooks"), &hooks, err) < 0 ||
        take_keys(said, &keys, &plugin.config_count, err) < 0) {
        return -1;
    }
    plugin.config = keys;
    plugin.after = after = name_list(json_object_get(said, "after"));
    plugin.before = before = name_list(json_object_get(said, "before"));
    if (capability_adopt(capability, &plugin, err) < 0) {
        return -1;
    }
    capability->descriptor->after = STEAL(after);
    capability->descriptor->before = STEAL(before);
    return 0;
}

static void break_as_told(struct capability *capability, const json_t *error)
{
    banger_error why = BANGER_ERROR_INIT;
    (void)error_set(&why, BANGER_EINTERNAL, "%s",
                    json_get_string(error, "message", "its carrier does not say why"));
    const char *hint = json_get_string(error, "hint", "");
    if (hint[0] != '\0') {
        (void)error_hint(&why, "%s", hint);
    }
    capability_break(capability, capability->plugin->name, &why);
}

struct capability *carried_new(struct capability *carrier, json_t *said)
{
    struct capability *capability =
        capability_new(json_get_string(said, "origin", carrier->origin));
    capability->carrier = capability_ref(carrier);
    capability->stranger = true;
    capability->said = json_deep_copy(said);
    banger_error err = BANGER_ERROR_INIT;
    if (adopt(capability, capability->said, &err) < 0) {
        capability_break(capability, json_get_string(capability->said, "name", ""), &err);
    } else if (json_object_get(said, "error") != NULL) {
        break_as_told(capability, json_object_get(said, "error"));
    }
    capability_set_state(capability, json_object_get(capability->said, "state"));
    return capability;
}
