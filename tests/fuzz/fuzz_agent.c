/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's parsers: an exec request, the guest configuration, a tar stream. The first byte says
 * which. The agent is no library: its sources are taken in here. */
#include "agent/conf.c"
#include "agent/exec_request.c"
#include "agent/tar_reader.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t left;
};

static ssize_t take_input(void *context, void *out, size_t length)
{
    struct input *input = context;
    length = length < input->left ? length : input->left;
    memcpy(out, input->data, length);
    input->data += length;
    input->left -= length;
    return (ssize_t)length;
}

static void fuzz_request(const uint8_t *data, size_t size)
{
    struct exec_request request;
    if (exec_request_parse(data, size, &request) < 0) {
        return;
    }
    size_t all = strlen(request.user) + strlen(request.cwd) + 2;
    for (char **one = request.argv; *one != NULL; one++) {
        all += strlen(*one) + 1;
    }
    for (char **one = request.envp; *one != NULL; one++) {
        all += strlen(*one) + 1;
    }
    if (all + FIXED != size) {
        abort();
    }
    exec_request_free(&request);
}

static void fuzz_conf(const uint8_t *data, size_t size)
{
    struct conf conf;
    char *text = strndup((const char *)data, size);
    conf_parse(text, &conf);
    for (size_t i = 0; conf.env[i] != NULL; i++) {
        (void)strlen(conf.env[i]);
    }
    free(text);
}

static void fuzz_tar(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct tar_reader reader = {.source = take_input, .context = &input};
    static struct tar_entry entry;
    char chunk[700];
    while (tar_next(&reader, &entry) == 1) {
        if (strlen(entry.path) >= PATH_MAX || strlen(entry.link) >= PATH_MAX || entry.size < 0) {
            abort();
        }
        (void)tar_data(&reader, chunk, sizeof(chunk));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parsers[])(const uint8_t *, size_t) = {fuzz_request, fuzz_conf, fuzz_tar};
    if (size != 0) {
        parsers[data[0] % 3](data + 1, size - 1);
    }
    return 0;
}
