/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client against servers that are not ours: each takes one line, says its piece and leaves. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/unix.h"
#include "rpc/client.h"
#include "rpc/protocol.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define LIMIT_MS 20000

struct script {
    char folder[64];
    char *path;
    int listener;
    const char *answer;
    size_t fill; /* bytes of 'x' before the answer */
    bool leaves; /* without reading anything */
    pthread_t thread;
    bool joined;
};

static void *play(void *context)
{
    struct script *script = context;
    struct pollfd polled = {.fd = script->listener, .events = POLLIN};
    if (poll(&polled, 1, LIMIT_MS) != 1) {
        return NULL;
    }
    AUTO_CLOSE int fd = accept4(script->listener, NULL, NULL, SOCK_CLOEXEC);
    char byte = 0;
    while (!script->leaves && byte != '\n' && recv(fd, &byte, 1, 0) == 1) {
    }
    char chunk[4096];
    memset(chunk, 'x', sizeof(chunk));
    for (size_t sent = 0; sent < script->fill; sent += sizeof(chunk)) {
        if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0) {
            return NULL;
        }
    }
    (void)send(fd, script->answer, strlen(script->answer), MSG_NOSIGNAL);
    return NULL;
}

static struct rpc_client *script_start(struct script *script)
{
    (void)snprintf(script->folder, sizeof(script->folder), "/tmp/banger-client-XXXXXX");
    assert_non_null(mkdtemp(script->folder));
    script->path = str_format("%s/s", script->folder);
    script->listener = unix_listen(script->path, 0600, NULL);
    assert_true(script->listener >= 0);
    assert_int_equal(pthread_create(&script->thread, NULL, play, script), 0);
    struct rpc_client *client = rpc_client_connect(script->path, NULL);
    assert_non_null(client);
    return client;
}

static void script_join(struct script *script)
{
    if (!script->joined) {
        pthread_join(script->thread, NULL);
        script->joined = true;
    }
}

static void script_end(struct script *script, struct rpc_client *client)
{
    rpc_client_close(client);
    script_join(script);
    close(script->listener);
    assert_int_equal(unlink(script->path), 0);
    assert_int_equal(rmdir(script->folder), 0);
    free(script->path);
}

#define RESPONSE(members) "{\"jsonrpc\":\"2.0\"," members "}\n"

static void bad_answers_are_errors(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        size_t fill;
        enum banger_code code;
        const char *text;
    } rows[] = {
        {"", 0, BANGER_EIO, "bangerd closed the connection"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"res", 0, BANGER_EIO, "bangerd closed the connection"},
        {"garbage\n", 0, BANGER_EIO, "not valid JSON"},
        {"", 2 * (size_t)RPC_REPLY_MAX, BANGER_EIO, "more than"},
        {RESPONSE("\"id\":1"), 0, BANGER_EIO, "lacks its result"},
        {RESPONSE("\"id\":1,\"result\":{\"fd\":true}"), 0, BANGER_EIO, "lacks its descriptor"},
        {RESPONSE("\"id\":1,\"error\":7"), 0, BANGER_EINTERNAL, "no reason"},
        {RESPONSE("\"id\":1,\"error\":{\"code\":-32601,\"message\":\"m\"}"), 0, BANGER_EINTERNAL,
         "m"},
        {RESPONSE("\"id\":1,\"error\":{\"data\":{\"code\":99},\"message\":\"m\"}"), 0,
         BANGER_EINTERNAL, "m"},
        {RESPONSE("\"id\":null,\"error\":{\"message\":\"go\",\"data\":{\"code\":8}}"), 0,
         BANGER_EPERMISSION, "go"},
        {RESPONSE("\"id\":7,\"result\":{}"), 0, BANGER_EIO, "bangerd closed the connection"},
        {RESPONSE("\"id\":\"1\",\"result\":{}"), 0, BANGER_EIO, "bangerd closed the connection"},
        {"[]\n", 0, BANGER_EIO, "bangerd closed the connection"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct script script = {.answer = rows[i].answer, .fill = rows[i].fill};
        struct rpc_client *client = script_start(&script);
        const struct rpc_call call = {.method = "x"};
        banger_error err = BANGER_ERROR_INIT;
        assert_null(rpc_client_call(client, &call, &err));
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.message, rows[i].text));
        /* The script is over: whatever went wrong, the next call fails cleanly. */
        err = BANGER_ERROR_INIT;
        const struct rpc_call next = {.method = "x", .params = json_object()};
        assert_null(rpc_client_call(client, &next, &err));
        assert_int_equal(err.code, BANGER_EIO);
        script_end(&script, client);
    }
}

static void a_refusal_before_the_request_is_read_is_told(void **state)
{
    (void)state;
    struct script script = {
        .answer = RESPONSE("\"id\":null,\"error\":{\"message\":\"full\",\"data\":{\"code\":4}}"),
        .leaves = true};
    struct rpc_client *client = script_start(&script);
    script_join(&script); /* it has left before we say a word */
    const struct rpc_call call = {.method = "x"};
    banger_error err = BANGER_ERROR_INIT;
    assert_null(rpc_client_call(client, &call, &err));
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_string_equal(err.message, "full");
    script_end(&script, client);
}

static void count_call(void *context, const char *method, const json_t *params)
{
    int *calls = context;
    assert_string_equal(method, "progress");
    assert_int_equal(json_integer_value(json_object_get(params, "id")), 1);
    (*calls)++;
}

static void only_this_calls_messages_are_taken(void **state)
{
    (void)state;
    struct script script = {.answer = RESPONSE("\"method\":\"progress\",\"params\":{\"id\":1}")
                                RESPONSE("\"method\":\"progress\",\"params\":{\"id\":2}")
                                    RESPONSE("\"method\":\"progress\"")
                                        RESPONSE("\"id\":9,\"result\":{}")
                                            RESPONSE("\"id\":1,\"result\":{\"good\":true}")};
    struct rpc_client *client = script_start(&script);
    int calls = 0;
    const struct rpc_call call = {.method = "x", .notify = count_call, .context = &calls};
    json_t *result = rpc_client_call(client, &call, NULL);
    assert_true(json_is_true(json_object_get(result, "good")));
    assert_int_equal(calls, 1);
    json_decref(result);
    script_end(&script, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_answers_are_errors),
        cmocka_unit_test(a_refusal_before_the_request_is_read_is_told),
        cmocka_unit_test(only_this_calls_messages_are_taken),
    };
    return cmocka_run_group_tests_name("rpc_client", tests, NULL, NULL);
}
