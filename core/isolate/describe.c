/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "isolate/child.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "capability/isolate_wire.h"

static json_t *names(const char *const *list)
{
    json_t *array = json_array();
    for (; list != NULL && *list != NULL; list++) {
        (void)json_array_append_new(array, json_lossy_string(*list));
    }
    return array;
}

static json_t *text(const char *value)
{
    return value != NULL ? json_lossy_string(value) : json_null();
}

static json_t *keys(const struct banger_plugin *plugin)
{
    json_t *array = json_array();
    for (size_t i = 0; i < plugin->config_count; i++) {
        const struct banger_config_key *key = &plugin->config[i];
        (void)json_array_append_new(
            array,
            json_pack("{s:i, s:o, s:o, s:o, s:I, s:I}", "type", (int)key->type, "name",
                      text(key->name), "default", text(key->default_value), "help", text(key->help),
                      "minimum", (json_int_t)key->minimum, "maximum", (json_int_t)key->maximum));
    }
    return array;
}

static json_t *functions(struct banger_plugin *plugin)
{
    json_t *array = json_array();
    for (int i = 0; i < WIRE_FUNCTION_COUNT; i++) {
        const banger_hook *place = wire_function_place(plugin, (enum wire_function)i);
        if (place != NULL && *place != NULL) {
            (void)json_array_append_new(array,
                                        json_string(wire_function_name((enum wire_function)i)));
        }
    }
    return array;
}

static void describe_tables(const struct banger_plugin *plugin, json_t *message)
{
    if (plugin->hooks != NULL) {
        (void)json_object_set_new(message, "hooks", json_object());
    }
    if (plugin->vmm != NULL) {
        (void)json_object_set_new(message, "vmm",
                                  json_pack("{s:i, s:o}", "rank", (int)plugin->vmm->rank,
                                            "features", names(plugin->vmm->features)));
    }
    if (plugin->rootfs != NULL) {
        (void)json_object_set_new(message, "rootfs",
                                  json_pack("{s:i, s:o}", "rank", (int)plugin->rootfs->rank,
                                            "needs", names(plugin->rootfs->needs)));
    }
    if (plugin->network != NULL) {
        (void)json_object_set_new(message, "network",
                                  json_pack("{s:i, s:o}", "rank", (int)plugin->network->rank,
                                            "needs", names(plugin->network->needs)));
    }
}

json_t *describe_plugin(struct banger_plugin *plugin)
{
    json_t *message = json_pack("{s:i, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "abi_minor",
                                (int)plugin->abi_minor, "name", text(plugin->name), "version",
                                text(plugin->version), "summary", text(plugin->summary), "license",
                                text(plugin->license), "flags", (json_int_t)plugin->flags, "after",
                                names(plugin->after), "before", names(plugin->before), "config",
                                keys(plugin), "functions", functions(plugin));
    describe_tables(plugin, message);
    return message;
}

json_t *describe_error(const banger_error *problem)
{
    return json_pack("{s:{s:i, s:s, s:s}}", "error", "code", (int)problem->code, "message",
                     problem->message, "hint", problem->hint);
}
