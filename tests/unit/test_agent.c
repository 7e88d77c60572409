/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest program's services, driven through the real channel. */
#include "agent_fixture.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static void expect(struct agent_fixture *fixture, const char *script, const char *input, int status,
                   const char *out, const char *err)
{
    struct channel_result result;
    shell(fixture, script, input, &result);
    assert_string_equal(text_of(&result.out), out);
    assert_string_equal(text_of(&result.err), err);
    assert_int_equal(result.status, status);
    channel_result_free(&result);
}

static void test_streams_and_status(void **state)
{
    expect(*state, "echo out; echo err >&2; exit 7", NULL, 7, "out\n", "err\n");
    expect(*state, "cat; echo end", "some input\n", 0, "some input\nend\n", "");
    expect(*state, "cat", NULL, 0, "", ""); /* /dev/null */
    expect(*state, "kill -9 $$", NULL, 128 + 9, "", "");
}

static void call(struct agent_fixture *fixture, const struct exec_request *request,
                 struct channel_result *result)
{
    struct buf open = BUF_INIT;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(exec_encode(request, &open, NULL), 0);
    if (channel_call(fixture->channel, SERVICE_EXEC, open.data, open.length, "", 0, CALL_LIMIT,
                     deadline_in(PATIENCE_MS), result, &err) < 0) {
        fail_msg("%s", err.message);
    }
    buf_free(&open);
}

static void test_programs_that_do_not_run(void **state)
{
    char missing[] = "no-such-program";
    char folder[] = "/proc/version";
    char *argv[] = {missing, NULL};
    struct channel_result result;
    call(*state, &(struct exec_request){.argv = argv}, &result);
    assert_int_equal(result.status, 127);
    assert_string_equal(text_of(&result.err), "no-such-program: not found");
    channel_result_free(&result);
    argv[0] = folder;
    call(*state, &(struct exec_request){.argv = argv}, &result);
    assert_int_equal(result.status, 126);
    channel_result_free(&result);
    call(*state, &(struct exec_request){.argv = argv, .cwd = "/nowhere"}, &result);
    assert_int_equal(result.status, 126);
    assert_non_null(strstr(text_of(&result.err), "/nowhere"));
    channel_result_free(&result);
    call(*state, &(struct exec_request){.argv = argv, .user = "nobody-of-that-name"}, &result);
    assert_int_equal(result.status, 126);
    assert_non_null(strstr(text_of(&result.err), "nobody-of-that-name"));
    channel_result_free(&result);
}

static void test_environment_and_folder(void **state)
{
    char sh[] = "sh";
    char c[] = "-c";
    char script[] = "echo \"$FOO|$PATH|$PWD\"";
    char foo[] = "FOO=a b";
    char *argv[] = {sh, c, script, NULL};
    char *env[] = {foo, NULL};
    struct channel_result result;
    call(*state, &(struct exec_request){.argv = argv, .env = env, .cwd = "/usr"}, &result);
    assert_string_equal(text_of(&result.out),
                        "a b|/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|/usr\n");
    channel_result_free(&result);
}

static void test_numeric_user(void **state)
{
    char id[] = "sh";
    char c[] = "-c";
    char script[] = "id -u; id -g; id -G";
    char *argv[] = {id, c, script, NULL};
    struct channel_result result;
    if (geteuid() != 0) {
        skip();
    }
    call(*state, &(struct exec_request){.argv = argv, .user = "12345:54321"}, &result);
    assert_string_equal(text_of(&result.out), "12345\n54321\n54321\n");
    channel_result_free(&result);
}

static void test_background_child_does_not_hold_exit(void **state)
{
    int64_t start = clock_mono_ms();
    expect(*state, "sleep 30 & echo started; exit 3", NULL, 3, "started\n", "");
    assert_true(clock_mono_ms() - start < 20000);
}

/* More than a window: credit has to come back. */
static void test_large_output_is_whole(void **state)
{
    struct channel_result result;
    shell(*state, "head -c 900000 /dev/zero; head -c 900000 /dev/zero >&2", NULL, &result);
    assert_int_equal(result.status, 0);
    assert_int_equal(result.out.length, 900000);
    assert_int_equal(result.err.length, 900000);
    channel_result_free(&result);
}

static int call_service(struct agent_fixture *fixture, int service, const void *request,
                        size_t length, struct channel_result *result)
{
    banger_error err = BANGER_ERROR_INIT;
    if (channel_call(fixture->channel, service, request, length, NULL, 0, CALL_LIMIT,
                     deadline_in(PATIENCE_MS), result, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return result->status;
}

static void test_stats(void **state)
{
    struct channel_result result;
    assert_int_equal(call_service(*state, SERVICE_STATS, NULL, 0, &result), 0);
    AUTO_JSON json_t *stats = json_parse("stats", result.out.data, result.out.length, NULL);
    assert_non_null(stats);
    assert_true(json_get_int(stats, "uptime_ms", -1) > 0);
    assert_int_equal(json_array_size(json_object_get(stats, "load")), 3);
    assert_true(json_get_int(stats, "memory.total", -1) > 0);
    assert_true(json_get_int(stats, "disk.total", -1) > 0);
    assert_true(json_get_int(stats, "processes", -1) > 0);
    channel_result_free(&result);
}

static void test_ports(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    struct channel_result result;
    assert_int_equal(call_service(*state, SERVICE_PORTS, NULL, 0, &result), 0);
    AUTO_JSON json_t *ports = json_parse("ports", result.out.data, result.out.length, NULL);
    size_t i;
    const json_t *port;
    bool found = false;
    json_array_foreach (ports, i, port) {
        if (json_get_int(port, "port", 0) == ntohs(address.sin_port)) {
            found = true;
            assert_string_equal(json_get_string(port, "proto", ""), "tcp");
            assert_string_equal(json_get_string(port, "address", ""), "127.0.0.1");
            assert_string_equal(json_get_string(port, "process", ""), "test_agent");
        }
    }
    assert_true(found);
    channel_result_free(&result);
}

static void test_malformed_requests(void **state)
{
    static const struct {
        int service;
        const char *request;
        size_t length;
    } bad[] = {
        {SERVICE_EXEC, "", 0},
        {SERVICE_EXEC, "\0\0\0\0\0\1\0\0\0", 9},           /* no strings */
        {SERVICE_EXEC, "\0\0\0\0\0\0\0\0\0\0\0", 11},      /* no program */
        {SERVICE_EXEC, "\0\0\0\0\0\2\0\0\0\0\0sh", 14},    /* one of two arguments */
        {SERVICE_EXEC, "\0\0\0\0\0\1\0\0\0\0\0sh\0x", 16}, /* more than said */
        {SERVICE_EXEC, "\0\0\0\0\0\xff\xff\xff\xff\0\0", 12},
        {SERVICE_TAR_OUT, "/etc", 4}, /* not terminated */
        {SERVICE_TAR_IN, "/a\0b", 5},
        {SERVICE_STATS, "x", 1},
        {SERVICE_CLOCK, "123", 3},
        {99, "", 0},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct channel_result result;
        assert_int_equal(
            call_service(*state, bad[i].service, bad[i].request, bad[i].length, &result), 1);
        assert_string_equal(text_of(&result.err), "the request is malformed");
        channel_result_free(&result);
    }
}

/* An agent that does not own its machine must not end it, or change its clock. */
static void test_refuses_power_and_clock(void **state)
{
    struct channel_result result;
    const uint8_t off = 1;
    const uint8_t clock[8] = {1};
    assert_int_equal(call_service(*state, SERVICE_SHUTDOWN, &off, 1, &result), 1);
    channel_result_free(&result);
    assert_int_equal(call_service(*state, SERVICE_CLOCK, clock, 8, &result), 1);
    channel_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_and_status),
        cmocka_unit_test(test_programs_that_do_not_run),
        cmocka_unit_test(test_environment_and_folder),
        cmocka_unit_test(test_numeric_user),
        cmocka_unit_test(test_background_child_does_not_hold_exit),
        cmocka_unit_test(test_large_output_is_whole),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_malformed_requests),
        cmocka_unit_test(test_refuses_power_and_clock),
    };
    return cmocka_run_group_tests_name("agent", tests, agent_setup, agent_teardown);
}
