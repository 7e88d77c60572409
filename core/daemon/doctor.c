/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/doctor.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "base/str.h"
#include "capability/dispatch.h"
#include "host/cgroup.h"
#include "lifecycle/choose.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#define FREE_SPACE_LOW (INT64_C(1) << 30) /* an image and a VM's disk fit into about half of it */

static void add(json_t *checks, const char *name, const char *status, const char *text,
                const char *hint)
{
    json_t *row = json_pack("{s:s, s:s, s:s}", "name", name, "status", status, "text", text);
    if (hint != NULL && hint[0] != '\0') {
        (void)json_object_set_new(row, "hint", json_string(hint));
    }
    (void)json_array_append_new(checks, row);
}

static void check_architecture(json_t *checks)
{
    struct utsname name;
    if (uname(&name) == 0) {
        bool good = strcmp(name.machine, "x86_64") == 0;
        add(checks, "architecture", good ? "pass" : "fail", name.machine,
            good ? NULL : "banger runs guests on x86_64 only");
    }
}

static void check_space(struct daemon *daemon, json_t *checks)
{
    struct statvfs info;
    if (statvfs(daemon->layout.state_dir, &info) < 0) {
        add(checks, "state folder", "fail", strerror(errno), daemon->layout.state_dir);
        return;
    }
    int64_t space = (int64_t)info.f_bavail * (int64_t)info.f_frsize;
    char size[16];
    size_format(space, size);
    AUTO_FREE char *text = str_format("%s free in %s", size, daemon->layout.state_dir);
    bool low = space < FREE_SPACE_LOW;
    add(checks, "disk space", low ? "warn" : "pass", text,
        low ? "banger vm prune and banger image delete make room" : NULL);
}

static void check_cgroup(json_t *checks)
{
    bool there = cgroup_available();
    add(checks, "cgroup v2", there ? "pass" : "warn",
        there ? "limits of VMs are enforced" : "not writable here: limits of VMs are not enforced",
        there ? NULL : "run as root on a host with the unified cgroup hierarchy");
}

static void keep_said(void *context, const char *capability, const char *text)
{
    (void)capability;
    struct doctor_said *said = context;
    (void)snprintf(said->text, sizeof(said->text), "%s", text);
}

/* What on_error = "warn" lets pass in a start is a warning here, too. */
static void keep_warning(void *context, const char *text)
{
    struct doctor_said *said = context;
    (void)snprintf(said->warning, sizeof(said->warning), "%s", text);
}

struct scope *doctor_scope(struct daemon *daemon, struct doctor_said *said)
{
    AUTO_JSON json_t *input = json_pack("{s:o}", "host", layout_describe(&daemon->layout));
    json_put(input, "host.instance", json_string(daemon->host->instance));
    AUTO_JSON json_t *runtime = json_object();
    static const struct scope_services services = {.progress = keep_said, .warn = keep_warning};
    struct scope_init init = {
        .registry = daemon->registry,
        .host = daemon->host,
        .input = input,
        .runtime = runtime,
        .services = &services,
        .context = said,
    };
    return scope_new(&init);
}

static void check_provider(struct scope *scope, const struct doctor_said *said,
                           struct capability *capability, enum provider_kind kind,
                           const char *chosen, json_t *checks)
{
    const char *name = capability->plugin->name;
    AUTO_FREE char *label = str_format("%s: %s", provider_kind_name(kind), name);
    banger_error err = BANGER_ERROR_INIT;
    if (dispatch_provider(scope, capability, "check", provider_check(capability, kind), 0, &err) <
        0) {
        add(checks, label, "warn", err.message, err.hint);
        return;
    }
    bool is_chosen = str_equal(chosen, name);
    AUTO_FREE char *text = str_format("%s%s", said->text[0] != '\0' ? said->text : "works here",
                                      is_chosen ? " (chosen by auto)" : "");
    add(checks, label, "pass", text, NULL);
}

/* Chooses as a start with "auto" would; where that fails, says of which kind there is none. */
static void choose_providers(struct scope *scope, struct registry *registry,
                             struct capability *chosen[PROVIDER_KIND_COUNT], json_t *checks)
{
    static const char *const wanted[PROVIDER_KIND_COUNT] = {"auto", "auto", "auto"};
    if (provider_choose_all(scope, registry, wanted, chosen, NULL) == 0) {
        return;
    }
    for (int kind = 0; kind < PROVIDER_KIND_COUNT; kind++) {
        banger_error err = BANGER_ERROR_INIT;
        chosen[kind] = NULL;
        if (provider_choose(scope, registry, (enum provider_kind)kind, "auto", chosen[PROVIDER_VMM],
                            &chosen[kind], &err) < 0) {
            add(checks, provider_kind_name((enum provider_kind)kind), "fail", err.message,
                err.hint);
        }
    }
}

/* What would be chosen, and then about every provider. */
static void check_providers(struct daemon *daemon, json_t *checks, json_t *providers)
{
    struct doctor_said said = {0};
    struct scope *scope = doctor_scope(daemon, &said);
    struct capability *chosen[PROVIDER_KIND_COUNT] = {NULL};
    choose_providers(scope, daemon->registry, chosen, checks);
    for (int kind = 0; kind < PROVIDER_KIND_COUNT; kind++) {
        const char *name = chosen[kind] != NULL ? chosen[kind]->plugin->name : NULL;
        (void)json_object_set_new(providers, provider_kind_name((enum provider_kind)kind),
                                  name != NULL ? json_string(name) : json_null());
        for (size_t i = 0; i < registry_count(daemon->registry); i++) {
            struct capability *capability = registry_at(daemon->registry, i);
            if (provider_offers(capability, (enum provider_kind)kind)) {
                said.text[0] = '\0';
                check_provider(scope, &said, capability, (enum provider_kind)kind, name, checks);
            }
        }
    }
    scope_unref(scope);
}

static void check_capability(struct scope *scope, struct doctor_said *said,
                             struct capability *capability, json_t *checks)
{
    const char *name = capability->plugin->name;
    if (capability->broken == NULL && atomic_load(&capability->standing->disabled)) {
        AUTO_FREE char *hint = str_format("banger plugin enable %s, when it is mended", name);
        add(checks, name, "warn", "disabled: a hook of it has failed too often in a row", hint);
        return;
    }
    if (hook_of(capability->plugin, HOOK_CHECK) == NULL && capability->broken == NULL) {
        return;
    }
    *said = (struct doctor_said){0};
    banger_error err = BANGER_ERROR_INIT;
    if (dispatch_hook_of(scope, capability, HOOK_CHECK, &err) < 0) {
        add(checks, name, "fail", err.message, err.hint);
    } else if (said->warning[0] != '\0') {
        add(checks, name, "warn", said->warning,
            capability->broken != NULL ? capability->broken->hint : NULL);
    } else {
        add(checks, name, "pass", said->text[0] != '\0' ? said->text : capability->plugin->summary,
            NULL);
    }
}

/* A plugin that could not say what it carries: what it said before still counts. */
static void check_carrier(struct daemon *daemon, const struct capability *capability,
                          json_t *checks)
{
    banger_error failure = BANGER_ERROR_INIT;
    if (registry_carrier_failure(daemon->registry, capability, &failure)) {
        add(checks, capability->plugin->name, "fail", failure.message, failure.hint);
    }
}

static void check_capabilities(struct daemon *daemon, json_t *checks)
{
    struct doctor_said said = {0};
    struct scope *scope = doctor_scope(daemon, &said);
    const struct lineup *lineup = scope_lineup(scope);
    for (size_t i = 0; i < lineup_count(lineup); i++) {
        check_carrier(daemon, lineup_at(lineup, i), checks);
        check_capability(scope, &said, lineup_at(lineup, i), checks);
    }
    scope_unref(scope);
}

/* Tables of the configuration that are nobody's: of a script that was removed, or misspelt. */
static void check_policies(struct daemon *daemon, json_t *checks)
{
    AUTO_JSON json_t *strays = registry_stray_policies(daemon->registry);
    size_t i = 0;
    json_t *stray = NULL;
    json_array_foreach (strays, i, stray) {
        const char *nearest = json_get_string(stray, "nearest", NULL);
        AUTO_FREE char *label = str_format("plugins.%s", json_get_string(stray, "name", "?"));
        AUTO_FREE char *hint = nearest != NULL
                                   ? str_format("did you mean 'plugins.%s'?", nearest)
                                   : xstrdup("take its table out of config.lua, if it was removed");
        add(checks, label, "warn", "no plugin or script of that name is loaded", hint);
    }
}

json_t *doctor_examine(struct daemon *daemon)
{
    json_t *checks = json_array();
    json_t *providers = json_object();
    check_architecture(checks);
    check_space(daemon, checks);
    check_cgroup(checks);
    registry_refresh(daemon->registry);
    check_providers(daemon, checks, providers);
    check_capabilities(daemon, checks);
    check_policies(daemon, checks);
    return json_pack("{s:o, s:o}", "checks", checks, "providers", providers);
}
