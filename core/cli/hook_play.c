/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hook_play.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/recording.h"

#define RECORDING_MAX ((size_t)64 * 1024 * 1024)

json_t *play_read_recording(const char *path, banger_error *err)
{
    AUTO_BUF struct buf text = BUF_INIT;
    if (file_read(path, RECORDING_MAX, &text, err) < 0) {
        return NULL;
    }
    AUTO_JSON json_t *recording = json_loadb(str_or(text.data, ""), text.length, 0, NULL);
    json_t *hooks = json_object_get(recording, "hooks");
    if (json_get_int(recording, "format", 0) == RECORDING_FORMAT && json_is_array(hooks)) {
        return json_incref(hooks);
    }
    (void)error_set(err, BANGER_EINVALID, "%s is no recording of this version", path);
    (void)error_hint(err, "'banger vm start --record FILE NAME' makes one");
    return NULL;
}

/* The entry of a hook of this capability (NULL: of any); NULL: there is none. */
static const json_t *find(const struct play *play, const char *hook, const char *capability)
{
    size_t i = 0;
    json_t *entry = NULL;
    json_array_foreach (play->recording, i, entry) {
        if (str_equal(json_get_string(entry, "hook", ""), hook) &&
            (capability == NULL ||
             str_equal(json_get_string(entry, "capability", ""), capability))) {
            return entry;
        }
    }
    return NULL;
}

void play_take_config(struct play *play, const json_t *given)
{
    const struct capability *capability = play->trial.capability;
    const json_t *config = NULL;
    for (int hook = 0; hook < HOOK_COUNT && config == NULL; hook++) {
        const json_t *entry = find(play, hook_name((enum hook)hook), capability->plugin->name);
        config = json_at((json_t *)entry, "input.config");
    }
    for (size_t i = 0; i < capability->plugin->config_count; i++) {
        const char *key = capability->plugin->config[i].name;
        json_t *value = json_object_get(config, key);
        if (value != NULL && json_object_get(given, key) == NULL) {
            (void)json_object_set(capability->config, key, value);
        }
    }
}

/* -- One hook ---------------------------------------------------------------------------------------- */

static const struct {
    enum hook hook;
    const char *operation;
} life[] = {
    {HOOK_CHECK, "start"},      {HOOK_PREPARE, "start"},  {HOOK_CONTRIBUTE, "start"},
    {HOOK_POST_START, "start"}, {HOOK_CONFIGURE, "set"},  {HOOK_RECONCILED, "reconcile"},
    {HOOK_CLEANUP, "stop"},     {HOOK_DELETED, "delete"},
};

/* What it sees where nothing was recorded of it: what other input there is, and what it has done itself. */
static json_t *borrow(const struct play *play, const json_t *entry, const char *operation)
{
    const json_t *base = entry != NULL ? json_object_get(entry, "input") : play->input;
    json_t *input = base != NULL ? json_deep_copy(base) : json_object();
    AUTO_FREE char *runtime = str_format("runtime.%s", play->trial.capability->plugin->name);
    if (entry == NULL) {
        json_put(input, "operation.name", json_string(operation));
        json_put(input, "change.labels", json_pack("{s:s}", "sample", "changed"));
    }
    json_put(input, runtime, json_deep_copy(play->stored));
    (void)json_object_set_new(input, "resources",
                              play->rows != NULL ? json_deep_copy(play->rows) : json_array());
    return input;
}

static void begin(struct play *play, const char *hook, const char *operation, const char **seen)
{
    const json_t *own = find(play, hook, play->trial.capability->plugin->name);
    const json_t *other = own == NULL ? find(play, hook, NULL) : NULL;
    AUTO_JSON json_t *input = own != NULL ? json_deep_copy(json_object_get(own, "input"))
                                          : borrow(play, other, operation);
    json_put(input, "trial.dry", json_true());
    *seen = own != NULL ? "recorded" : other != NULL ? "borrowed" : "given";
    trial_begin(&play->trial, input);
    fake_host_replay(play->trial.host, json_object_get(own, "calls"));
}

/* What the next hook finds again. */
static void keep(struct play *play)
{
    size_t i = 0;
    json_t *called = NULL;
    json_array_foreach (fake_host_calls(play->trial.host), i, called) {
        const json_t *args = json_object_get(called, "args");
        if (str_equal(json_get_string(called, "call", ""), "set_json")) {
            (void)json_object_set(play->stored, json_string_value(json_array_get(args, 0)),
                                  json_array_get(args, 1));
        }
    }
    json_decref(play->rows);
    play->rows = json_deep_copy(fake_host_resources(play->trial.host));
}

static void play_hook(struct play *play, enum hook hook, const char *operation)
{
    const char *seen = NULL;
    banger_error err = BANGER_ERROR_INIT;
    begin(play, hook_name(hook), operation, &seen);
    int result = trial_run(&play->trial, hook, &err);
    if (result == 0 && hook == HOOK_CONTRIBUTE) {
        result = trial_compose(&play->trial, &err);
    }
    json_t *played =
        json_pack("{s:s, s:s, s:i, s:o}", "hook", hook_name(hook), "seen", seen, "result", result,
                  "calls", json_deep_copy(fake_host_calls(play->trial.host)));
    if (result < 0) {
        play->failed = true;
        (void)json_object_set_new(played, "error",
                                  json_pack("{s:i, s:s, s:s}", "code", (int)err.code, "message",
                                            err.message, "hint", err.hint));
    }
    (void)json_array_append_new(play->hooks, played);
    keep(play);
}

void play_all(struct play *play)
{
    play->stored = json_object();
    play->hooks = json_array();
    for (size_t i = 0; i < COUNT_OF(life); i++) {
        if (trial_has(&play->trial, life[i].hook)) {
            play_hook(play, life[i].hook, life[i].operation);
        }
    }
}
