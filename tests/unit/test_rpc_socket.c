/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The socket: who may connect, how many, and what becomes of the file. */
#include "unit/rpc_fixture.h"

/* -- The socket ------------------------------------------------------------------------------- */

#define IDLE_CONNECTIONS 1000

static int64_t resident_kib(void)
{
    AUTO_BUF struct buf text = BUF_INIT;
    assert_int_equal(file_read("/proc/self/statm", 4096, &text, NULL), 0);
    const char *at = strchr(text.data, ' ');
    return strtoll(at, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

static void a_thousand_idle_connections_are_cheap(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * IDLE_CONNECTIONS + 100) {
        print_message("the limit of open files is too low: %d\n", (int)limit.rlim_cur);
        skip();
    }
    assert_serves(f);
    int64_t before = resident_kib();
    static int fds[IDLE_CONNECTIONS];
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = raw_connect(f);
        /* Each has spoken once and half a line more, which is the most that idleness can hold. */
        raw_send(fds[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\"}\n");
        json_decref(raw_receive(fds[i]));
        raw_send(fds[i], "{\"jsonrpc\":\"2.0\",\"id\":2,\"me");
    }
    assert_serves(f);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(resident_kib() - before < 2048);
#else
    (void)before;
#endif
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        close(fds[i]);
    }
    assert_serves(f);
}

static void descriptors_may_run_out_for_a_while(void **state)
{
    struct fixture *f = *state;
    AUTO_CLOSE int early = raw_connect(f);
    raw_send(early, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\"}\n");
    json_decref(raw_receive(early)); /* it has been accepted */
    AUTO_CLOSE int late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);

    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit tight = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    int connected = connect(late, (const struct sockaddr *)&address, sizeof(address));
    raw_send(late, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"nothing\"}\n");
    raw_send(early, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"nothing\"}\n");
    json_t *early_answer = raw_receive(early);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);

    assert_int_equal(connected, 0);
    assert_int_equal(json_get_int(early_answer, "id", 0), 3);
    json_decref(early_answer);
    AUTO_JSON json_t *late_answer = raw_receive(late);
    assert_int_equal(json_get_int(late_answer, "id", 0), 2);
}

static void the_socket_has_its_mode(void **state)
{
    struct fixture *f = *state;
    struct stat info;
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    fixture_stop(f);
    fixture_start(f, 0660);
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0660);
    assert_serves(f);
}

static void a_live_server_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    banger_error err = BANGER_ERROR_INIT;
    struct loop *loop = loop_new(NULL);
    assert_null(new_server(f, loop, 0600, &err));
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_non_null(strstr(err.message, f->path));
    loop_free(loop);
    assert_serves(f);
}

static void what_a_dead_server_left_is_replaced(void **state)
{
    struct fixture *f = *state;
    fixture_stop(f);
    int fd = unix_listen(f->path, 0600, NULL);
    assert_true(fd >= 0);
    close(fd); /* as a crash leaves it */
    assert_int_equal(access(f->path, F_OK), 0);
    fixture_start(f, 0600);
    assert_serves(f);
}

static void a_file_in_the_way_is_left_alone(void **state)
{
    struct fixture *f = *state;
    fixture_stop(f);
    assert_int_equal(file_write_atomic(f->path, "mine", 4, 0600, NULL), 0);
    banger_error err = BANGER_ERROR_INIT;
    struct loop *loop = loop_new(NULL);
    assert_null(new_server(f, loop, 0600, &err));
    assert_int_equal(err.code, BANGER_EEXISTS);
    loop_free(loop);
    assert_int_equal(access(f->path, F_OK), 0);
    assert_int_equal(unlink(f->path), 0);
}

static void a_successors_socket_is_left_alone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(unlink(f->path), 0);
    AUTO_CLOSE int fd = unix_listen(f->path, 0600, NULL);
    assert_true(fd >= 0);
    fixture_stop(f);
    assert_int_equal(access(f->path, F_OK), 0);
    assert_int_equal(unlink(f->path), 0);
}

static void a_link_to_a_socket_is_not_followed(void **state)
{
    struct fixture *f = *state;
    AUTO_FREE char *link = str_format("%s.link", f->path);
    assert_int_equal(symlink(f->path, link), 0);
    assert_true(unix_connect(link, NULL) < 0);
    AUTO_CLOSE int fd = unix_connect(f->path, NULL);
    assert_true(fd >= 0);
    assert_int_equal(unlink(link), 0);
}

static void no_server_is_an_error(void **state)
{
    struct fixture *f = *state;
    fixture_stop(f);
    banger_error err = BANGER_ERROR_INIT;
    assert_null(rpc_client_connect(f->path, &err));
    assert_int_equal(err.code, BANGER_ENOTFOUND);
}

/* In a child process: what does the server say to another user? 0 answered, 1 refused as such. */
static int ask_as_nobody(struct fixture *f)
{
    if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0) {
        return 2;
    }
    banger_error err = BANGER_ERROR_INIT;
    struct rpc_client *client = rpc_client_connect(f->path, &err);
    if (client == NULL) {
        return 3;
    }
    json_t *result = call(client, "nothing", NULL, &err);
    return result != NULL ? 0 : (err.code == BANGER_EPERMISSION ? 1 : 4);
}

static void strangers_are_refused(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    for (int group = 0; group < 2; group++) {
        if (group == 1) {
            fixture_stop(f);
            fixture_start(f, 0660);
        }
        /* As if someone had opened the socket to all: for 0600 the credentials decide. */
        assert_int_equal(chmod(f->folder, 0755), 0);
        assert_int_equal(chmod(f->path, 0666), 0);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(ask_as_nobody(f));
        }
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), group == 1 ? 0 : 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_thousand_idle_connections_are_cheap),
        TEST(descriptors_may_run_out_for_a_while),
        TEST(the_socket_has_its_mode),
        TEST(a_live_server_is_not_replaced),
        TEST(what_a_dead_server_left_is_replaced),
        TEST(a_file_in_the_way_is_left_alone),
        TEST(a_link_to_a_socket_is_not_followed),
        TEST(a_successors_socket_is_left_alone),
        TEST(no_server_is_an_error),
        TEST(strangers_are_refused),
    };
    return cmocka_run_group_tests_name("rpc_socket", tests, NULL, NULL);
}
