/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON-RPC 2.0 messages: text to checked parts and back. No I/O. */
#ifndef RPC_MESSAGE_H
#define RPC_MESSAGE_H

#include "base/error.h"
#include "base/str.h"

#include <jansson.h>

/* JSON-RPC 2.0, section 5.1 */
#define RPC_PARSE_ERROR (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS (-32602)

struct message_call {
    json_t *root;       /* owns what the others point at */
    json_t *id;         /* NULL: a notification, or no usable one in a broken message */
    const char *method; /* never NULL after a success */
    json_t *params;     /* an object, or NULL when absent */
};

/* Parses what a client sends. A failure also gives the JSON-RPC code; the call then holds the id
 * as far as there was one, and needs message_call_free as well. */
int message_parse_call(const char *text, size_t length, struct message_call *call, int *rpc_code,
                       banger_error *err);
void message_call_free(struct message_call *call);

/* Each returns one line with its newline. `id` is borrowed; `params` and `result` are stolen. */
struct buf message_request(json_t *id, const char *method, json_t *params);
struct buf message_notification(const char *method, json_t *params);
struct buf message_result(json_t *id, json_t *result);
/* `id` NULL: null, as section 5 has it when it could not be read. `rpc_code` 0: from the code. */
struct buf message_error(json_t *id, int rpc_code, const banger_error *failure);

/* Turns the "error" member of a response into `err`; returns -1. */
int message_take_error(const json_t *error, banger_error *err);

#endif
