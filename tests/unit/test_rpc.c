/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls, notifications, cancellation and leases through the client. */
#include "unit/rpc_fixture.h"

/* -- Calls ------------------------------------------------------------------------------------ */

static void results_come_back(void **state)
{
    struct rpc_client *client = client_of(*state);
    json_t *params = json_pack("{s:[s,i,{}],s:n}", "list", "\n \xc3\xa9", 1, "none");
    json_t *sent = json_deep_copy(params);
    json_t *result = call(client, "echo", params, NULL);
    assert_true(json_equal(result, sent));
    json_decref(result);
    json_decref(sent);
    result = call(client, "nothing", NULL, NULL);
    assert_true(json_is_object(result));
    assert_int_equal(json_object_size(result), 0);
    json_decref(result);
    rpc_client_close(client);
}

static void errors_keep_code_message_and_hint(void **state)
{
    struct rpc_client *client = client_of(*state);
    banger_error err = BANGER_ERROR_INIT;
    assert_null(call(client, "fail", NULL, &err));
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_true(str_starts(err.message, "the cat ?")); /* valid UTF-8 */
    assert_null(strchr(err.message, '\x1b'));          /* and harmless to print */
    assert_string_equal(err.hint, "lift the cat");

    err = BANGER_ERROR_INIT;
    assert_null(call(client, "fail", json_pack("{s:b}", "silent", 1), &err));
    assert_int_equal(err.code, BANGER_EINTERNAL);
    assert_true(err.message[0] != '\0');

    err = BANGER_ERROR_INIT;
    assert_null(call(client, "ecko", NULL, &err));
    assert_int_equal(err.code, BANGER_EUNSUPPORTED);
    assert_string_equal(err.message, "unknown method 'ecko'");
    assert_string_equal(err.hint, "did you mean 'echo'?");
    json_t *result = call(client, "nothing", NULL, &err); /* the connection goes on */
    assert_non_null(result);
    json_decref(result);
    rpc_client_close(client);
}

static void descriptors_travel_with_the_response(void **state)
{
    struct rpc_client *client = client_of(*state);
    int fd = -1;
    struct rpc_call what = {.method = "pass", .fd = &fd};
    json_t *result = rpc_client_call(client, &what, NULL);
    assert_true(json_get_bool(result, "fd", false));
    assert_int_equal(json_get_int(result, "answer", 0), 42);
    char text[8] = "";
    assert_int_equal(read(fd, text, sizeof(text)), 7);
    assert_string_equal(text, "through");
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    json_decref(result);

    what.params = json_pack("{s:b}", "fail", 1);
    banger_error err = BANGER_ERROR_INIT;
    assert_null(rpc_client_call(client, &what, &err));
    assert_int_equal(err.code, BANGER_EGUEST);
    assert_int_equal(fd, -1);
    rpc_client_close(client);
}

static size_t count_descriptors(void)
{
    size_t count = 0;
    AUTO_CLOSEDIR DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir) != NULL) {
        count++;
    }
    return count;
}

static void an_unexpected_descriptor_is_closed(void **state)
{
    struct rpc_client *client = client_of(*state);
    json_decref(call(client, "pass", NULL, NULL));
    size_t before = count_descriptors();
    for (int i = 0; i < 50; i++) {
        json_t *result = call(client, "pass", NULL, NULL);
        assert_non_null(result);
        json_decref(result);
    }
    assert_true(count_descriptors() < before + 10); /* the server's own may be closing */
    rpc_client_close(client);
}

struct ticks {
    int64_t next;
    int bad;
};

static void on_tick(void *context, const char *method, const json_t *params)
{
    struct ticks *ticks = context;
    if (strcmp(method, "tick") != 0 || json_get_int(params, "n", -1) != ticks->next++) {
        ticks->bad++;
    }
}

static void notifications_come_in_order_before_the_response(void **state)
{
    struct rpc_client *client = client_of(*state);
    struct ticks ticks = {0};
    const struct rpc_call what = {.method = "count",
                                  .params = json_pack("{s:i,s:i}", "count", 500, "size", 900),
                                  .notify = on_tick,
                                  .context = &ticks};
    json_t *result = rpc_client_call(client, &what, NULL);
    assert_non_null(result);
    json_decref(result);
    assert_int_equal(ticks.next, 500);
    assert_int_equal(ticks.bad, 0);
    rpc_client_close(client);
}

static void a_request_can_be_woken(void **state)
{
    struct rpc_client *client = client_of(*state);
    json_t *result = call(client, "wake", NULL, NULL);
    assert_non_null(result);
    json_decref(result);
    rpc_client_close(client);
}

static void results_and_requests_have_a_size(void **state)
{
    struct rpc_client *client = client_of(*state);
    banger_error err = BANGER_ERROR_INIT;
    json_t *result = call(client, "big", json_pack("{s:i}", "size", RPC_REPLY_MAX - 100), &err);
    assert_non_null(result);
    json_decref(result);
    assert_null(call(client, "big", json_pack("{s:i}", "size", RPC_REPLY_MAX), &err));
    assert_int_equal(err.code, BANGER_EINTERNAL);
    AUTO_FREE char *fill = xcalloc(RPC_MESSAGE_MAX + 1, 1);
    memset(fill, 'x', RPC_MESSAGE_MAX);
    assert_null(call(client, "echo", json_pack("{s:s}", "x", fill), &err));
    assert_int_equal(err.code, BANGER_EINVALID);
    fill[RPC_MESSAGE_MAX - 100] = '\0';
    result = call(client, "echo", json_pack("{s:s}", "x", fill), &err);
    assert_string_equal(json_get_string(result, "x", ""), fill);
    json_decref(result);
    rpc_client_close(client);
}

/* -- Cancellation ----------------------------------------------------------------------------- */

static bool say_true(void *context)
{
    int *asked = context;
    (*asked)++;
    return true;
}

static void a_call_can_be_cancelled(void **state)
{
    struct rpc_client *client = client_of(*state);
    int asked = 0;
    const struct rpc_call what = {.method = "hold", .cancelled = say_true, .context = &asked};
    banger_error err = BANGER_ERROR_INIT;
    assert_null(rpc_client_call(client, &what, &err));
    assert_int_equal(err.code, BANGER_ECANCELLED);
    assert_int_equal(asked, 1); /* and `cancel` was sent once */
    json_t *result = call(client, "nothing", NULL, NULL);
    assert_non_null(result);
    json_decref(result);
    rpc_client_close(client);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static bool was_interrupted(void *context)
{
    (void)context;
    return interrupted != 0;
}

/* The signal is blocked outside of the wait, so that it cannot slip in before it. */
static void a_signal_cancels(void **state)
{
    struct rpc_client *client = client_of(*state);
    struct sigaction action = {.sa_handler = on_interrupt};
    struct sigaction previous;
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    assert_int_equal(sigaction(SIGINT, &action, &previous), 0);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    interrupted = 0;
    assert_int_equal(pthread_kill(pthread_self(), SIGINT), 0);
    assert_int_equal(interrupted, 0);
    const struct rpc_call what = {.method = "hold", .cancelled = was_interrupted};
    banger_error err = BANGER_ERROR_INIT;
    assert_null(rpc_client_call(client, &what, &err));
    assert_int_equal(err.code, BANGER_ECANCELLED);
    assert_int_equal(interrupted, 1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigaction(SIGINT, &previous, NULL);
    rpc_client_close(client);
}

static void only_the_named_request_is_cancelled(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int fd = raw_connect(f);
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"hold\"}\n"
                 "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"hold\"}\n");
    await(&f->entered);
    await(&f->entered);
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":\"nobody\"}}\n"
                 "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":\"b\"}}\n");
    for (;;) {
        AUTO_JSON json_t *message = raw_receive(fd);
        if (json_object_get(message, "error") != NULL) {
            assert_string_equal(json_get_string(message, "id", ""), "b");
            break;
        }
    }
    assert_int_equal(atomic_load(&f->held), 1);
}

static void a_vanished_client_cancels_its_requests(void **state)
{
    struct fixture *f = *state;
    int fd = raw_connect(f);
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
    await(&f->entered);
    close(fd);
    await(&f->left);
    assert_serves(f);
}

static void a_client_may_vanish_at_any_time(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 200; i++) {
        int fd = raw_connect(f);
        raw_send(fd,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\",\"params\":{\"count\":3}}\n"
                 "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"pass\"}\n{\"jsonrpc\"");
        close(fd);
    }
    assert_serves(f);
}

/* -- Leases ----------------------------------------------------------------------------------- */

static void a_lease_ends_once_with_its_connection(void **state)
{
    struct fixture *f = *state;
    struct rpc_client *client = client_of(f);
    json_decref(call(client, "lease", NULL, NULL));
    json_decref(call(client, "nothing", NULL, NULL));
    assert_int_equal(atomic_load(&f->leases), 0);
    rpc_client_close(client);
    await(&f->ended);
    assert_serves(f);
    fixture_stop(f);
    assert_int_equal(atomic_load(&f->leases), 1);
}

static void a_lease_waits_for_the_calls_to_end(void **state)
{
    struct fixture *f = *state;
    int fd = raw_connect(f);
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"lease\"}\n");
    json_decref(raw_receive(fd)); /* or the end of the connection may come first, and cancel it */
    raw_send(fd,
             "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"lease\",\"params\":{\"hold\":true}}\n");
    await(&f->entered);
    close(fd);
    await(&f->ended);
    await(&f->ended);
    fixture_stop(f);
    assert_int_equal(atomic_load(&f->leases), 2);
}

static void leases_end_with_the_server(void **state)
{
    struct fixture *f = *state;
    struct rpc_client *client = client_of(f);
    json_decref(call(client, "lease", NULL, NULL));
    fixture_stop(f);
    assert_int_equal(atomic_load(&f->leases), 1);
    banger_error err = BANGER_ERROR_INIT;
    assert_null(call(client, "nothing", NULL, &err));
    assert_int_equal(err.code, BANGER_EIO);
    assert_string_equal(err.message, "bangerd closed the connection");
    assert_true(err.hint[0] != '\0');
    rpc_client_close(client);
}

static void the_end_of_the_server_cancels_and_answers(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int fd = raw_connect(f);
    raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
    await(&f->entered);
    fixture_stop(f);
    AUTO_JSON json_t *note = raw_receive(fd);
    assert_string_equal(json_get_string(note, "method", ""), "holding");
    AUTO_JSON json_t *answer = raw_receive(fd);
    assert_int_equal(json_get_int(answer, "error.data.code", 0), BANGER_ECANCELLED);
    assert_null(raw_receive(fd));
}

static void deferred_work_runs(void **state)
{
    struct fixture *f = *state;
    rpc_server_defer(f->server, end_lease, f);
    await(&f->ended);
}

#define CLIENTS 8
#define CALLS 200

static void *call_many(void *context)
{
    struct rpc_client *client = client_of(context);
    for (int i = 0; i < CALLS; i++) {
        json_t *result = call(client, "echo", json_pack("{s:i}", "n", i), NULL);
        if (json_get_int(result, "n", -1) != i) {
            json_decref(result);
            rpc_client_close(client);
            return context;
        }
        json_decref(result);
    }
    rpc_client_close(client);
    return NULL;
}

static void many_clients_call_at_once(void **state)
{
    pthread_t threads[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, *state), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_come_back),
        TEST(errors_keep_code_message_and_hint),
        TEST(descriptors_travel_with_the_response),
        TEST(an_unexpected_descriptor_is_closed),
        TEST(notifications_come_in_order_before_the_response),
        TEST(a_request_can_be_woken),
        TEST(results_and_requests_have_a_size),
        TEST(a_call_can_be_cancelled),
        TEST(a_signal_cancels),
        TEST(only_the_named_request_is_cancelled),
        TEST(a_vanished_client_cancels_its_requests),
        TEST(a_client_may_vanish_at_any_time),
        TEST(a_lease_ends_once_with_its_connection),
        TEST(a_lease_waits_for_the_calls_to_end),
        TEST(leases_end_with_the_server),
        TEST(the_end_of_the_server_cancels_and_answers),
        TEST(deferred_work_runs),
        TEST(many_clients_call_at_once),
    };
    return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
