/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs on the host and in the guest. Argument vectors only: no shell is ever involved. */
#include "call.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "base/process.h"
#include "base/str.h"

#include <string.h>

#define OUTPUT_MAX ((size_t)1024 * 1024) /* bytes a stream */
#define NS_PER_MS 1000000

/* ["/usr/bin/x", ...]; a new reference or NULL with the failure recorded. */
static json_t *parse_argv(struct banger_call *call, const char *text)
{
    AUTO_JSON json_t *argv = call_parse(call, "the argument vector", text);
    if (argv == NULL) {
        return NULL;
    }
    bool good = json_is_array(argv) && json_array_size(argv) > 0;
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (argv, index, item) {
        good = good && json_is_string(item);
    }
    if (!good) {
        (void)call_refuse(call, BANGER_EINVALID,
                          "the argument vector must be a list of strings, the program first");
        return NULL;
    }
    banger_error problem = BANGER_ERROR_INIT;
    if (name_check_path("program", json_string_value(json_array_get(argv, 0)), &problem) < 0) {
        (void)call_error(call, &problem);
        return NULL;
    }
    return STEAL(argv);
}

/* -- spawn ---------------------------------------------------------------------------------------
 */

static int check_environment(const json_t *env, banger_error *err)
{
    if (!json_is_object(env)) {
        return error_set(err, BANGER_EINVALID, "spawn: env must be an object of strings");
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)env, key, value) {
        AUTO_FREE char *assignment = str_format("%s=%s", key, str_or(json_string_value(value), ""));
        /* One that has a '=' in its key would be another. */
        if (!json_is_string(value) || strchr(key, '=') != NULL) {
            return error_set(err, BANGER_EINVALID, "spawn: env's '%.64s' is no NAME with a string",
                             key);
        }
        if (name_check_env(assignment, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_options(const json_t *options, banger_error *err)
{
    static const char *const known[] = {"role", "log", "cwd", "env", NULL};
    static const char *const paths[] = {"log", "cwd"};
    if (!json_is_object(options)) {
        return error_set(err, BANGER_EINVALID, "spawn: the options must be an object");
    }
    if (json_only_keys("spawn's options", options, known, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const json_t *path = json_object_get(options, paths[i]);
        if (path != NULL &&
            name_check_path(paths[i], str_or(json_string_value(path), ""), err) < 0) {
            return error_prefix(err, "spawn: ");
        }
    }
    const json_t *env = json_object_get(options, "env");
    return env != NULL ? check_environment(env, err) : 0;
}

int call_spawn(struct banger_call *call, const char *argv_json, const char *options_json)
{
    struct scope *scope = call->scope;
    if (call_need_effects(call, "spawn") < 0) {
        return -1;
    }
    if (scope->services.spawn == NULL) {
        return call_refuse(call, BANGER_EUNSUPPORTED, "spawn is not offered in %s", call->what);
    }
    AUTO_JSON json_t *argv = parse_argv(call, argv_json);
    AUTO_JSON json_t *options =
        argv != NULL ? call_parse(call, "spawn's options", str_or(options_json, "{}")) : NULL;
    if (options == NULL) {
        return -1;
    }
    banger_error problem = BANGER_ERROR_INIT;
    if (check_options(options, &problem) < 0) {
        return call_error(call, &problem);
    }
    if (!call_enter(call)) {
        return -1;
    }
    int result = scope->services.spawn(scope->context, call->capability->plugin->name, argv,
                                       options, &problem);
    call_leave(call);
    return result == 0 ? 0 : call_error(call, &problem);
}

/* -- run -----------------------------------------------------------------------------------------
 */

/* Bounded by the call's own deadline, it needs no call_enter: nothing of the operation is used. */
int call_run(struct banger_call *call, const char *argv_json, const char **result)
{
    AUTO_JSON json_t *list = parse_argv(call, argv_json);
    if (list == NULL || !call_lock(call)) {
        return -1;
    }
    call_unlock(call);
    size_t count = json_array_size(list);
    AUTO_FREE char **argv = xcalloc(count + 1, sizeof(*argv));
    for (size_t i = 0; i < count; i++) {
        argv[i] = (char *)json_string_value(json_array_get(list, i)); /* execve(2) changes none */
    }
    struct process_result output = {0};
    banger_error problem = BANGER_ERROR_INIT;
    int outcome = process_run(argv, OUTPUT_MAX, call->deadline_ns / NS_PER_MS, &output, &problem);
    if (outcome == 0) {
        AUTO_JSON json_t *json =
            json_pack("{s:i, s:o, s:o}", "status", output.status, "stdout",
                      json_lossy_output(&output.out), "stderr", json_lossy_output(&output.err));
        *result = call_keep_json(call, json);
    }
    process_result_free(&output);
    if (outcome < 0) {
        return call_error(call, &problem);
    }
    return *result != NULL ? 0 : -1;
}

/* -- guest_exec ----------------------------------------------------------------------------------
 */

int call_guest_exec(struct banger_call *call, const char *request_json, const char **result)
{
    struct scope *scope = call->scope;
    if (call_need_effects(call, "guest_exec") < 0) {
        return -1;
    }
    if (scope->services.guest_exec == NULL) {
        return call_refuse(call, BANGER_EUNSUPPORTED, "guest_exec is not offered in %s",
                           call->what);
    }
    AUTO_JSON json_t *request = call_parse(call, "guest_exec's request", request_json);
    if (request == NULL) {
        return -1;
    }
    if (json_array_size(json_object_get(request, "argv")) == 0) {
        return call_refuse(call, BANGER_EINVALID, "guest_exec: the request has no 'argv'");
    }
    int64_t left = call_host.remaining_ms(call);
    int64_t asked = json_get_int(request, "timeout_ms", left);
    if (!call_enter(call)) {
        return -1;
    }
    AUTO_JSON json_t *answer = NULL;
    banger_error problem = BANGER_ERROR_INIT;
    int status = scope->services.guest_exec(scope->context, request, asked < left ? asked : left,
                                            &answer, &problem);
    call_leave(call);
    if (status < 0) {
        return call_error(call, &problem);
    }
    *result = call_keep_json(call, answer);
    return *result != NULL ? 0 : -1;
}

/* -- guest_copy ----------------------------------------------------------------------------------
 */

static int check_copy(const json_t *request, banger_error *err)
{
    static const char *const known[] = {"source", "content", "path", "mode", NULL};
    const json_t *content = json_object_get(request, "content");
    const char *path = json_get_string(request, "path", "");
    int64_t mode = json_get_int(request, "mode", 0644);
    if (!json_is_object(request)) {
        return error_set(err, BANGER_EINVALID, "guest_copy: the request must be an object");
    }
    if (content != NULL &&
        (!json_is_string(content) || json_object_get(request, "source") != NULL)) {
        return error_set(err, BANGER_EINVALID,
                         "guest_copy: give either a 'source' or, as a text, its 'content'");
    }
    if (json_only_keys("guest_copy's request", request, known, err) < 0 ||
        (content == NULL &&
         name_check_path("source", json_get_string(request, "source", ""), err) < 0) ||
        name_check_path("guest path", path, err) < 0) {
        return -1;
    }
    if (path[1] == '\0' || mode < 1 || mode > 0777) {
        return error_set(err, BANGER_EINVALID,
                         "guest_copy: the path must not be '/', and the mode from 1 to 0777");
    }
    return 0;
}

int call_guest_copy(struct banger_call *call, const char *request_json)
{
    struct scope *scope = call->scope;
    if (call_need_effects(call, "guest_copy") < 0) {
        return -1;
    }
    if (scope->services.guest_copy == NULL) {
        return call_refuse(call, BANGER_EUNSUPPORTED, "guest_copy is not offered in %s",
                           call->what);
    }
    AUTO_JSON json_t *request = call_parse(call, "guest_copy's request", request_json);
    banger_error problem = BANGER_ERROR_INIT;
    if (request == NULL) {
        return -1;
    }
    if (check_copy(request, &problem) < 0) {
        return call_error(call, &problem);
    }
    int64_t left = call_host.remaining_ms(call);
    if (!call_enter(call)) {
        return -1;
    }
    int status = scope->services.guest_copy(scope->context, request, left, &problem);
    call_leave(call);
    return status == 0 ? 0 : call_error(call, &problem);
}
