/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec_request.h"

#include "frame.h"

#include <stdlib.h>
#include <string.h>

#define FIXED 9 /* u8 flags, u16 rows, columns, argc, envc */

/* The next NUL-terminated string; NULL at the end. */
static char *take_string(char **at, const char *end)
{
    char *text = *at;
    if (text == end) {
        return NULL;
    }
    *at = text + strlen(text) + 1; /* the last byte is a NUL: checked before */
    return text;
}

static char **take_strings(char **at, const char *end, size_t count)
{
    char **list = calloc(count + 1, sizeof(*list));
    for (size_t i = 0; list != NULL && i < count; i++) {
        list[i] = take_string(at, end);
        if (list[i] == NULL) {
            free(list);
            return NULL;
        }
    }
    return list;
}

int exec_request_parse(const uint8_t *data, size_t length, struct exec_request *request)
{
    *request = (struct exec_request){0};
    if (length <= FIXED || data[length - 1] != '\0') {
        return -1;
    }
    size_t argc = frame_get16(data + 5);
    size_t envc = frame_get16(data + 7);
    request->text = malloc(length - FIXED);
    if (request->text == NULL || argc == 0) {
        exec_request_free(request);
        return -1;
    }
    memcpy(request->text, data + FIXED, length - FIXED);
    char *at = request->text;
    const char *end = at + (length - FIXED);
    request->flags = data[0];
    request->rows = frame_get16(data + 1);
    request->columns = frame_get16(data + 3);
    request->user = take_string(&at, end);
    request->cwd = take_string(&at, end);
    request->argv = take_strings(&at, end, argc);
    request->envp = take_strings(&at, end, envc);
    if (request->user == NULL || request->cwd == NULL || request->argv == NULL ||
        request->envp == NULL || at != end) {
        exec_request_free(request);
        return -1;
    }
    return 0;
}

void exec_request_free(struct exec_request *request)
{
    free(request->argv);
    free(request->envp);
    free(request->text);
    *request = (struct exec_request){0};
}
