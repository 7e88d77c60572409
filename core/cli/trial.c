/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trial.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/layout.h"
#include "base/process.h"
#include "base/str.h"
#include "capability/carried.h"
#include "capability/policy.h"
#include "cli/signals.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define HOOK_TIMEOUT_MS 10000 /* as hook_timeout is unless it is configured */

/* -- Opening --------------------------------------------------------------------------------------- */

static struct isolate *open_file(const char *path, banger_error *err)
{
    struct layout layout;
    AUTO_FREE char *whole = realpath(path, NULL);
    if (whole == NULL) {
        (void)error_sys(err, errno, "cannot find %s", path);
        return NULL;
    }
    if (layout_load(&layout, err) < 0) {
        return NULL;
    }
    AUTO_FREE char *program = layout_plugin_program(&layout);
    layout_free(&layout);
    const struct isolate_limits limits = {.program = program};
    return isolate_open(whole, &limits, err);
}

static int make_folders(struct trial *trial, banger_error *err)
{
    char pattern[] = "/tmp/banger-trial.XXXXXX";
    if (mkdtemp(pattern) == NULL) {
        return error_sys(err, errno, "cannot make a folder in /tmp");
    }
    trial->dir = xstrdup(pattern);
    AUTO_FREE char *vm = str_format("%s/vm", pattern);
    AUTO_FREE char *run = str_format("%s/run", pattern);
    return dir_make(vm, 0700, err) < 0 || dir_make(run, 0700, err) < 0 ? -1 : 0;
}

int trial_configure(struct trial *trial, const json_t *policy, banger_error *err)
{
    return policy_apply(trial->plugin, policy, HOOK_TIMEOUT_MS, err);
}

int trial_open(struct trial *trial, const char *path, banger_error *err)
{
    *trial = (struct trial){0};
    trial->isolate = open_file(path, err);
    if (trial->isolate == NULL) {
        return -1;
    }
    trial->plugin = capability_new(path);
    trial->capability = trial->plugin;
    if (capability_adopt(trial->plugin, isolate_plugin(trial->isolate), err) < 0 ||
        make_folders(trial, err) < 0) {
        trial_close(trial);
        return -1;
    }
    return 0;
}

void trial_close(struct trial *trial)
{
    if (trial->host != NULL) {
        fake_host_free(trial->host);
    }
    machine_free(trial->machine);
    if (trial->capability != trial->plugin) {
        capability_unref(trial->capability);
    }
    capability_unref(trial->plugin);
    isolate_close(trial->isolate);
    if (trial->dir != NULL) {
        (void)dir_remove(trial->dir, NULL);
    }
    free(trial->dir);
    *trial = (struct trial){0};
}

/* -- The host -------------------------------------------------------------------------------------- */

/* What a getter answers of a VM that nobody has. */
static json_t *sample(const struct trial *trial)
{
    AUTO_FREE char *vm_dir = str_format("%s/vm", trial->dir);
    AUTO_FREE char *run_dir = str_format("%s/run", trial->dir);
    return json_pack(
        "{s:{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:{}, s:[], s:[], s:[], "
        "s:b},"
        " s:{s:s, s:s, s:s, s:s, s:i}, s:{s:s, s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s}, s:{}}",
        "vm", "id", "0123456789abcdef0123456789abcdef", "short_id", "01234567", "name", "sample",
        "state", "created", "dir", vm_dir, "run_dir", run_dir, "vcpu", 2, "memory_mib", 512,
        "disk_mib", 2048, "vmm", "qemu", "rootfs", "copy", "network", "user", "labels", "publish",
        "boot_args", "env", "ephemeral", 0, /* */
        "image", "id", "00000000000000000000000000000001", "name", "tiny", "path", "/dev/null",
        "digest", "sha256:0", "size_bytes", 1 << 26, /* */
        "kernel", "id", "00000000000000000000000000000002", "name", "sample", "path", "/dev/null",
        "version", "6.1.0", "initramfs", "/dev/null", /* */
        "host", "state_dir", trial->dir, "run_dir", run_dir, "instance", "0123456789ab", "runtime");
}

/* What every program says, in the guest or on the host, that nobody has recorded. */
static json_t *say_nothing(const json_t *request)
{
    (void)request;
    return json_pack("{s:i, s:s, s:s}", "status", 0, "stdout", "", "stderr", "");
}

#define OUTPUT_MAX ((size_t)1024 * 1024)
#define RUN_MS 10000

/* host->run, as the daemon does it. */
static json_t *really_run(const json_t *words)
{
    size_t count = json_array_size(words);
    AUTO_FREE char **argv = xcalloc(count + 1, sizeof(*argv));
    for (size_t i = 0; i < count; i++) {
        argv[i] = (char *)json_string_value(json_array_get(words, i)); /* execve(2) changes none */
    }
    struct process_result output = {0};
    json_t *answer = NULL;
    if (process_run(argv, OUTPUT_MAX, deadline_in(RUN_MS), &output, NULL) == 0) {
        answer =
            json_pack("{s:i, s:o, s:o}", "status", output.status, "stdout",
                      json_lossy_output(&output.out), "stderr", json_lossy_output(&output.err));
    }
    process_result_free(&output);
    return answer;
}

static void use_host(struct trial *trial, const json_t *input)
{
    AUTO_FREE char *text = json_text(input);
    if (trial->host != NULL) {
        fake_host_free(trial->host);
    }
    trial->host = fake_host_new(text);
    fake_host_set_runner(trial->host, trial->runs ? really_run : say_nothing);
    fake_host_set_guest(trial->host, say_nothing);
}

void trial_begin(struct trial *trial, const json_t *input)
{
    AUTO_JSON json_t *whole = sample(trial);
    const struct capability *capability = trial->capability;
    (void)json_object_update(whole, (json_t *)input);
    (void)json_object_set(whole, "config", capability->config);
    (void)json_object_set(whole, "self", capability->self);
    machine_free(trial->machine);
    trial->machine = machine_new();
    use_host(trial, whole);
}

/* -- Hooks ----------------------------------------------------------------------------------------- */

int trial_call(struct trial *trial, const char *what, banger_hook function, banger_error *err)
{
    if (signals_caught() != 0) {
        return error_set(err, BANGER_ECANCELLED, "interrupted");
    }
    fake_host_clear_error(trial->host);
    fake_host_enter(trial->host, what);
    fake_host_set_deadline(trial->host, trial->capability->timeout_ms);
    int result =
        isolate_call(trial->isolate, function, fake_host_table(), fake_host_handle(trial->host));
    if (result == 0) {
        return 0;
    }
    if (result > 0) {
        return error_set(err, BANGER_EINTERNAL,
                         "it returned %d; a hook returns 0, or less when it failed", result);
    }
    if (fake_host_code(trial->host) == 0) {
        return error_set(err, BANGER_EINTERNAL, "it failed without saying why");
    }
    (void)error_set(err, (enum banger_code)fake_host_code(trial->host), "%s",
                    fake_host_error(trial->host));
    const char *hint = fake_host_hint(trial->host);
    return hint[0] != '\0' ? error_hint(err, "%s", hint) : -1;
}

bool trial_has(const struct trial *trial, enum hook hook)
{
    return hook_in_table(trial->capability->plugin->hooks, hook) != NULL;
}

int trial_run(struct trial *trial, enum hook hook, banger_error *err)
{
    banger_hook function = hook_in_table(trial->capability->plugin->hooks, hook);
    return function == NULL ? 0 : trial_call(trial, hook_name(hook), function, err);
}

int trial_compose(struct trial *trial, banger_error *err)
{
    size_t i = 0;
    json_t *called = NULL;
    json_array_foreach (fake_host_calls(trial->host), i, called) {
        const json_t *args = json_object_get(called, "args");
        if (str_equal(json_get_string(called, "call", ""), "contribute") &&
            machine_add(trial->machine, trial->capability->plugin->name,
                        json_string_value(json_array_get(args, 0)), json_array_get(args, 1),
                        err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* -- What is carried ------------------------------------------------------------------------------- */

int trial_carry(struct trial *trial, json_t *input, const char *origin, const json_t *policy,
                banger_error *err)
{
    banger_hook expand = trial->plugin->plugin->expand;
    if (expand == NULL) {
        return error_set(err, BANGER_EUNSUPPORTED, "'%s' carries nothing",
                         trial->plugin->plugin->name);
    }
    (void)json_object_set(input, "config", trial->plugin->config);
    use_host(trial, input);
    if (trial_call(trial, "expand", expand, err) < 0) {
        return -1;
    }
    size_t i = 0;
    json_t *said = NULL;
    json_array_foreach (fake_host_provided(trial->host), i, said) {
        if (!str_equal(json_get_string(said, "origin", ""), origin)) {
            continue;
        }
        trial->capability = carried_new(trial->plugin, said);
        if (trial->capability->broken != NULL) {
            *err = *trial->capability->broken;
            return -1;
        }
        return policy_apply(trial->capability, policy, HOOK_TIMEOUT_MS, err);
    }
    return error_set(err, BANGER_ENOTFOUND, "'%s' does not take %s", trial->plugin->plugin->name,
                     origin);
}

/* -- --set ----------------------------------------------------------------------------------------- */

json_t *trial_policy(const struct args *args)
{
    json_t *policy = args_object(args, "set");
    const char *key = NULL;
    json_t *text = NULL;
    void *next = NULL;
    json_object_foreach_safe(policy, next, key, text)
    {
        json_t *value = json_loads(json_string_value(text), JSON_DECODE_ANY, NULL);
        if (value != NULL) {
            (void)json_object_set_new(policy, key, value);
        }
    }
    return policy;
}
