/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `banger plugin check`:
 * 1. The file, as the daemon will look at it.
 * 2. What it says of itself: ABI, descriptor, configuration keys.
 * 3. Its hooks, in the order of a VM's life, on a VM that is made up. What is a defect on every VM (a
 *    crash, an end that never comes, a value of the wrong shape, a journal that is not emptied) fails; what
 *    may be this VM's or this machine's fault is a warning.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "capability/plugin_file.h"
#include "cli/checks.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/trial.h"

#include <stdio.h>
#include <string.h>

static bool is_defect(const banger_error *err)
{
    return err->code == BANGER_EINTERNAL || err->code == BANGER_ETIMEDOUT;
}

/* -- What it says of itself -------------------------------------------------------------------------- */

static void check_file(json_t *checks, const char *path)
{
    banger_error err = BANGER_ERROR_INIT;
    AUTO_FREE char *target = plugin_file_find(path, &err);
    if (target == NULL) {
        checks_add_error(checks, "warn", "file", &err);
    } else {
        checks_add(checks, "pass", "file", "the daemon would open it where it lies");
    }
}

static void check_abi(json_t *checks, const struct banger_plugin *given)
{
    bool newer = given->abi_minor > BANGER_ABI_MINOR;
    checks_add(checks, newer ? "warn" : "pass", "abi",
               "built for ABI %u.%u; this banger has %u.%u%s", given->abi_major, given->abi_minor,
               BANGER_ABI_MAJOR, BANGER_ABI_MINOR,
               newer ? ": what came later it will not find here" : "");
}

static void check_texts(json_t *checks, const struct banger_plugin *plugin, const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *file = str_format("%s.so", plugin->name);
    if (plugin->version[0] == '\0' || plugin->summary[0] == '\0' || plugin->license[0] == '\0') {
        checks_add(checks, "warn", "descriptor", "%s has no version, no summary or no license",
                   plugin->name);
    } else if (!str_equal(slash != NULL ? slash + 1 : path, file)) {
        checks_add(checks, "warn", "descriptor",
                   "it is called '%s': name the file %s, so that 'enabled = false' keeps it closed",
                   plugin->name, file);
    } else {
        checks_add(checks, "pass", "descriptor", "%s %s (%s): %s", plugin->name, plugin->version,
                   plugin->license, plugin->summary);
    }
}

static int check_configuration(json_t *checks, struct trial *trial, const json_t *policy)
{
    banger_error err = BANGER_ERROR_INIT;
    if (trial_configure(trial, policy, &err) < 0) {
        checks_add_error(checks, "fail", "configuration", &err);
        return -1;
    }
    size_t count = trial->plugin->plugin->config_count;
    checks_add(checks, "pass", "configuration", "%zu key%s", count, count == 1 ? "" : "s");
    return 0;
}

/* -- Its hooks --------------------------------------------------------------------------------------- */

/* Runs one and says how it went: 0, or -1. */
static int check_hook(json_t *checks, struct trial *trial, enum hook hook, const char *text)
{
    banger_error err = BANGER_ERROR_INIT;
    int result = trial_run(trial, hook, &err);
    if (result == 0 && hook == HOOK_CONTRIBUTE) {
        result = trial_compose(trial, &err);
        err.code = result < 0 ? BANGER_EINTERNAL : 0;
    }
    if (result < 0) {
        checks_add_error(checks, is_defect(&err) ? "fail" : "warn", hook_name(hook), &err);
    } else {
        checks_add(checks, "pass", hook_name(hook), "%s", text);
    }
    return result;
}

static void check_hook_it_has(json_t *checks, struct trial *trial, enum hook hook, const char *text)
{
    if (trial_has(trial, hook)) {
        (void)check_hook(checks, trial, hook, text);
    }
}

/* What a run leaves behind, its cleanup done. */
static void check_journal(json_t *checks, const struct trial *trial)
{
    const json_t *rows = fake_host_resources(trial->host);
    const json_t *row = json_array_get(rows, 0);
    if (row == NULL) {
        return;
    }
    if (!trial_has(trial, HOOK_CLEANUP)) {
        checks_add(checks, "fail", "journal", "it writes into the journal and has no cleanup");
        return;
    }
    checks_add(checks, "fail", "journal", "cleanup leaves %zu row%s; the first is %s %s",
               json_array_size(rows), json_array_size(rows) == 1 ? "" : "s",
               json_get_string(row, "kind", "?"), json_get_string(row, "key", "?"));
}

/* A plugin that carries others' capabilities has no hooks of its own. */
static void check_carrier(json_t *checks, struct trial *trial)
{
    banger_error err = BANGER_ERROR_INIT;
    trial_begin(trial, NULL);
    if (trial_call(trial, "expand", trial->plugin->plugin->expand, &err) < 0) {
        checks_add_error(checks, is_defect(&err) ? "fail" : "warn", "expand", &err);
        return;
    }
    size_t count = json_array_size(fake_host_provided(trial->host));
    checks_add(checks, "pass", "expand",
               "carries %zu here; 'banger hook check' and 'hook test' try scripts", count);
}

/* One of the times at which it is called: what fails is told at once, what works once for all of them. */
static bool try_cleanup(json_t *checks, struct trial *trial)
{
    banger_error err = BANGER_ERROR_INIT;
    if (!trial_has(trial, HOOK_CLEANUP) || trial_run(trial, HOOK_CLEANUP, &err) == 0) {
        return true;
    }
    checks_add_error(checks, is_defect(&err) ? "fail" : "warn", hook_name(HOOK_CLEANUP), &err);
    return false;
}

static void tell_cleanup(json_t *checks, const struct trial *trial, bool works, const char *when)
{
    if (works && trial_has(trial, HOOK_CLEANUP)) {
        checks_add(checks, "pass", hook_name(HOOK_CLEANUP), "works %s", when);
    }
}

static void check_end(json_t *checks, struct trial *trial, bool cleans)
{
    cleans = try_cleanup(checks, trial) && cleans;
    check_journal(checks, trial);
    cleans = try_cleanup(checks, trial) && cleans;
    tell_cleanup(checks, trial, cleans,
                 "where nothing was prepared, after a run, and a second time");
    check_hook_it_has(checks, trial, HOOK_DELETED, "works");
}

static void check_hooks(json_t *checks, struct trial *trial)
{
    static const struct {
        enum hook hook;
        const char *text;
    } life[] = {
        {HOOK_PREPARE, "works"},
        {HOOK_CONTRIBUTE, "works, and contributes what a machine may have"},
        {HOOK_POST_START, "works, in a guest whose programs say nothing"},
        {HOOK_CONFIGURE, "works"},
        {HOOK_RECONCILED, "works"},
    };
    if (trial->plugin->plugin->expand != NULL) {
        check_carrier(checks, trial);
        return;
    }
    trial_begin(trial, NULL);
    bool cleans = try_cleanup(checks, trial);
    trial_begin(trial, NULL);
    if (trial_has(trial, HOOK_CHECK) &&
        check_hook(checks, trial, HOOK_CHECK, "accepts this host") < 0) {
        tell_cleanup(checks, trial, cleans, "where nothing was prepared");
        checks_add(checks, "warn", "hooks",
                   "not run, since its check fails; --set KEY=VALUE configures it");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(life); i++) {
        check_hook_it_has(checks, trial, life[i].hook, life[i].text);
    }
    check_end(checks, trial, cleans);
}

static void check_provider(json_t *checks, struct trial *trial)
{
    const struct banger_plugin *plugin = trial->plugin->plugin;
    banger_hook check = plugin->vmm != NULL       ? plugin->vmm->check
                        : plugin->rootfs != NULL  ? plugin->rootfs->check
                        : plugin->network != NULL ? plugin->network->check
                                                  : NULL;
    banger_error err = BANGER_ERROR_INIT;
    if (check == NULL) {
        return;
    }
    trial_begin(trial, NULL);
    if (trial_call(trial, "check", check, &err) < 0) {
        checks_add_error(checks, is_defect(&err) ? "fail" : "warn", "provider", &err);
    } else {
        checks_add(checks, "pass", "provider",
                   "its check accepts this host; its other functions need a VM, and were not run");
    }
}

/* -- The command ------------------------------------------------------------------------------------- */

static void check_all(json_t *checks, const char *path, const json_t *policy)
{
    struct trial trial;
    banger_error err = BANGER_ERROR_INIT;
    check_file(checks, path);
    if (trial_open(&trial, path, &err) < 0) {
        checks_add_error(checks, "fail", "load", &err);
        return;
    }
    checks_add(checks, "pass", "load", "it exports '%s', and nothing that it needs is missing",
               BANGER_PLUGIN_SYMBOL);
    trial.runs = true; /* it could do so by itself */
    check_abi(checks, isolate_plugin(trial.isolate));
    check_texts(checks, trial.plugin->plugin, path);
    if (check_configuration(checks, &trial, policy) == 0) {
        check_hooks(checks, &trial);
        check_provider(checks, &trial);
    }
    trial_close(&trial);
}

int plugin_check(struct cli *cli, banger_error *err)
{
    const char *path = args_word(&cli->args, 0);
    if (access(path, R_OK) < 0) {
        return error_set(err, BANGER_ENOTFOUND, "cannot read %s", path);
    }
    AUTO_JSON json_t *policy = trial_policy(&cli->args);
    AUTO_JSON json_t *checks = json_array();
    check_all(checks, path, policy);
    if (cli->json) {
        AUTO_JSON json_t *report = json_pack("{s:O}", "checks", checks);
        output_json(report);
    } else {
        checks_print(checks);
    }
    return checks_have_failure(checks) ? EXIT_FAILED : EXIT_DONE;
}
