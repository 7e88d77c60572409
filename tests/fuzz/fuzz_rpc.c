/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: bytes of a peer through the framing and the message parser, in two parts cut where the
 * first byte says, and whatever comes out through the formatter and the parser once more.
 */
#include "base/cleanup.h"
#include "rpc/lines.h"
#include "rpc/message.h"
#include "rpc/protocol.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Exactly one line, whatever was quoted in it. */
static void check_line(const struct buf *line)
{
    check(line->length > 0 &&
          memchr(line->data, '\n', line->length) == line->data + line->length - 1);
}

static void answer_error(const struct message_call *call, int rpc_code, const banger_error *err)
{
    check(err->code != 0 && rpc_code <= RPC_INVALID_REQUEST && rpc_code >= RPC_PARSE_ERROR);
    AUTO_BUF struct buf line = message_error(call->id, rpc_code, err);
    check_line(&line);
    AUTO_JSON json_t *answer = json_loadb(line.data, line.length, 0, NULL);
    check(answer != NULL);
    banger_error received = BANGER_ERROR_INIT;
    check(message_take_error(json_object_get(answer, "error"), &received) < 0);
    check(received.code == err->code);
}

/* What was understood must be understood again when said in our own words. */
static void repeat(const struct message_call *call)
{
    json_t *params = call->params != NULL ? call->params : json_object();
    AUTO_BUF struct buf line = message_request(call->id, call->method,
                                               call->params != NULL ? json_incref(params) : params);
    check_line(&line);
    struct message_call again;
    int rpc_code = 0;
    banger_error err = BANGER_ERROR_INIT;
    if (message_parse_call(line.data, line.length - 1, &again, &rpc_code, &err) == 0) {
        check(strcmp(again.method, call->method) == 0);
        check((again.id == NULL) == (call->id == NULL));
    } else {
        check(line.length > RPC_MESSAGE_MAX);
    }
    message_call_free(&again);
}

static void take_lines(struct lines *lines)
{
    size_t length = 0;
    const char *text = NULL;
    while ((text = lines_next(lines, &length)) != NULL) {
        struct message_call call;
        int rpc_code = 0;
        banger_error err = BANGER_ERROR_INIT;
        if (message_parse_call(text, length, &call, &rpc_code, &err) == 0) {
            repeat(&call);
        } else {
            answer_error(&call, rpc_code, &err);
        }
        /* The same line as a server's error, as the client takes it. */
        banger_error received = BANGER_ERROR_INIT;
        check(message_take_error(call.root, &received) < 0);
        message_call_free(&call);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t first = data[0] < size - 1 ? data[0] : size - 1;
    struct lines lines = {.taken = 0};
    lines_add(&lines, data + 1, first);
    take_lines(&lines);
    size_t pending = lines_pending(&lines);
    lines_add(&lines, data + 1 + first, size - 1 - first);
    lines_add(&lines, "\n", 1);
    take_lines(&lines);
    check(pending <= first && lines_pending(&lines) == 0);
    lines_free(&lines);
    return 0;
}
