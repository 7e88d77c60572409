/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods about capabilities: plugins, and what they carry. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/methods.h"
#include "lifecycle/choose.h"

#include <stdatomic.h>

static void add_report(json_t *view, const struct hook_report *report)
{
    (void)json_object_set_new(view, "calls", json_integer((json_int_t)report->calls));
    (void)json_object_set_new(view, "failures", json_integer((json_int_t)report->failures));
    (void)json_object_set_new(view, "mean_ns", json_integer((json_int_t)report->mean_ns));
    (void)json_object_set_new(view, "p50_ns", json_integer((json_int_t)report->p50_ns));
    (void)json_object_set_new(view, "p99_ns", json_integer((json_int_t)report->p99_ns));
    (void)json_object_set_new(view, "max_ns", json_integer((json_int_t)report->max_ns));
}

/* The hooks that it has, and those that it had. */
static json_t *hook_counters(const struct capability *capability)
{
    json_t *hooks = json_object();
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        struct hook_report report = tally_report(capability->tally, (enum hook)hook);
        if (report.calls == 0 && hook_of(capability->plugin, (enum hook)hook) == NULL) {
            continue;
        }
        json_t *row = json_object();
        add_report(row, &report);
        (void)json_object_set_new(hooks, hook_name((enum hook)hook), row);
    }
    return hooks;
}

/* null: it works. */
static json_t *broken_view(const struct capability *capability)
{
    const banger_error *broken = capability->broken;
    if (broken == NULL) {
        return json_null();
    }
    return json_pack("{s:s, s:s?}", "message", broken->message, "hint",
                     broken->hint[0] != '\0' ? broken->hint : NULL);
}

static json_t *provided_kinds(const struct capability *capability)
{
    json_t *kinds = json_array();
    for (int kind = 0; kind < PROVIDER_KIND_COUNT; kind++) {
        if (provider_offers(capability, (enum provider_kind)kind)) {
            (void)json_array_append_new(kinds,
                                        json_string(provider_kind_name((enum provider_kind)kind)));
        }
    }
    return kinds;
}

static const char *state_of(const struct capability *capability)
{
    if (capability->broken != NULL) {
        return "broken";
    }
    if (atomic_load(&capability->standing->disabled)) {
        return "disabled";
    }
    return atomic_load(&capability->standing->stuck) != 0 ? "stuck" : "ok";
}

static json_t *policy_view(const struct capability *capability)
{
    return json_pack("{s:s, s:I, s:i}", "on_error",
                     capability->on_error == ON_ERROR_WARN ? "warn" : "abort", "timeout_ms",
                     (json_int_t)capability->timeout_ms, "disable_after",
                     capability->disable_after);
}

/* Of one in processes of its own: how many there are, and how many have ended as they should not. */
static void view_processes(const struct capability *capability, json_t *view)
{
    struct isolate *isolate = capability_isolate(capability);
    (void)json_object_set_new(view, "isolated", json_boolean(isolate != NULL));
    if (isolate != NULL) {
        struct isolate_counts counts = isolate_count(isolate);
        (void)json_object_set_new(view, "processes", json_integer(counts.processes));
        (void)json_object_set_new(view, "ended_badly",
                                  json_integer((json_int_t)counts.ended_badly));
    }
}

static json_t *plugin_view(const struct lineup *lineup, size_t place)
{
    const struct capability *capability = lineup_at(lineup, place);
    const struct banger_plugin *plugin = capability->plugin;
    const char *carrier = capability->carrier != NULL ? capability->carrier->plugin->name : NULL;
    json_t *view = json_pack(
        "{s:s, s:I, s:s, s:s, s:s, s:s, s:s?, s:s, s:o, s:o, s:o}", "name", plugin->name, "order",
        (json_int_t)place + 1, "version", plugin->version, "summary", plugin->summary, "license",
        plugin->license, "origin", capability->origin, "carrier", carrier, "state",
        state_of(capability), "broken", broken_view(capability), "provides",
        provided_kinds(capability), "hooks", hook_counters(capability));
    struct hook_report all = tally_report_all(capability->tally);
    add_report(view, &all);
    AUTO_JSON json_t *policy = policy_view(capability);
    (void)json_object_update(view, policy);
    view_processes(capability, view);
    return view;
}

/* Those of the present line-up, or the carried ones among them. */
static json_t *view_all(struct daemon *daemon, bool carried_only)
{
    registry_refresh(daemon->registry);
    AUTO_LINEUP struct lineup *lineup = registry_lineup(daemon->registry);
    json_t *list = json_array();
    for (size_t i = 0; i < lineup_count(lineup); i++) {
        if (!carried_only || lineup_at(lineup, i)->carrier != NULL) {
            (void)json_array_append_new(list, plugin_view(lineup, i));
        }
    }
    return list;
}

METHOD(method_plugin_list)
{
    (void)request;
    (void)params;
    (void)err;
    *result = view_all(context, false);
    return 0;
}

METHOD(method_hook_list)
{
    (void)request;
    (void)params;
    (void)err;
    *result = view_all(context, true);
    return 0;
}

static json_t *config_view(const struct capability *capability)
{
    const struct banger_plugin *plugin = capability->plugin;
    json_t *rows = json_array();
    for (size_t i = 0; i < plugin->config_count; i++) {
        const struct banger_config_key *key = &plugin->config[i];
        json_t *row = json_pack("{s:s, s:s, s:s?, s:s?}", "name", key->name, "type",
                                config_type_name(key->type), "default", key->default_value, "help",
                                key->help);
        json_t *value = json_object_get(capability->config, key->name);
        (void)json_object_set(row, "value", value != NULL ? value : json_null());
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *name_list(const char *const *names)
{
    json_t *list = json_array();
    for (; names != NULL && *names != NULL; names++) {
        (void)json_array_append_new(list, json_string(*names));
    }
    return list;
}

static int no_such_plugin(const struct lineup *lineup, const char *name, banger_error *err)
{
    const char *nearest = lineup_nearest(lineup, name);
    (void)error_set(err, BANGER_ENOTFOUND, "no plugin named '%.64s'", name);
    return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest)
                           : error_hint(err, "banger plugin list shows them");
}

METHOD(method_plugin_show)
{
    (void)request;
    struct daemon *daemon = context;
    const char *name = NULL;
    if (json_need_string(params, "plugin", &name, err) < 0) {
        return -1;
    }
    registry_refresh(daemon->registry);
    AUTO_LINEUP struct lineup *lineup = registry_lineup(daemon->registry);
    size_t place = lineup_place(lineup, name);
    const struct capability *capability = lineup_at(lineup, place);
    if (capability == NULL) {
        return no_such_plugin(lineup, name, err);
    }
    *result = plugin_view(lineup, place);
    (void)json_object_set_new(*result, "config", config_view(capability));
    (void)json_object_set_new(*result, "after", name_list(capability->plugin->after));
    (void)json_object_set_new(*result, "before", name_list(capability->plugin->before));
    return 0;
}

METHOD(method_plugin_enable)
{
    (void)request;
    struct daemon *daemon = context;
    const char *name = NULL;
    if (json_need_string(params, "plugin", &name, err) < 0) {
        return -1;
    }
    registry_refresh(daemon->registry);
    AUTO_LINEUP struct lineup *lineup = registry_lineup(daemon->registry);
    const struct capability *capability = lineup_find(lineup, name);
    if (capability == NULL) {
        return no_such_plugin(lineup, name, err);
    }
    if (standing_enable(capability->standing)) {
        AUTO_JSON json_t *data = json_pack("{s:s}", "capability", name);
        log_info("capability '%s' is enabled again", name);
        engine_emit(&daemon->engine, "capability.enabled", NULL, NULL, data);
    }
    *result = plugin_view(lineup, lineup_place(lineup, name));
    return 0;
}
