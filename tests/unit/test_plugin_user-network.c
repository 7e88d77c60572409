/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forward.h"
#include <banger/test.h>

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct fake_host *fake;

static int set_up(void **state)
{
    (void)state;
    fake = fake_host_new("{\"vm\": {\"id\": \"0123456789abcdef0123456789abcdef\"}}");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_host_free(fake);
    return 0;
}

static const struct banger_network *network(void)
{
    return banger_plugin_v1()->network;
}

static void parses_every_form(void **state)
{
    static const struct {
        const char *text;
        struct forward expected;
    } rows[] = {
        {"8080:80", {false, "127.0.0.1", 8080, 80}},
        {"8080:80/tcp", {false, "127.0.0.1", 8080, 80}},
        {"0.0.0.0:1:65535", {false, "0.0.0.0", 1, 65535}},
        {"192.168.1.2:53:5353/udp", {true, "192.168.1.2", 53, 5353}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct forward got;
        const char *reason;

        assert_true(forward_parse(rows[i].text, &got, &reason));
        assert_int_equal(got.udp, rows[i].expected.udp);
        assert_string_equal(got.host_ip, rows[i].expected.host_ip);
        assert_int_equal(got.host_port, rows[i].expected.host_port);
        assert_int_equal(got.guest_port, rows[i].expected.guest_port);
    }
}

static void refuses_everything_else(void **state)
{
    static const char *const rows[] = {
        "",         "80",         ":",          "80:",          ":80",      "8080:80:",
        "0:80",     "80:0",       "65536:80",   "80:65536",     "-1:80",    "+80:80",
        " 80:80",   "80:80 ",     "0x50:80",    "80:80/sctp",   "80:80/",   "80:80/udp/tcp",
        "1:2:3:4",  "host:80:80", "1.2.3:80:1", "[::1]:80:80",  "::1:80:1", "8e1:80",
        "999999:1", "1,id=x:2",   "1:2,x=y",    "1.2.3.4,:1:2",
    };
    char longest[200];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct forward got;
        const char *reason = NULL;

        if (forward_parse(rows[i], &got, &reason)) {
            fail_msg("'%s' was accepted", rows[i]);
        }
        assert_non_null(reason);
    }
    memset(longest, '1', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_false(forward_parse(longest, &(struct forward){0}, &(const char *){NULL}));
}

static void refuses_a_port_twice(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.publish", json_pack("[s, s]", "8080:80", "0.0.0.0:8080:81"));
    assert_int_equal(fake_host_call(fake, network()->contribute), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
    assert_non_null(strstr(fake_host_error(fake), "8080/tcp is published twice"));
    assert_int_equal(json_object_size(fake_host_contributions(fake)), 0);
}

static void same_port_of_both_protocols(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.publish", json_pack("[s, s]", "5353:53", "5353:53/udp"));
    assert_int_equal(fake_host_call(fake, network()->contribute), 0);
}

static void refuses_what_is_not_text(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.publish", json_pack("[i]", 80));
    assert_int_equal(fake_host_call(fake, network()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
}

static void refuses_too_many(void **state)
{
    json_t *list = json_array();

    (void)state;
    for (int i = 0; i <= FORWARDS_MAX; i++) {
        json_array_append_new(list, json_sprintf("%d:80", 20000 + i));
    }
    fake_host_set(fake, "vm.publish", list);
    assert_int_equal(fake_host_call(fake, network()->check), -1);
    assert_non_null(strstr(fake_host_error(fake), "65 ports are published; at most 64"));
}

/* Takes a free port of the loopback and holds it. */
static int hold_port(int type, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    if (type == SOCK_STREAM) {
        assert_int_equal(listen(fd, 1), 0);
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void taken_port(int type, const char *protocol)
{
    char expected[64];
    uint16_t port;
    int fd = hold_port(type, &port);

    fake_host_set(fake, "vm.publish",
                  json_pack("[o]", json_sprintf("%d:80/%s", (int)port, protocol)));
    (void)snprintf(expected, sizeof(expected), "cannot publish 127.0.0.1:%u/%s", port, protocol);
    assert_int_equal(fake_host_call(fake, network()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EBUSY);
    assert_non_null(strstr(fake_host_error(fake), expected));
    assert_non_null(strstr(fake_host_hint(fake), "--publish"));
    (void)close(fd);
    fake_host_clear_error(fake);
    assert_int_equal(fake_host_call(fake, network()->check), 0);
}

static void refuses_a_taken_tcp_port(void **state)
{
    (void)state;
    taken_port(SOCK_STREAM, "tcp");
}

static void refuses_a_taken_udp_port(void **state)
{
    (void)state;
    taken_port(SOCK_DGRAM, "udp");
}

static void refuses_an_address_that_is_not_ours(void **state)
{
    (void)state;
    /* 192.0.2.0/24 belongs to documentation (RFC 5737) and to no host. */
    fake_host_set(fake, "vm.publish", json_pack("[s]", "192.0.2.1:8080:80"));
    assert_int_equal(fake_host_call(fake, network()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
    assert_non_null(strstr(fake_host_error(fake), "192.0.2.1:8080/tcp"));
}

static void contributes_nic_and_addresses(void **state)
{
    const json_t *nic;
    const json_t *forward;
    const json_t *conf;

    (void)state;
    fake_host_set(fake, "vm.publish", json_pack("[s]", "8080:80"));
    assert_int_equal(fake_host_call(fake, network()->contribute), 0);
    nic = json_array_get(fake_host_contribution(fake, "nics"), 0);
    assert_string_equal(json_string_value(json_object_get(nic, "backend")), "user");
    assert_string_equal(json_string_value(json_object_get(nic, "mac")), "02:01:23:45:67:89");
    forward = json_array_get(json_object_get(nic, "forward"), 0);
    assert_int_equal(json_integer_value(json_object_get(forward, "host_port")), 8080);
    assert_int_equal(json_integer_value(json_object_get(forward, "guest_port")), 80);
    conf = fake_host_contribution(fake, "guest.conf");
    assert_string_equal(json_string_value(json_array_get(json_object_get(conf, "interface"), 0)),
                        "02:01:23:45:67:89 10.0.2.15/24 10.0.2.2");
    assert_non_null(fake_host_contribution(fake, "guest.files"));
}

static void refuses_an_id_that_is_none(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.id", json_string("0123,x"));
    assert_int_equal(fake_host_call(fake, network()->contribute), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINTERNAL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_every_form),
        cmocka_unit_test(refuses_everything_else),
        TEST(refuses_a_port_twice),
        TEST(same_port_of_both_protocols),
        TEST(refuses_what_is_not_text),
        TEST(refuses_too_many),
        TEST(refuses_a_taken_tcp_port),
        TEST(refuses_a_taken_udp_port),
        TEST(refuses_an_address_that_is_not_ours),
        TEST(contributes_nic_and_addresses),
        TEST(refuses_an_id_that_is_none),
    };

    return cmocka_run_group_tests_name("user-network", tests, NULL, NULL);
}
