/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "message.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "protocol.h"

#include <string.h>

#define NESTING_MAX 64 /* deeper values are walked recursively, on the small stacks of workers */
#define ID_MAX 64      /* bytes of a string id */

/* -- Parsing ---------------------------------------------------------------------------------- */

/* Counts brackets outside strings. Of text that is not JSON it may say anything. */
static bool nests_too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '"') {
            in_string = !in_string;
        } else if (in_string) {
            i += c == '\\';
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        }
        if (depth > NESTING_MAX) {
            return true;
        }
    }
    return false;
}

static int check_id(const json_t *id, banger_error *err)
{
    if (json_is_integer(id) ||
        (json_is_string(id) && json_string_length(id) > 0 && json_string_length(id) <= ID_MAX)) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID,
                     "the request's id must be a whole number or a string of 1 to %d bytes",
                     ID_MAX);
}

static int parse_root(const char *text, size_t length, json_t **root, int *rpc_code,
                      banger_error *err)
{
    *rpc_code = RPC_INVALID_REQUEST;
    if (length > RPC_MESSAGE_MAX) {
        return error_set(err, BANGER_EINVALID, "a message has at most %d bytes", RPC_MESSAGE_MAX);
    }
    if (nests_too_deep(text, length)) {
        return error_set(err, BANGER_EINVALID, "a message is nested at most %d deep", NESTING_MAX);
    }
    *root = json_parse("the message", text, length, err);
    if (*root == NULL) {
        *rpc_code = RPC_PARSE_ERROR;
        return -1;
    }
    if (json_is_array(*root)) {
        (void)error_set(err, BANGER_EUNSUPPORTED, "batch requests are not supported");
        return error_hint(err, "send each request on a line of its own");
    }
    if (!json_is_object(*root)) {
        return error_set(err, BANGER_EINVALID, "a message must be a JSON object");
    }
    return 0;
}

int message_parse_call(const char *text, size_t length, struct message_call *call, int *rpc_code,
                       banger_error *err)
{
    *call = (struct message_call){0};
    if (parse_root(text, length, &call->root, rpc_code, err) < 0) {
        return -1;
    }
    json_t *id = json_object_get(call->root, "id");
    if (id != NULL && check_id(id, err) < 0) {
        return -1;
    }
    call->id = id;
    if (!str_equal(json_get_string(call->root, "jsonrpc", NULL), "2.0")) {
        return error_set(err, BANGER_EINVALID, "a message must say \"jsonrpc\":\"2.0\"");
    }
    call->method = json_get_string(call->root, "method", "");
    if (call->method[0] == '\0') {
        return error_set(err, BANGER_EINVALID, "a request must have a method, a string");
    }
    call->params = json_object_get(call->root, "params");
    if (call->params != NULL && !json_is_object(call->params)) {
        *rpc_code = RPC_INVALID_PARAMS;
        return error_set(err, BANGER_EINVALID, "the params of a request must be an object");
    }
    *rpc_code = 0;
    return 0;
}

void message_call_free(struct message_call *call)
{
    json_decref(call->root);
    *call = (struct message_call){0};
}

/* -- Formatting ------------------------------------------------------------------------------- */

/* Steals `message`. Compact JSON holds no newline: in strings it is escaped. */
static struct buf line_of(json_t *message)
{
    struct buf line = BUF_INIT;
    AUTO_FREE char *text = json_text(message);
    json_decref(message);
    buf_puts(&line, text);
    buf_append(&line, "\n", 1);
    return line;
}

static json_t *envelope(json_t *id)
{
    json_t *message = json_object();
    (void)json_object_set_new(message, "jsonrpc", json_string("2.0"));
    if (id != NULL) {
        (void)json_object_set(message, "id", id);
    }
    return message;
}

/* Error texts quote what guests and file names hold: neither always UTF-8 nor fit for a terminal.
 */
static json_t *text_value(const char *text)
{
    AUTO_FREE char *clean = str_printable(text, strlen(text));
    return json_string(clean);
}

struct buf message_request(json_t *id, const char *method, json_t *params)
{
    json_t *message = envelope(id);
    (void)json_object_set_new(message, "method", json_string(method));
    (void)json_object_set_new(message, "params", params != NULL ? params : json_object());
    return line_of(message);
}

struct buf message_notification(const char *method, json_t *params)
{
    return message_request(NULL, method, params);
}

struct buf message_result(json_t *id, json_t *result)
{
    json_t *message = envelope(id);
    (void)json_object_set_new(message, "result", result != NULL ? result : json_object());
    return line_of(message);
}

struct buf message_error(json_t *id, int rpc_code, const banger_error *failure)
{
    bool coded = failure->code != 0;
    enum banger_code code = coded ? failure->code : BANGER_EINTERNAL;
    json_t *data = json_object();
    (void)json_object_set_new(data, "code", json_integer(code));
    (void)json_object_set_new(data, "name", json_string(error_code_name(code)));
    if (failure->hint[0] != '\0') {
        (void)json_object_set_new(data, "hint", text_value(failure->hint));
    }
    json_t *error = json_object();
    (void)json_object_set_new(error, "code",
                              json_integer(rpc_code != 0 ? rpc_code : RPC_ERROR_BASE - (int)code));
    (void)json_object_set_new(error, "message",
                              text_value(coded ? failure->message : "it failed without a reason"));
    (void)json_object_set_new(error, "data", data);

    json_t *message = envelope(id);
    if (id == NULL) {
        (void)json_object_set_new(message, "id", json_null());
    }
    (void)json_object_set_new(message, "error", error);
    return line_of(message);
}

int message_take_error(const json_t *error, banger_error *err)
{
    int64_t code = json_get_int(error, "data.code", 0);
    if (code < BANGER_EINVALID || code > BANGER_EINTERNAL) {
        code = BANGER_EINTERNAL;
    }
    const char *message = json_get_string(error, "message", "the server gave no reason");
    AUTO_FREE char *text = str_printable(message, strlen(message));
    (void)error_set(err, (enum banger_code)code, "%s", text);
    const char *hint = json_get_string(error, "data.hint", "");
    AUTO_FREE char *hint_text = str_printable(hint, strlen(hint));
    return error_hint(err, "%s", hint_text);
}
