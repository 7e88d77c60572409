/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/guest_run.h"

#include "agent/frame.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "guest/session.h"
#include "lifecycle/live.h"

#include <string.h>

#define OUTPUT_MAX ((size_t)1024 * 1024) /* a stream, as banger/host.h promises */
#define ARGUMENTS_MAX 256

/* A list of JSON strings as a vector that borrows them; the caller frees the vector only. */
static char **string_vector(const char *what, const json_t *list, banger_error *err)
{
    size_t count = json_array_size(list);
    if (count > ARGUMENTS_MAX) {
        (void)error_set(err, BANGER_EINVALID, "%s has more than %d entries", what, ARGUMENTS_MAX);
        return NULL;
    }
    char **vector = xcalloc(count + 1, sizeof(*vector));
    for (size_t i = 0; i < count; i++) {
        vector[i] = (char *)json_string_value(json_array_get(list, i));
        if (vector[i] == NULL) {
            (void)error_set(err, BANGER_EINVALID, "%s must be a list of strings", what);
            free(vector);
            return NULL;
        }
    }
    return vector;
}

/* {"A": "b"} as a list of "A=b", each a valid assignment; a new reference. */
static json_t *assignments(const json_t *object, banger_error *err)
{
    AUTO_JSON json_t *list = json_array();
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)object, key, value) {
        AUTO_FREE char *text = str_format("%s=%s", key, str_or(json_string_value(value), ""));
        if (name_check_env(text, err) < 0) {
            return NULL;
        }
        (void)json_array_append_new(list, json_string(text));
    }
    return STEAL(list);
}

static int encode(const json_t *request, struct buf *out, banger_error *err)
{
    AUTO_JSON json_t *pairs = assignments(json_object_get(request, "env"), err);
    if (pairs == NULL) {
        return -1;
    }
    AUTO_FREE char **argv = string_vector("argv", json_object_get(request, "argv"), err);
    AUTO_FREE char **env = string_vector("env", pairs, err);
    if (argv == NULL || env == NULL) {
        return -1;
    }
    struct exec_request exec = {
        .argv = argv,
        .env = env,
        .user = json_get_string(request, "user", NULL),
        .cwd = json_get_string(request, "cwd", NULL),
        .with_stdin = json_object_get(request, "stdin") != NULL,
    };
    return exec_encode(&exec, out, err);
}

static json_t *result_json(const struct channel_result *result)
{
    return json_pack("{s:i, s:o, s:o}", "status", result->status, "stdout",
                     json_lossy_output(&result->out), "stderr", json_lossy_output(&result->err));
}

int guest_run(struct engine *engine, const char *vm_id, const json_t *request, int64_t timeout_ms,
              json_t **result, banger_error *err)
{
    AUTO_LIVE_VM struct live_vm *vm = live_hold(engine, vm_id);
    if (vm == NULL) {
        return error_set(err, BANGER_EBUSY, "the guest's agent cannot be reached: it does not run");
    }
    AUTO_BUF struct buf open = BUF_INIT;
    if (encode(request, &open, err) < 0) {
        return -1;
    }
    const char *input = json_get_string(request, "stdin", "");
    int64_t asked = json_get_int(request, "timeout_ms", timeout_ms);
    deadline until = deadline_in(asked < timeout_ms ? asked : timeout_ms);
    struct channel_result done = {0};
    if (channel_call(live_channel(vm), SERVICE_EXEC, open.data, open.length, input, strlen(input),
                     OUTPUT_MAX, until, &done, err) < 0) {
        return -1;
    }
    *result = result_json(&done);
    channel_result_free(&done);
    return 0;
}
