/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions with the real agent: many at once, stuck ones, terminals, signals, and hosts that leave
 * in the middle of a frame. */
#include "agent_fixture.h"

#include "base/cleanup.h"
#include "guest/wire.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>

/* -- Plain ------------------------------------------------------------------------------------- */

/* Runs a script with pipes as its streams; what it wrote goes to `text`, both streams together. */
static int run_piped(struct agent_fixture *fixture, const char *script, const char *input,
                     char *text, size_t size)
{
    int in[2];
    int out[2];
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(write(in[1], input, strlen(input)), strlen(input));
    (void)close(in[1]);
    AUTO_CLOSE int fd = shell_stream(fixture, script);
    const struct session_io io = {.in = in[0], .out = out[1], .err = out[1]};
    int status = session_run(fd, &io, &err);
    (void)close(in[0]);
    (void)close(out[1]);
    ssize_t got = read(out[0], text, size - 1);
    text[got > 0 ? got : 0] = '\0';
    (void)close(out[0]);
    return status;
}

static void test_status_and_streams(void **state)
{
    char text[256];
    assert_int_equal(run_piped(*state, "cat; exit 9", "through\n", text, sizeof(text)), 9);
    assert_string_equal(text, "through\n");
    assert_int_equal(run_piped(*state, "exec no-such-thing", "", text, sizeof(text)), 127);
    assert_non_null(strstr(text, "not found"));
}

static void test_reader_gone(void **state)
{
    int out[2];
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    (void)close(out[0]);
    AUTO_CLOSE int fd = shell_stream(*state, "while :; do echo y; done");
    const struct session_io io = {.in = -1, .out = out[1], .err = STDERR_FILENO};
    assert_int_equal(session_run(fd, &io, &err), -1); /* and SIGPIPE has not ended the test */
    assert_int_equal(err.code, BANGER_EIO);
    (void)close(out[1]);
}

static void test_broken_stream(void **state)
{
    int ends[2];
    banger_error err = BANGER_ERROR_INIT;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    (void)close(ends[0]);
    const struct session_io io = {.in = -1, .out = STDOUT_FILENO, .err = STDERR_FILENO};
    assert_int_equal(session_run(ends[1], &io, &err), -1);
    (void)close(ends[1]);
}

/* -- Many and stuck ---------------------------------------------------------------------------- */

#define MANY 50

static void test_fifty_at_once(void **state)
{
    int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        char script[64];
        (void)snprintf(script, sizeof(script), "read x; echo $x; exit %d", i);
        fds[i] = shell_stream(*state, script); /* all of them wait for their input */
    }
    for (int i = MANY - 1; i >= 0; i--) {
        char line[16];
        struct wire wire;
        struct frame frame = {0};
        int length = snprintf(line, sizeof(line), "line %d\n", i);
        wire_init(&wire, fds[i], false);
        wire_queue(&wire, FRAME_STDIN, 0, line, (size_t)length);
        assert_int_equal(wire_flush(&wire), 1);
        do {
            struct pollfd ready = {.fd = fds[i], .events = POLLIN};
            assert_true(wire_next(&wire, &frame) || poll(&ready, 1, PATIENCE_MS) == 1);
            if (frame.type == 0) {
                assert_true(wire_fill(&wire) >= 0);
                continue;
            }
            if (frame.type == FRAME_STDOUT) {
                assert_memory_equal(frame.payload, line, (size_t)length);
                frame.type = 0;
            }
        } while (frame.type != FRAME_EXIT);
        assert_int_equal(wire_exit_status(&frame), i);
        wire_free(&wire);
    }
}

static void test_a_stuck_reader_stops_no_other(void **state)
{
    struct channel_result result;
    AUTO_CLOSE int stuck_out = shell_stream(*state, "cat /dev/zero");
    AUTO_CLOSE int stuck_in = shell_stream(*state, "sleep 60");
    struct wire wire;
    static const char data[FRAME_PAYLOAD_MAX];
    wire_init(&wire, stuck_in, false);
    for (int i = 0; i < FRAME_WINDOW / FRAME_PAYLOAD_MAX; i++) {
        wire_queue(&wire, FRAME_STDIN, 0, data, sizeof(data));
    }
    while (wire_flush(&wire) == 0) {
        struct pollfd ready = {.fd = stuck_in, .events = POLLOUT};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    }
    shell(*state, "head -c 500000 /dev/zero", NULL, &result);
    assert_int_equal(result.out.length, 500000);
    channel_result_free(&result);
    buf_free(&wire.out);
}

static void test_throughput(void **state)
{
    const size_t size = 64 << 20;
    int64_t start = clock_mono_ms();
    AUTO_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    AUTO_CLOSE int fd = shell_stream(*state, "head -c 67108864 /dev/zero");
    const struct session_io io = {.in = -1, .out = null, .err = STDERR_FILENO};
    assert_int_equal(session_run(fd, &io, NULL), 0);
    int64_t took = clock_mono_ms() - start + 1;
    print_message("%lld MB/s\n", (long long)(size / 1000 / (uint64_t)took));
    assert_true(took < PATIENCE_MS);
}

/* -- The end of a caller, and of a host -------------------------------------------------------- */

/* Waits until the file has `text`, for as long as it takes a process to write or end. */
static bool comes_true(struct agent_fixture *fixture, const char *test)
{
    deadline until = deadline_in(PATIENCE_MS);
    while (deadline_left_ms(until) > 0) {
        struct channel_result result;
        shell(fixture, test, NULL, &result);
        int status = result.status;
        channel_result_free(&result);
        if (status == 0) {
            return true;
        }
    }
    return false;
}

static void test_reset_ends_the_process_group(void **state)
{
    struct agent_fixture *fixture = *state;
    char script[PATH_MAX];
    char test[PATH_MAX];
    /* Deaf to the hang-up, and with a child. */
    (void)snprintf(script, sizeof(script),
                   "trap '' HUP; sleep 61 & echo $! > %s/child; echo $$ > %s/leader; wait",
                   fixture->dir.path, fixture->dir.path);
    int fd = shell_stream(fixture, script);
    (void)snprintf(test, sizeof(test), "test -s %s/leader", fixture->dir.path);
    assert_true(comes_true(fixture, test));
    (void)close(fd);
    (void)snprintf(test, sizeof(test), "! kill -0 $(cat %s/leader) && ! kill -0 $(cat %s/child)",
                   fixture->dir.path, fixture->dir.path);
    assert_true(comes_true(fixture, test));
}

static void say_hello(int fd, uint8_t mark)
{
    static uint8_t wire[FRAME_PREAMBLE + FRAME_HEADER + FRAME_HELLO_LENGTH + 1];
    uint8_t hello[FRAME_HELLO_LENGTH] = {mark};
    size_t size =
        FRAME_PREAMBLE + frame_encode(wire + FRAME_PREAMBLE, FRAME_HELLO, 0, hello, sizeof(hello));
    assert_int_equal(send(fd, wire, size, MSG_NOSIGNAL), size);
}

static void await(struct wire *wire, uint8_t type, struct frame *frame)
{
    do {
        while (!wire_next(wire, frame)) {
            struct pollfd ready = {.fd = wire->fd, .events = POLLIN};
            assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
            assert_true(wire_fill(wire) >= 0);
        }
    } while (frame->type != type);
}

/* One pipe for every host, as a virtio-serial port is: the second comes after the first has sent a
 * part of a frame. Its greeting has to be understood, and the first one's programs hung up on. */
static void test_new_host_in_the_middle_of_a_frame(void **state)
{
    struct agent_fixture *fixture = *state;
    AUTO_CLOSE int fd = unix_connect(temp_dir_at(&fixture->dir, "agent.sock"), NULL);
    struct wire wire;
    struct frame frame;
    static uint8_t bytes[FRAME_HEADER + FRAME_PAYLOAD_MAX + 1];
    static uint8_t payload[FRAME_PAYLOAD_MAX];
    char script[PATH_MAX];
    char test[PATH_MAX];
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    wire_init(&wire, fd, true);
    say_hello(fd, 1);
    await(&wire, FRAME_WELCOME, &frame);
    assert_int_equal(frame.payload[0], 1);
    (void)snprintf(script, sizeof(script), "echo $$ > %s/first; sleep 62", fixture->dir.path);
    struct buf request = shell_request(script, true);
    payload[0] = SERVICE_EXEC;
    memcpy(payload + 1, request.data, request.length);
    size_t size = frame_encode(bytes, FRAME_OPEN, 1, payload, (uint32_t)request.length + 1);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
    buf_free(&request);
    (void)snprintf(test, sizeof(test), "test -s %s/first", fixture->dir.path);
    assert_true(comes_true(fixture, test));
    size = frame_encode(bytes, FRAME_STDIN, 1, payload, sizeof(payload));
    assert_int_equal(send(fd, bytes, size / 2, MSG_NOSIGNAL), size / 2);
    say_hello(fd, 2);
    await(&wire, FRAME_WELCOME, &frame);
    assert_int_equal(frame.payload[0], 2);
    (void)snprintf(test, sizeof(test), "! kill -0 $(cat %s/first)", fixture->dir.path);
    assert_true(comes_true(fixture, test));
    fd = -1;
    wire_free(&wire);
}

/* -- Terminals and signals --------------------------------------------------------------------- */

struct tty_run {
    int stream;
    int slave;
    bool tty;
    int status;
    banger_error err;
};

static void *run_session(void *context)
{
    struct tty_run *run = context;
    const struct session_io io = {.in = run->slave,
                                  .out = run->slave,
                                  .err = run->slave,
                                  .tty = run->tty,
                                  .forward_signals = true};
    run->status = session_run(run->stream, &io, &run->err);
    return NULL;
}

/* What has come from a terminal. One read may bring several of the texts that are waited for. */
struct seen {
    char text[4096];
    size_t used;
};

/* Reads from the terminal until `text` has come. */
static void expect_on(int master, struct seen *seen, const char *text)
{
    while (strstr(seen->text, text) == NULL) {
        struct pollfd ready = {.fd = master, .events = POLLIN};
        if (poll(&ready, 1, PATIENCE_MS) != 1) {
            fail_msg("no '%s' in '%s'", text, seen->text);
        }
        ssize_t got = read(master, seen->text + seen->used, sizeof(seen->text) - 1 - seen->used);
        assert_true(got > 0);
        seen->used += (size_t)got;
        seen->text[seen->used] = '\0';
    }
}

static void test_terminal(void **state)
{
    struct agent_fixture *fixture = *state;
    char sh[] = "sh";
    char c[] = "-c";
    char script[] = "stty size; trap 'stty size; exit 4' WINCH; echo ready; "
                    "while :; do sleep 0.05; done";
    char *argv[] = {sh, c, script, NULL};
    struct winsize size = {.ws_row = 30, .ws_col = 100};
    struct termios before;
    struct termios after;
    struct buf open = BUF_INIT;
    int master;
    struct tty_run run = {.tty = true};
    struct seen seen = {.used = 0};
    assert_int_equal(openpty(&master, &run.slave, NULL, NULL, &size), 0);
    assert_int_equal(tcgetattr(run.slave, &before), 0);
    const struct exec_request request = {
        .argv = argv, .tty = true, .with_stdin = true, .rows = 30, .columns = 100};
    assert_int_equal(exec_encode(&request, &open, NULL), 0);
    run.stream = channel_open_stream(fixture->channel, SERVICE_EXEC, open.data, open.length, NULL);
    assert_true(run.stream >= 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_session, &run), 0);
    expect_on(master, &seen, "30 100");
    expect_on(master, &seen, "ready");
    assert_int_equal(tcgetattr(run.slave, &after), 0);
    assert_int_equal(after.c_lflag & (ICANON | ECHO), 0);
    size.ws_row = 41;
    size.ws_col = 121;
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    assert_int_equal(pthread_kill(thread, SIGWINCH), 0); /* not our controlling terminal */
    expect_on(master, &seen, "41 121");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(run.status, 4);
    assert_int_equal(tcgetattr(run.slave, &after), 0);
    assert_int_equal(after.c_lflag, before.c_lflag);
    (void)close(run.stream);
    (void)close(run.slave);
    (void)close(master);
    buf_free(&open);
}

static void test_signals_are_forwarded(void **state)
{
    int pair[2];
    struct tty_run run = {.tty = false};
    struct seen seen = {.used = 0};
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    run.slave = pair[0];
    run.stream = shell_stream(*state, "trap 'echo got; exit 5' INT; echo ready; "
                                      "while :; do sleep 0.05; done");
    assert_int_equal(pthread_create(&thread, NULL, run_session, &run), 0);
    expect_on(pair[1], &seen, "ready");
    assert_int_equal(pthread_kill(thread, SIGINT), 0);
    expect_on(pair[1], &seen, "got");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(run.status, 5);
    (void)close(run.stream);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void test_request_limits(void **state)
{
    static char big[FRAME_PAYLOAD_MAX];
    char *argv[] = {big, NULL};
    struct buf out = BUF_INIT;
    banger_error err = BANGER_ERROR_INIT;
    (void)state;
    assert_int_equal(exec_encode(&(struct exec_request){.argv = argv}, &out, &err), -1); /* "" */
    assert_int_equal(err.code, BANGER_EINVALID);
    memset(big, 'x', sizeof(big) - 1);
    err = BANGER_ERROR_INIT;
    assert_int_equal(exec_encode(&(struct exec_request){.argv = argv}, &out, &err), -1);
    assert_int_equal(err.code, BANGER_EINVALID);
    assert_int_equal(out.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_and_streams),
        cmocka_unit_test(test_reader_gone),
        cmocka_unit_test(test_broken_stream),
        cmocka_unit_test(test_fifty_at_once),
        cmocka_unit_test(test_a_stuck_reader_stops_no_other),
        cmocka_unit_test(test_throughput),
        cmocka_unit_test(test_reset_ends_the_process_group),
        cmocka_unit_test(test_new_host_in_the_middle_of_a_frame),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_signals_are_forwarded),
        cmocka_unit_test(test_request_limits),
    };
    return cmocka_run_group_tests_name("session", tests, agent_setup, agent_teardown);
}
