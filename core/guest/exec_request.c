/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/frame.h"
#include "session.h"

#include <string.h>

static void put16(struct buf *out, unsigned value)
{
    uint8_t bytes[2];
    frame_put16(bytes, (uint16_t)value);
    buf_append(out, bytes, sizeof(bytes));
}

static unsigned count(char *const *list)
{
    unsigned all = 0;
    while (list != NULL && list[all] != NULL) {
        all++;
    }
    return all;
}

static void put_string(struct buf *out, const char *text)
{
    buf_append(out, text, strlen(text) + 1);
}

static void put_strings(struct buf *out, char *const *list)
{
    for (; list != NULL && *list != NULL; list++) {
        put_string(out, *list);
    }
}

static int check_lists(const struct exec_request *request, banger_error *err)
{
    if (count(request->argv) == 0 || request->argv[0][0] == '\0') {
        return error_set(err, BANGER_EINVALID, "no program to run in the guest");
    }
    if (count(request->argv) > UINT16_MAX || count(request->env) > UINT16_MAX) {
        return error_set(err, BANGER_EINVALID,
                         "too many arguments or variables: at most %d of each are allowed",
                         UINT16_MAX);
    }
    return 0;
}

int exec_encode(const struct exec_request *request, struct buf *out, banger_error *err)
{
    const size_t limit = FRAME_PAYLOAD_MAX - 1; /* the service byte is in front */
    AUTO_BUF struct buf all = BUF_INIT;
    if (check_lists(request, err) < 0) {
        return -1;
    }
    uint8_t flags = (uint8_t)((request->tty ? FRAME_EXEC_TTY : 0) |
                              (request->with_stdin ? FRAME_EXEC_STDIN : 0));
    buf_append(&all, &flags, 1);
    put16(&all, request->rows);
    put16(&all, request->columns);
    put16(&all, count(request->argv));
    put16(&all, count(request->env));
    put_string(&all, str_or(request->user, ""));
    put_string(&all, str_or(request->cwd, ""));
    put_strings(&all, request->argv);
    put_strings(&all, request->env);
    if (all.length > limit) {
        return error_set(err, BANGER_EINVALID,
                         "the command line and environment take %zu bytes: at most %zu are allowed",
                         all.length, limit);
    }
    buf_append(out, all.data, all.length);
    return 0;
}
