/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "channel.h"
#include "transfer.h"

/* Moves what has come into the result. */
static int collect(struct transfer *transfer, size_t limit, struct channel_result *result,
                   banger_error *err)
{
    buf_append(&result->out, transfer->out.data, transfer->out.length);
    transfer_consume(transfer);
    return result->out.length <= limit && transfer->err.length <= limit
               ? 0
               : error_set(err, BANGER_EGUEST, "the guest sent more than %zu bytes", limit);
}

static int run(struct transfer *transfer, const char *input, size_t length, size_t limit,
               struct channel_result *result, banger_error *err)
{
    size_t sent = 0;
    bool ended = false;
    while (!transfer->exited) {
        sent += transfer_offer(transfer, input + sent, length - sent);
        if (sent == length && !ended) {
            transfer_send_eof(transfer);
            ended = true;
        }
        if (transfer_pump(transfer, err) < 0 || collect(transfer, limit, result, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int channel_call(struct channel *channel, int service, const void *request, size_t length,
                 const void *input, size_t input_length, size_t limit, deadline until,
                 struct channel_result *result, banger_error *err)
{
    int fd = channel_open_stream(channel, service, request, length, err);
    if (fd < 0) {
        return -1;
    }
    struct transfer transfer;
    struct channel_result collected = {.out = BUF_INIT, .err = BUF_INIT};
    transfer_init(&transfer, fd, until);
    transfer.err_limit = limit + 1; /* one more byte tells that there was more */
    int failed = run(&transfer, input, input_length, limit, &collected, err);
    if (failed == 0) {
        collected.status = transfer.status;
        collected.err = transfer.err;
        transfer.err = BUF_INIT;
        *result = collected;
    } else {
        channel_result_free(&collected);
    }
    transfer_free(&transfer);
    return failed;
}

void channel_result_free(struct channel_result *result)
{
    buf_free(&result->out);
    buf_free(&result->err);
}
