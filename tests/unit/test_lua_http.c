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
    run_well("banger.http.request{ url = banger.config.url, body = 'x' }"); /* as with a method */
    seen("POST / HTTP/1.1\r\n");
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
    run_badly("banger.http.request{ url = 'http://inside/x', socket = banger.config.socket }",
              "is not allowed: it is not in plugins.lua.sockets of config.lua");
    assert_int_equal(other.count, 0);
    fake_host_set(fake, "config.sockets", json_pack("[s]", temp_dir_at(&home, "s")));
    run_well(
        "local a = banger.http.request{ url = 'http://inside/x', socket = banger.config.socket }\n"
        "assert(a.status == 204 and a.body == '')");
    assert_non_null(strstr(http_peer_last(&other), "GET /x HTTP/1.1\r\nHost: inside\r\n"));
    http_peer_stop(&other);
}

/* The peer has one answer a connection: who follows a redirect must not take the old one for the next. */
#define CLOSES "Connection: close\r\n"

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
    run_badly("banger.http.request{ url = banger.config.url, timeout = math.huge }",
              "number of seconds");
    run_badly("banger.http.request{ url = banger.config.url, timeout = 0 / 0 }",
              "number of seconds");
    run_badly("banger.http.request{ url = banger.config.url, method = 'GET', body = '' }",
              "a GET has no body");
    run_badly("banger.http.request{ url = banger.config.url, method = 'HEAD', json = 1 }",
              "a HEAD has no body");
    run_badly("banger.http.request{ url = banger.config.url, method = 'post' }",
              "must be in capital letters");
    run_badly("banger.http.request{ url = banger.config.url, method = 'X / HTTP/1.1\\r\\nA: b' }",
              "must be in capital letters");
    run_badly("banger.http.request{ url = 'http://127.0.0.1:1/' }",
              "banger.http.request: http://127.0.0.1:1: Failed to");
    assert_int_equal(peer.count, 0);
    http_peer_answer(
        &peer, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    run_badly("banger.http.request{ url = banger.config.url }", "Protocol \"file\" not supported");
    (void)snprintf(answer, sizeof(answer),
                   "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\n" CLOSES
                   "Content-Length: 0\r\n\r\n",
                   peer.port);
    http_peer_answer(&peer, answer);
    run_badly("banger.http.request{ url = banger.config.url }", "Maximum (5) redirects followed");
}

/* What lies in a header or a body is for the one that it was sent to. */
static void what_is_given_along_is_not_redirected(void **state)
{
    struct http_peer other;
    char answer[256];

    (void)state;
    http_peer_start(&other, NULL);
    http_peer_answer(&other, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nelse");
    (void)snprintf(answer, sizeof(answer),
                   "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:%d/y\r\n" CLOSES
                   "Content-Length: 0\r\n\r\n",
                   other.port);
    http_peer_answer(&peer, answer);
    run_well("local a = banger.http.request{ url = banger.config.url, headers = { ['X-Token'] = "
             "'t' } }\n"
             "assert(a.status == 307 and a.headers.location:find('/y$'))");
    run_well("assert(banger.http.request{ url = banger.config.url, json = {} }.status == 307)");
    run_well(
        "assert(banger.http.request{ url = banger.config.url, method = 'DELETE' }.status == 307)");
    assert_int_equal(other.count, 0);
    run_well("assert(banger.http.request{ url = banger.config.url }.body == 'else')");
    assert_int_equal(other.count, 1);
    http_peer_stop(&other);
}

/* Neither an error nor the log has more of a URL than whom it names. */
static void urls_are_not_shown(void **state)
{
    (void)state;
    run_badly("banger.http.request{ url = 'http://me:s3cret@127.0.0.1:1/s3cret?k=s3cret#s3cret' }",
              "banger.http.request: http://127.0.0.1:1: Failed");
    assert_null(strstr(fake_host_error(fake), "s3cret"));
    run_badly("banger.http.request{ url = 'http://me:s3cret@[x/s3cret' }", "the URL: ");
    assert_null(strstr(fake_host_error(fake), "s3cret"));
    fake_host_set(fake, "trial.dry", json_true());
    run_well("banger.http.request{ url = 'https://me:s3cret@chat.example/s3cret', json = {} }");
    assert_string_equal(json_string_value(json_array_get(fake_host_log(fake), 0)),
                        "banger.http.request https://chat.example: not done, since this is a test");
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
        HTTP_TEST(a_request_and_its_answer),
        HTTP_TEST(by_a_unix_socket),
        HTTP_TEST(what_is_refused),
        HTTP_TEST(answers_are_bounded),
        HTTP_TEST(what_is_given_along_is_not_redirected),
        HTTP_TEST(urls_are_not_shown),
        HTTP_TEST(no_answer_ends_in_time),
    };

    return cmocka_run_group_tests_name("lua: http", tests, NULL, NULL);
}
