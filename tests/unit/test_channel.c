/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's end against guests that misbehave, are late, or vanish. */
#include "fake_agent.h"

#include "base/cleanup.h"

struct fixture {
    struct agent_fixture base; /* without an agent's process */
    struct fake_agent fake;
};

static int setup(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    temp_dir_make(&fixture->base.dir);
    fixture_start_loop(&fixture->base);
    fake_listen(&fixture->fake, temp_dir_at(&fixture->base.dir, "agent.sock"));
    fixture->base.channel = fixture_channel(&fixture->base, "unix", "agent.sock");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    channel_close(fixture->base.channel);
    fixture_end_loop(&fixture->base);
    if (fixture->fake.fd >= 0) {
        (void)close(fixture->fake.fd);
    }
    (void)close(fixture->fake.listener);
    temp_dir_remove(&fixture->base.dir);
    free(fixture);
    return 0;
}

static void make_ready(struct fixture *fixture)
{
    fake_accept(&fixture->fake);
    fake_greet(&fixture->fake);
    assert_int_equal(
        channel_wait_ready(fixture->base.channel, deadline_in(PATIENCE_MS), NULL, NULL, NULL), 0);
}

/* A stream, and its number at the guest. */
static int open_stream(struct fixture *fixture, uint32_t *number)
{
    int fd = channel_open_stream(fixture->base.channel, SERVICE_STATS, NULL, 0, NULL);
    assert_true(fd >= 0);
    *number = fake_opened(&fixture->fake);
    return fd;
}

static void test_waits_for_a_late_guest(void **state)
{
    struct fixture *fixture = *state;
    struct frame frame;
    banger_error err = BANGER_ERROR_INIT;
    fake_accept(&fixture->fake);
    fake_hang_up(&fixture->fake); /* as Firecracker does before the guest listens */
    fake_accept(&fixture->fake);
    assert_true(fake_receive(&fixture->fake, &frame)); /* and this HELLO gets lost */
    assert_int_equal(channel_wait_ready(fixture->base.channel, deadline_in(1), NULL, NULL, &err),
                     -1);
    assert_int_equal(err.code, BANGER_ETIMEDOUT);
    assert_int_equal(channel_open_stream(fixture->base.channel, SERVICE_STATS, NULL, 0, &err), -1);
    assert_int_equal(err.code, BANGER_EBUSY);
    fake_greet(&fixture->fake);
    assert_int_equal(
        channel_wait_ready(fixture->base.channel, deadline_in(PATIENCE_MS), NULL, NULL, NULL), 0);
}

static bool yes(void *context)
{
    (void)context;
    return true;
}

static void test_waiting_can_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(channel_wait_ready(fixture->base.channel, DEADLINE_NONE, yes, NULL, &err), -1);
    assert_int_equal(err.code, BANGER_ECANCELLED);
}

static void test_left_over_bytes_are_passed_over(void **state)
{
    struct fixture *fixture = *state;
    struct frame frame;
    const uint8_t stale[FRAME_NONCE] = {1, 2, 3};
    static const char rest[] = "the rest of a frame that nobody waits for \xb6\x02 k";
    fake_accept(&fixture->fake);
    fake_write(&fixture->fake, rest, sizeof(rest));
    fake_welcome(&fixture->fake, stale, FRAME_VERSION);
    fake_exit(&fixture->fake, 3, 0);
    assert_true(fake_receive(&fixture->fake, &frame));
    fake_welcome(&fixture->fake, frame.payload, FRAME_VERSION);
    assert_int_equal(
        channel_wait_ready(fixture->base.channel, deadline_in(PATIENCE_MS), NULL, NULL, NULL), 0);
}

static void test_other_version_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct frame frame;
    fake_accept(&fixture->fake);
    assert_true(fake_receive(&fixture->fake, &frame));
    fake_welcome(&fixture->fake, frame.payload, FRAME_VERSION + 1);
    fake_expect_closed(&fixture->fake, fixture->base.channel, "another version");
}

static void test_vmm_gone(void **state)
{
    struct fixture *fixture = *state;
    uint32_t number;
    char byte;
    make_ready(fixture);
    AUTO_CLOSE int fd = open_stream(fixture, &number);
    fake_hang_up(&fixture->fake);
    assert_int_equal(recv(fd, &byte, 1, 0), 0); /* the caller is told */
    assert_int_equal(channel_get_state(fixture->base.channel), CHANNEL_CLOSED);
}

/* -- What closes the channel ------------------------------------------------------------------- */

typedef void (*offence)(struct fake_agent *fake, uint32_t stream);

static void unknown_stream(struct fake_agent *fake, uint32_t stream)
{
    fake_send(fake, FRAME_STDOUT, stream + 7, "x", 1);
}

static void exit_twice(struct fake_agent *fake, uint32_t stream)
{
    fake_exit(fake, stream, 0);
    fake_exit(fake, stream, 0);
}

static void malformed_exit(struct fake_agent *fake, uint32_t stream)
{
    fake_send(fake, FRAME_EXIT, stream, "x", 1);
}

static void exit_out_of_range(struct fake_agent *fake, uint32_t stream)
{
    fake_exit(fake, stream, 256);
}

static void beyond_credit(struct fake_agent *fake, uint32_t stream)
{
    static const uint8_t data[FRAME_PAYLOAD_MAX];
    for (int i = 0; i <= FRAME_WINDOW / FRAME_PAYLOAD_MAX; i++) {
        fake_send(fake, i % 2 != 0 ? FRAME_STDOUT : FRAME_STDERR, stream, data, sizeof(data));
    }
}

static void empty_data(struct fake_agent *fake, uint32_t stream)
{
    fake_send(fake, FRAME_STDOUT, stream, NULL, 0);
}

static void credit_for_nothing(struct fake_agent *fake, uint32_t stream)
{
    fake_send(fake, FRAME_CREDIT, stream, "\1\0\0\0", 4);
}

static void hosts_frame(struct fake_agent *fake, uint32_t stream)
{
    fake_send(fake, FRAME_OPEN, stream, "\1", 1);
}

static void second_welcome(struct fake_agent *fake, uint32_t stream)
{
    const uint8_t nonce[FRAME_NONCE] = {(uint8_t)stream};
    fake_welcome(fake, nonce, FRAME_VERSION);
}

static void oversize(struct fake_agent *fake, uint32_t stream)
{
    uint8_t header[FRAME_HEADER] = {FRAME_MAGIC, FRAME_STDOUT};
    frame_put32(header + 2, stream);
    frame_put32(header + 6, UINT32_MAX);
    fake_write(fake, header, sizeof(header));
}

static void bad_tail(struct fake_agent *fake, uint32_t stream)
{
    uint8_t wire[FRAME_HEADER + 2];
    size_t size = frame_encode(wire, FRAME_STDOUT, stream, "x", 1);
    wire[size - 1] = 0;
    fake_write(fake, wire, size);
}

static void test_offences_close_the_channel(void **state)
{
    static const struct {
        offence commit;
        const char *reason;
    } offences[] = {
        {unknown_stream, "not open"},
        {exit_twice, "not open"},
        {malformed_exit, "malformed EXIT"},
        {exit_out_of_range, "malformed EXIT"},
        {beyond_credit, "beyond its credit"},
        {empty_data, "empty"},
        {credit_for_nothing, "credit"},
        {hosts_frame, "does not have"},
        {second_welcome, "nobody asked"},
        {oversize, "garbage"},
        {bad_tail, "garbage"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT_OF(offences); i++) {
        uint32_t number;
        make_ready(fixture);
        AUTO_CLOSE int fd = open_stream(fixture, &number);
        offences[i].commit(&fixture->fake, number);
        fake_expect_closed(&fixture->fake, fixture->base.channel, offences[i].reason);
        fake_hang_up(&fixture->fake);
        channel_close(fixture->base.channel);
        fixture->base.channel = fixture_channel(&fixture->base, "unix", "agent.sock");
    }
}

/* -- Callers ----------------------------------------------------------------------------------- */

static void test_caller_gone_resets_the_stream(void **state)
{
    struct fixture *fixture = *state;
    struct frame frame;
    uint32_t number;
    make_ready(fixture);
    int fd = open_stream(fixture, &number);
    (void)close(fd);
    assert_true(fake_receive(&fixture->fake, &frame));
    assert_int_equal(frame.type, FRAME_RESET);
    assert_int_equal(frame.stream, number);
    fake_send(&fixture->fake, FRAME_STDOUT, number, "late", 4); /* crossed: no offence */
    fake_exit(&fixture->fake, number, 129);
    fd = open_stream(fixture, &number);
    assert_int_equal(channel_get_state(fixture->base.channel), CHANNEL_READY);
    (void)close(fd);
}

/* A caller is another process, and need not be well either. */
static void test_bad_callers_only_hurt_themselves(void **state)
{
    static const struct {
        uint8_t type;
        const char *payload;
        uint32_t length;
    } bad[] = {
        {FRAME_CREDIT, "\1\0\0\0", 4}, /* for output that never came */
        {FRAME_OPEN, "\1", 1},         {FRAME_HELLO, "", 0},
        {FRAME_STDIN, "", 0},          {FRAME_RESIZE, "x", 1},
    };
    struct fixture *fixture = *state;
    make_ready(fixture);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct frame frame;
        uint8_t wire[64];
        uint32_t number;
        AUTO_CLOSE int fd = open_stream(fixture, &number);
        size_t size = frame_encode(wire, bad[i].type, 0, bad[i].payload, bad[i].length);
        assert_int_equal(send(fd, wire, size, MSG_NOSIGNAL), size);
        assert_true(fake_receive(&fixture->fake, &frame));
        assert_int_equal(frame.type, FRAME_RESET);
        assert_int_equal(recv(fd, wire, 1, 0), 0);
        fake_exit(&fixture->fake, number, 129);
    }
    assert_int_equal(channel_get_state(fixture->base.channel), CHANNEL_READY);
}

static void test_request_too_long(void **state)
{
    struct fixture *fixture = *state;
    static const char request[FRAME_PAYLOAD_MAX];
    banger_error err = BANGER_ERROR_INIT;
    make_ready(fixture);
    assert_int_equal(
        channel_open_stream(fixture->base.channel, SERVICE_EXEC, request, sizeof(request), &err),
        -1);
    assert_int_equal(err.code, BANGER_EINVALID);
}

static void test_too_many_streams(void **state)
{
    struct fixture *fixture = *state;
    banger_error err = BANGER_ERROR_INIT;
    static int fds[FRAME_STREAMS_MAX];
    make_ready(fixture);
    for (size_t i = 0; i < FRAME_STREAMS_MAX; i++) {
        uint32_t number;
        fds[i] = open_stream(fixture, &number);
    }
    assert_int_equal(channel_open_stream(fixture->base.channel, SERVICE_STATS, NULL, 0, &err), -1);
    assert_int_equal(err.code, BANGER_EBUSY);
    for (size_t i = 0; i < FRAME_STREAMS_MAX; i++) {
        (void)close(fds[i]);
    }
}

static void test_call_limits(void **state)
{
    struct fixture *fixture = *state;
    struct channel_result result;
    banger_error err = BANGER_ERROR_INIT;
    make_ready(fixture);
    assert_int_equal(channel_call(fixture->base.channel, SERVICE_STATS, NULL, 0, NULL, 0, 10,
                                  deadline_in(30), &result, &err),
                     -1);
    assert_int_equal(err.code, BANGER_ETIMEDOUT);
}

static void test_firecracker_connect(void **state)
{
    struct fixture *fixture = *state;
    char line[64] = "";
    struct channel *channel;
    fake_accept(&fixture->fake); /* the fixture's own channel, of no use here */
    channel_close(fixture->base.channel);
    fake_hang_up(&fixture->fake);
    channel = fixture_channel(&fixture->base, "vsock-uds", "agent.sock");
    fixture->base.channel = channel;
    fake_accept(&fixture->fake);
    assert_true(recv(fixture->fake.fd, line, sizeof(line) - 1, 0) > 0);
    assert_string_equal(line, "CONNECT 1024\n");
    fake_write(&fixture->fake, "OK 10737", 8);
    fake_write(&fixture->fake, "41824\n", 6);
    fake_greet(&fixture->fake);
    assert_int_equal(channel_wait_ready(channel, deadline_in(PATIENCE_MS), NULL, NULL, NULL), 0);
}

static void test_bad_endpoints(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"transport\":\"tcp\",\"path\":\"x\"}",
        "{\"transport\":\"unix\"}",
        "{\"transport\":\"unix\",\"path\":\"../../etc/x\"}",
        "{\"transport\":\"vsock\",\"cid\":2,\"port\":1024}",
        "{\"transport\":\"vsock\",\"cid\":3,\"port\":-1}",
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        banger_error err = BANGER_ERROR_INIT;
        AUTO_JSON json_t *agent = json_loads(bad[i], 0, NULL);
        assert_null(channel_open(fixture->base.loop, "/run", agent, &err));
        assert_int_equal(err.code, BANGER_EINVALID);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_waits_for_a_late_guest),
        TEST(test_waiting_can_be_cancelled),
        TEST(test_left_over_bytes_are_passed_over),
        TEST(test_other_version_is_refused),
        TEST(test_vmm_gone),
        TEST(test_offences_close_the_channel),
        TEST(test_caller_gone_resets_the_stream),
        TEST(test_bad_callers_only_hurt_themselves),
        TEST(test_request_too_long),
        TEST(test_too_many_streams),
        TEST(test_call_limits),
        TEST(test_firecracker_connect),
        TEST(test_bad_endpoints),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
