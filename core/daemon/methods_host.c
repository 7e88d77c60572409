/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods about the daemon, its plugins and its host. */
#include "base/cleanup.h"
#include "base/json.h"
#include "daemon/doctor.h"
#include "daemon/methods.h"
#include "lifecycle/choose.h"
#include "store/vm_table.h"

#include <stdatomic.h>
#include <unistd.h>

METHOD(method_daemon_status)
{
    (void)request;
    (void)params;
    struct daemon *daemon = context;
    int64_t total = 0;
    int64_t running = 0;
    if (vm_count(daemon->store, &total, &running, err) < 0) {
        return -1;
    }
    AUTO_FREE char *socket = layout_control_socket(&daemon->layout);
    *result = json_pack(
        "{s:s, s:i, s:I, s:s, s:s, s:{s:I, s:I}, s:i}", "version", BANGER_VERSION, "pid",
        (int)getpid(), "uptime_ms", (json_int_t)(clock_mono_ms() - daemon->started_ms), "home",
        daemon->layout.state_dir, "socket", socket, "vms", "total", (json_int_t)total, "running",
        (json_int_t)running, "jobs", (int)rpc_server_jobs(daemon->server));
    return 0;
}

static void stop_loop(void *context)
{
    loop_stop(((struct daemon *)context)->loop);
}

METHOD(method_daemon_stop)
{
    (void)request;
    (void)params;
    (void)result;
    (void)err;
    struct daemon *daemon = context;
    loop_post(daemon->loop, stop_loop, daemon);
    return 0;
}

static json_t *hook_counters(const struct capability *capability)
{
    json_t *hooks = json_object();
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        struct hook_stats stats = tally_read(capability->tally, (enum hook)hook);
        bool is_there = hook_of(capability->plugin, (enum hook)hook) != NULL;
        if (!is_there && (capability->broken == NULL || stats.calls == 0)) {
            continue;
        }
        (void)json_object_set_new(
            hooks, hook_name((enum hook)hook),
            json_pack("{s:I, s:I, s:I, s:I}", "calls", (json_int_t)stats.calls, "failures",
                      (json_int_t)stats.failures, "mean_ns",
                      (json_int_t)(stats.calls > 0 ? stats.total_ns / stats.calls : 0), "max_ns",
                      (json_int_t)stats.max_ns));
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

static json_t *plugin_view(const struct capability *capability)
{
    const struct banger_plugin *plugin = capability->plugin;
    const char *carrier = capability->carrier != NULL ? capability->carrier->plugin->name : NULL;
    json_t *view =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:o, s:o, s:s, s:I, s:b, s:o}", "name",
                  plugin->name, "version", plugin->version, "summary", plugin->summary, "license",
                  plugin->license, "origin", capability->origin, "carrier", carrier, "provides",
                  provided_kinds(capability), "hooks", hook_counters(capability), "on_error",
                  capability->on_error == ON_ERROR_WARN ? "warn" : "abort", "timeout_ms",
                  (json_int_t)capability->timeout_ms, "stuck",
                  atomic_load(&capability->standing->stuck), "broken", broken_view(capability));
    view_processes(capability, view);
    return view;
}

METHOD(method_plugin_list)
{
    (void)request;
    (void)params;
    (void)err;
    struct daemon *daemon = context;
    registry_refresh(daemon->registry);
    AUTO_LINEUP struct lineup *lineup = registry_lineup(daemon->registry);
    *result = json_array();
    for (size_t i = 0; i < lineup_count(lineup); i++) {
        (void)json_array_append_new(*result, plugin_view(lineup_at(lineup, i)));
    }
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
    const struct capability *capability = lineup_find(lineup, name);
    if (capability == NULL) {
        return no_such_plugin(lineup, name, err);
    }
    *result = plugin_view(capability);
    (void)json_object_set_new(*result, "config", config_view(capability));
    (void)json_object_set_new(*result, "after", name_list(capability->plugin->after));
    (void)json_object_set_new(*result, "before", name_list(capability->plugin->before));
    return 0;
}

METHOD(method_doctor)
{
    (void)request;
    (void)params;
    (void)err;
    struct daemon *daemon = context;
    daemon_wait_ready(daemon);
    *result = doctor_examine(daemon);
    return 0;
}
