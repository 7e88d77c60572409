/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `banger hook test`: where the input comes from, and how the outcome is shown. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/connect.h"
#include "cli/handlers.h"
#include "cli/hook_play.h"
#include "cli/output.h"
#include "cli/script.h"

#include <stdio.h>
#include <string.h>

/* -- A VM of the user's --------------------------------------------------------------------------- */

static json_t *ask(struct cli *cli, const char *method, const char *key, const char *id,
                   banger_error *err)
{
    return cli_call(cli, method, json_pack("{s:s}", key, id), err);
}

/* What getters would answer of it: its spec, what it is called, and where it lies. */
static json_t *describe_vm(const json_t *vm)
{
    static const char *const own[] = {"id", "short_id", "name", "state", "dir", NULL};
    json_t *described = json_deep_copy(json_object_get(vm, "spec"));
    for (size_t i = 0; own[i] != NULL; i++) {
        (void)json_object_set(described, own[i], json_object_get(vm, own[i]));
    }
    (void)json_object_update(described, json_object_get(vm, "providers"));
    return described;
}

static json_t *input_of_vm(struct cli *cli, const char *name, banger_error *err)
{
    AUTO_JSON json_t *vm = ask(cli, "vm.show", "vm", name, err);
    if (vm == NULL) {
        return NULL;
    }
    AUTO_JSON json_t *image =
        ask(cli, "image.show", "image", json_string_value(json_at(vm, "image.name")), err);
    AUTO_JSON json_t *kernel =
        image == NULL
            ? NULL
            : ask(cli, "kernel.show", "kernel", json_string_value(json_at(vm, "kernel.name")), err);
    return kernel == NULL ? NULL
                          : json_pack("{s:o, s:O, s:O}", "vm", describe_vm(vm), "image", image,
                                      "kernel", kernel);
}

/* -- What the site allows --------------------------------------------------------------------------- */

/* --set lua.KEY=VALUE is the Lua host's: moved out of `policy`. */
static json_t *take_host_keys(json_t *policy)
{
    json_t *taken = json_object();
    const char *key = NULL;
    json_t *value = NULL;
    void *next = NULL;
    json_object_foreach_safe(policy, next, key, value)
    {
        if (str_starts(key, "lua.")) {
            (void)json_object_set(taken, key + strlen("lua."), value);
            (void)json_object_del(policy, key);
        }
    }
    return taken;
}

/* What the running daemon's configuration says; nothing where none runs: as in a new installation. */
static int ask_what_is_allowed(struct cli *cli, json_t *host_policy, banger_error *err)
{
    if (cli->client == NULL) {
        banger_error failure = BANGER_ERROR_INIT;
        cli->client = connect_running(&failure);
    }
    if (cli->client == NULL) {
        return 0;
    }
    AUTO_JSON json_t *plugin = ask(cli, "plugin.show", "plugin", "lua", err);
    if (plugin == NULL) {
        return -1;
    }
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach (json_object_get(plugin, "config"), i, row) {
        const char *name = json_get_string(row, "name", "");
        json_t *value = json_object_get(row, "value");
        if (!json_is_null(value) && json_object_get(host_policy, name) == NULL) {
            (void)json_object_set(host_policy, name, value);
        }
    }
    return 0;
}

/* -- Showing ---------------------------------------------------------------------------------------- */

/* A value as a person reads it: a text as it is, else JSON, whose order is Lua's and so none: sorted. New. */
static char *shown(const json_t *value)
{
    AUTO_FREE char *text = json_is_string(value)
                               ? xstrdup(json_string_value(value))
                               : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    return output_line(str_or(text, ""));
}

static void print_log(const json_t *args)
{
    static const char *const levels[] = {"", "error", "warn", "info", "debug"};
    json_int_t level = json_integer_value(json_array_get(args, 0));
    AUTO_FREE char *text = shown(json_array_get(args, 1));
    (void)printf("  log %s: %s\n", level >= 1 && level <= 4 ? levels[level] : "?", text);
}

static void print_call(const json_t *called)
{
    const char *name = json_get_string(called, "call", "?");
    const json_t *args = json_object_get(called, "args");
    const json_t *result = json_object_get(called, "result");
    if (str_equal(name, "log")) {
        print_log(args);
        return;
    }
    size_t i = 0;
    json_t *arg = NULL;
    (void)printf("  %s", name);
    json_array_foreach (args, i, arg) {
        AUTO_FREE char *text = shown(arg);
        (void)printf(" %s", text);
    }
    if (json_is_object(result)) { /* not the numbers of rows: they mean nothing here */
        AUTO_FREE char *text = shown(result);
        bool recorded = json_is_true(json_object_get(called, "recorded"));
        (void)printf("\n    -> %s%s", text, recorded ? " (recorded)" : " (assumed)");
    }
    (void)printf("\n");
}

static void print_hook(const json_t *played)
{
    bool good = json_get_int(played, "result", -1) == 0;
    AUTO_FREE char *why =
        output_line(json_get_string(json_object_get(played, "error"), "message", ""));
    AUTO_FREE char *hint =
        output_line(json_get_string(json_object_get(played, "error"), "hint", ""));
    (void)printf("%s%-6s%s  %s%s\n", output_style(STDOUT_FILENO, good ? STYLE_GREEN : STYLE_RED),
                 good ? "ok" : "failed", output_style(STDOUT_FILENO, STYLE_PLAIN),
                 json_get_string(played, "hook", "?"),
                 str_equal(json_get_string(played, "seen", ""), "borrowed")
                     ? " (it was not recorded: as another hook of that name saw it)"
                     : "");
    size_t i = 0;
    json_t *called = NULL;
    json_array_foreach (json_object_get(played, "calls"), i, called) {
        print_call(called);
    }
    if (!good) {
        (void)printf("  %s\n", why);
    }
    if (hint[0] != '\0') {
        (void)printf("  hint: %s\n", hint);
    }
}

static void print_play(const struct play *play, bool json)
{
    const char *name = play->trial.capability->plugin->name;
    if (json) {
        AUTO_JSON json_t *report = json_pack("{s:s, s:s, s:O}", "name", name, "file",
                                             play->trial.capability->origin, "hooks", play->hooks);
        output_json(report);
        return;
    }
    size_t i = 0;
    json_t *played = NULL;
    json_array_foreach (play->hooks, i, played) {
        print_hook(played);
    }
    if (i == 0) {
        output_note("it has no hooks");
    }
}

/* -- The command ------------------------------------------------------------------------------------- */

/* What is missing in the recording may be what the script needs. */
static void warn_of_gaps(const struct cli *cli, const json_t *recording)
{
    size_t i = 0;
    json_t *entry = NULL;
    json_array_foreach (recording, i, entry) {
        if (json_is_true(json_object_get(entry, "cut"))) {
            AUTO_FREE char *text = str_format(
                "the recording leaves out answers that %s got in %s: they were too long",
                json_get_string(entry, "capability", "?"), json_get_string(entry, "hook", "?"));
            output_warning(text, cli->json);
        }
    }
}

static int take_input(struct cli *cli, struct play *play, banger_error *err)
{
    const char *recording = args_text(&cli->args, "recording");
    const char *vm = args_text(&cli->args, "vm");
    if (recording != NULL && vm != NULL) {
        return error_set(err, BANGER_EINVALID,
                         "--recording and --vm exclude each other: a recording has its VM");
    }
    if (recording != NULL) {
        play->recording = play_read_recording(recording, err);
        warn_of_gaps(cli, play->recording);
        return play->recording != NULL ? 0 : -1;
    }
    if (vm != NULL) {
        play->input = input_of_vm(cli, vm, err);
        return play->input != NULL ? 0 : -1;
    }
    return 0;
}

static int test(struct cli *cli, struct play *play, banger_error *err)
{
    AUTO_JSON json_t *policy = trial_policy(&cli->args);
    AUTO_JSON json_t *host_policy = take_host_keys(policy);
    if (take_input(cli, play, err) < 0 || ask_what_is_allowed(cli, host_policy, err) < 0 ||
        script_open(&play->trial, args_word(&cli->args, 0), policy, host_policy, err) < 0) {
        return -1;
    }
    play_take_config(play, policy);
    play_all(play);
    print_play(play, cli->json);
    trial_close(&play->trial);
    return play->failed ? EXIT_FAILED : EXIT_DONE;
}

int hook_test(struct cli *cli, banger_error *err)
{
    struct play play = {0};
    int status = test(cli, &play, err);
    json_decref(play.recording);
    json_decref(play.input);
    json_decref(play.stored);
    json_decref(play.rows);
    json_decref(play.hooks);
    return status;
}
