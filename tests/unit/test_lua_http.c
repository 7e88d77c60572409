/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* banger.http, against a server on loopback. */
#include "http_peer.h"
#include "lua_fixture.h"

static struct http_peer peer;

static int http_setup(void **state)
{
    char text[64];

    if (lua_setup(state) != 0) {
        return -1;
    }
    http_peer_start(&peer, NULL);
    http_peer_answer(&peer,
                     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Mark: a\r\nX-Mark: b\r\n\r\nok");
    (void)snprintf(text, sizeof(text), "http://127.0.0.1:%d", peer.port);
    fake_host_set(fake, "config.url", json_string(text));
    return 0;
}

static int http_teardown(void **state)
{
    http_peer_stop(&peer);
    return lua_teardown(state);
}

static void seen(const char *text)
{
    if (strstr(http_peer_last(&peer), text) == NULL) {
        fail_msg("expected '%s' in '%s'", text, http_peer_last(&peer));
    }
}

static void a_request_and_its_answer(void **state)
{
    (void)state;
    run_well("local a = banger.http.request{ url = banger.config.url .. '/x?y=z' }\n"
             "assert(a.status == 200 and a.body == 'ok' and a.headers['x-mark'] == 'a, b')");
    seen("GET /x?y=z HTTP/1.1\r\n");
    seen("User-Agent: banger/");
    run_well(
        "banger.http.request{ url = banger.config.url, method = 'POST', json = { a = { 1, 2 } },\n"
        "  headers = { Authorization = 'Bearer x', ['X-Empty'] = '' } }");
    seen("POST / HTTP/1.1\r\n");
    seen("Content-Type: application/json\r\n");
    seen("Authorization: Bearer x\r\n");
    seen("\r\n\r\n{\"a\":[1,2]}");
    run_well("banger.http.request{ url = banger.config.url, method = 'PUT', body = 'a\\0b' }");
    seen("PUT / HTTP/1.1\r\n");
    seen("Content-Length: 3\r\n");
    run_well("banger.http.request{ url = banger.config.url, method = 'DELETE' }");
    seen("DELETE / HTTP/1.1\r\n");
    http_peer_answer(&peer, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    run_well(
        "assert(banger.http.request{ url = banger.config.url, method = 'HEAD' }.status == 404)");
    use("return { check = function()\n"
        "  assert(banger.http.request{ url = banger.config.url }.status == 404) end }");
    call_well("check"); /* to ask is allowed */
}

static void by_a_unix_socket(void **state)
{
    struct http_peer other;

    (void)state;
    http_peer_start(&other, temp_dir_at(&home, "s"));
    http_peer_answer(&other, "HTTP/1.1 204 No Content\r\n\r\n");
    fake_host_set(fake, "config.socket", json_string(temp_dir_at(&home, "s")));
    run_well(
        "local a = banger.http.request{ url = 'http://inside/x', socket = banger.config.socket }\n"
        "assert(a.status == 204 and a.body == '')");
    assert_non_null(strstr(http_peer_last(&other), "GET /x HTTP/1.1\r\nHost: inside\r\n"));
    http_peer_stop(&other);
}

static void what_is_refused(void **state)
{
    char answer[256];

    (void)state;
    run_badly("banger.http.request{ url = 'file:///etc/passwd' }",
              "Protocol \"file\" not supported");
    run_badly("banger.http.request{ url = 'ftp://127.0.0.1/' }", "Protocol \"ftp\" not supported");
    run_badly("banger.http.request{ url = '' }", "banger.http.request: ");
    run_badly("banger.http.request{}", "'url' is missing");
    run_badly("banger.http.request{ url = banger.config.url, headrs = {} }",
              "did you mean 'headers'?");
    run_badly("banger.http.request{ url = banger.config.url, headers = { A = 'b\\r\\nC: d' } }",
              "one line");
    run_badly("banger.http.request{ url = banger.config.url, headers = { ['A:'] = 'b' } }",
              "one line");
    run_badly("banger.http.request{ url = banger.config.url, body = 'a', json = {} }", "either");
    run_badly("banger.http.request{ url = banger.config.url, timeout = 0 }", "number of seconds");
    run_badly("banger.http.request{ url = 'http://127.0.0.1:1/' }",
              "http://127.0.0.1:1/: Failed to");
    assert_int_equal(peer.count, 0);
    http_peer_answer(
        &peer, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    run_badly("banger.http.request{ url = banger.config.url }", "Protocol \"file\" not supported");
    (void)snprintf(
        answer, sizeof(answer),
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n",
        peer.port);
    http_peer_answer(&peer, answer);
    run_badly("banger.http.request{ url = banger.config.url }", "Maximum (5) redirects followed");
}

static void answers_are_bounded(void **state)
{
    (void)state;
    http_peer_answer(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nx");
    run_badly("banger.http.request{ url = banger.config.url }", "transfer closed with");
    http_peer_answer(&peer, "no HTTP at all");
    run_badly("banger.http.request{ url = banger.config.url }",
              "banger.http.request: http://127.0.0.1:");
}

/* The hook's time is the request's too. */
static void no_answer_ends_in_time(void **state)
{
    (void)state;
    http_peer_answer(&peer, "");
    run_badly("banger.http.request{ url = banger.config.url, timeout = 0.1 }", "timed out after ");
    use_body("banger.http.request{ url = banger.config.url }");
    fake_host_set_deadline(fake, 300);
    call_badly("prepare", "it did not end in its time");
    assert_int_equal(fake_host_code(fake), BANGER_ETIMEDOUT);
    fake_host_set_deadline(fake, 60000);
    use_body("banger.http.request{ url = banger.config.url }");
    fake_host_cancel_after(fake, 1);
    call_badly("prepare", "it was cancelled");
    fake_host_cancel_after(fake, -1);
}

#define HTTP_TEST(function) cmocka_unit_test_setup_teardown(function, http_setup, http_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(a_request_and_its_answer), HTTP_TEST(by_a_unix_socket),
        HTTP_TEST(what_is_refused),          HTTP_TEST(answers_are_bounded),
        HTTP_TEST(no_answer_ends_in_time),
    };

    return cmocka_run_group_tests_name("lua: http", tests, NULL, NULL);
}
