/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What peers may send that no client of ours would, and how slowly they may read. */
#include "unit/rpc_fixture.h"

/* -- Hostile peers ---------------------------------------------------------------------------- */

static void broken_messages_are_answered(void **state)
{
    static const struct {
        const char *line;
        int code;
    } rows[] = {
        {"", -32700},
        {"{", -32700},
        {"nonsense", -32700},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"nothing\"}", -32700},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\\u0000\"}", -32700},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\"} x", -32700},
        {"[]", -32600},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\"}]", -32600},
        {"7", -32600},
        {"null", -32600},
        {"{}", -32600},
        {"{\"id\":1,\"method\":\"nothing\"}", -32600},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"nothing\"}", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"nothing\"}", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"nothing\"}", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"\",\"method\":\"nothing\"}", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"nothing\"}", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\",\"params\":[]}", -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\",\"params\":null}", -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\",\"params\":\"x\"}", -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no.such.method\"}", -32601},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"cancel\"}", -32601},
    };
    struct fixture *f = *state;
    AUTO_CLOSE int fd = raw_connect(f);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *line = str_format("%s\n", rows[i].line);
        raw_send(fd, line);
        AUTO_JSON json_t *answer = raw_receive(fd);
        assert_int_equal(json_get_int(answer, "error.code", 0), rows[i].code);
        assert_true(json_get_string(answer, "error.message", "")[0] != '\0');
        assert_non_null(json_object_get(answer, "id"));
        assert_non_null(json_at(answer, "error.data.code"));
    }
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"unknown.notification\"}\n"
                 "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\"}\n"
                 "  {\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"nothing\"}\r\n");
    AUTO_JSON json_t *answer = raw_receive(fd);
    assert_int_equal(json_get_int(answer, "id", 0), 9);
    assert_non_null(json_object_get(answer, "result"));
}

static void deep_nesting_is_refused(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int fd = raw_connect(f);
    AUTO_BUF struct buf line = BUF_INIT;
    buf_puts(&line,
             "{\"jsonrpc\":\"2.0\",\"id\":\"\\\"[[\",\"method\":\"echo\",\"params\":{\"x\":");
    for (int i = 0; i < 1000; i++) {
        buf_puts(&line, "[");
    }
    buf_puts(&line, "\n");
    raw_send(fd, line.data);
    AUTO_JSON json_t *answer = raw_receive(fd);
    assert_int_equal(json_get_int(answer, "error.code", 0), -32600);
    /* Brackets in strings are no nesting. */
    line.length = 0;
    buf_puts(&line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"x\":\"\\\"");
    for (int i = 0; i < 1000; i++) {
        buf_puts(&line, "[");
    }
    buf_puts(&line, "\"}}\n");
    raw_send(fd, line.data);
    AUTO_JSON json_t *result = raw_receive(fd);
    assert_int_equal(strlen(json_get_string(result, "result.x", "")), 1001);
}

static void a_huge_line_ends_only_its_connection(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int fd = raw_connect(f);
    AUTO_FREE char *fill = xmalloc(65536);
    memset(fill, 'x', 65536);
    size_t sent = 0;
    while (sent < 8 * (size_t)RPC_MESSAGE_MAX && send(fd, fill, 65536, MSG_NOSIGNAL) > 0) {
        sent += 65536;
    }
    assert_true(sent < 2 * (size_t)RPC_MESSAGE_MAX);
    AUTO_JSON json_t *answer = raw_receive(fd);
    assert_int_equal(json_get_int(answer, "error.code", 0), -32600);
    assert_null(raw_receive(fd));
    assert_serves(f);
}

static void many_messages_in_one_write_are_all_answered(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int fd = raw_connect(f);
    AUTO_BUF struct buf text = BUF_INIT;
    for (int i = 0; i < 60; i++) {
        buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"nothing\"}\n", i);
    }
    raw_send(fd, text.data);
    int64_t sum = 0;
    for (int i = 0; i < 60; i++) {
        AUTO_JSON json_t *answer = raw_receive(fd);
        assert_non_null(json_object_get(answer, "result"));
        sum += json_get_int(answer, "id", -1);
    }
    assert_int_equal(sum, 59 * 60 / 2);
}

static void requests_of_a_connection_are_limited(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int fd = raw_connect(f);
    for (int i = 0; i < RPC_REQUESTS_MAX; i++) {
        AUTO_FREE char *line =
            str_format("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"hold\"}\n", i);
        raw_send(fd, line);
        await(&f->entered);
        json_decref(raw_receive(fd)); /* holding */
    }
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":\"more\",\"method\":\"nothing\"}\n");
    AUTO_JSON json_t *busy = raw_receive(fd);
    assert_int_equal(json_get_int(busy, "error.data.code", 0), BANGER_EBUSY);
    assert_serves(f);
}

static void an_id_in_use_is_refused(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int fd = raw_connect(f);
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"hold\"}\n");
    json_decref(raw_receive(fd));
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"nothing\"}\n");
    AUTO_JSON json_t *answer = raw_receive(fd);
    assert_int_equal(json_get_int(answer, "error.code", 0), -32600);
}

static void a_slow_reader_is_cut_and_stops_nobody(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int slow = raw_connect(f);
    raw_send(slow, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"lease\"}\n"
                   "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"count\","
                   "\"params\":{\"count\":100000,\"size\":100000}}\n");
    for (int i = 0; i < 20; i++) {
        assert_serves(f);
    }
    await(&f->ended); /* 10 GB would not fit: the connection has been closed */
    assert_serves(f);
}

/* A reader that is merely late gets everything that fits the backlog. */
static void a_late_reader_gets_all(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int fd = raw_connect(f);
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\","
                 "\"params\":{\"count\":30,\"size\":100000}}\n");
    assert_serves(f);
    int ticks = 0;
    for (;;) {
        AUTO_BUF struct buf line = BUF_INIT;
        char chunk[4096];
        bool end = false;
        while (!end) {
            ssize_t got = recv(fd, chunk, sizeof(chunk), MSG_PEEK);
            assert_true(got > 0);
            const char *newline = memchr(chunk, '\n', (size_t)got);
            size_t take = newline != NULL ? (size_t)(newline - chunk) + 1 : (size_t)got;
            assert_int_equal(recv(fd, chunk, take, 0), take);
            buf_append(&line, chunk, take);
            end = newline != NULL;
        }
        AUTO_JSON json_t *message = json_parse("line", line.data, line.length, NULL);
        if (json_object_get(message, "result") != NULL) {
            break;
        }
        assert_int_equal(json_get_int(message, "params.n", -1), ticks++);
    }
    assert_int_equal(ticks, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(broken_messages_are_answered),
        TEST(deep_nesting_is_refused),
        TEST(a_huge_line_ends_only_its_connection),
        TEST(many_messages_in_one_write_are_all_answered),
        TEST(requests_of_a_connection_are_limited),
        TEST(an_id_in_use_is_refused),
        TEST(a_slow_reader_is_cut_and_stops_nobody),
        TEST(a_late_reader_gets_all),
    };
    return cmocka_run_group_tests_name("rpc_peers", tests, NULL, NULL);
}
