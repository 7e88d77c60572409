/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bridge provider's arithmetic, and what it asks of the host. */
#include "subnet.h"
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct fake_host *fake;

static int set_up(void **state)
{
    (void)state;
    fake = fake_host_new("{\"vm\": {\"id\": \"0123456789abcdef0123456789abcdef\","
                         " \"short_id\": \"01234567\"},"
                         " \"host\": {\"instance\": \"a1b2c3d4e5f6\"},"
                         " \"config\": {\"bridge\": \"br-fc\", \"subnet\": \"172.16.0.0/24\","
                         " \"isolate_guests\": true, \"pool\": 4, \"resolvers\": []}}");
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

static const char *stored(const char *key)
{
    return json_string_value(fake_host_stored(fake, key));
}

/* The arguments of the last operation of that name, NULL: it was not asked for. */
static const json_t *asked(const char *name)
{
    const json_t *args = NULL;
    size_t i;
    json_t *operation;

    json_array_foreach (fake_host_operations(fake), i, operation) {
        if (strcmp(json_string_value(json_object_get(operation, "name")), name) == 0) {
            args = json_object_get(operation, "args");
        }
    }
    return args;
}

static const char *argument(const char *operation, const char *name)
{
    return json_string_value(json_object_get(asked(operation), name));
}

static void prefixes(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"172.16.0.0/24", true},
        {"10.0.0.0/8", true},
        {"192.168.1.252/30", true},
        {"172.16.0.1/24", false},
        {"172.16.0.0", false},
        {"172.16.0.0/", false},
        {"172.16.0.0/31", false},
        {"8.0.0.0/7", false},
        {"172.16.0.0/24x", false},
        {"127.0.0.0/24", false},
        {"169.254.0.0/24", false},
        {"224.0.0.0/24", false},
        {"0.0.0.0/8", false},
        {"fd00::/64", false},
        {"/24", false},
        {"172.16.0/24", false},
        {"", false},
        {"255.255.255.0/24", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct subnet subnet;
        const char *reason = NULL;

        if (subnet_parse(rows[i].text, &subnet, &reason) != rows[i].good) {
            fail_msg("%s: %s", rows[i].text, reason);
        }
    }
}

static void addresses_follow_from_the_number(void **state)
{
    struct subnet subnet;
    const char *reason;
    char address[INET_ADDRSTRLEN];
    char address6[INET6_ADDRSTRLEN];
    char mac[MAC_TEXT_SIZE];

    (void)state;
    assert_true(subnet_parse("10.0.0.0/8", &subnet, &reason));
    assert_int_equal(subnet_last(&subnet), (1 << 24) - 2);
    subnet_address(&subnet, 0x010203, address);
    subnet_mac(&subnet, 0x010203, mac);
    subnet_address6("a1b2c3d4e5f6", 0x12345, address6);
    assert_string_equal(address, "10.1.2.3");
    assert_string_equal(mac, "02:fc:0a:01:02:03");
    assert_int_equal(subnet_cid(&subnet, 0x010203), 0x0a010203);
    assert_string_equal(address6, "fda1:b2c3:d4e5::1:2345");
}

static void ensure_tells_the_addresses(void **state)
{
    (void)state;
    fake_host_set_lease(fake, 7);
    assert_int_equal(fake_host_call(fake, network()->ensure), 0);
    assert_string_equal(argument("network.ensure", "address"), "172.16.0.1/24");
    assert_null(json_object_get(asked("network.ensure"), "address6"));
    assert_string_equal(stored("address"), "172.16.0.7");
    assert_string_equal(stored("gateway"), "172.16.0.1");
    assert_string_equal(stored("mac"), "02:fc:ac:10:00:07");
    assert_string_equal(stored("tap"), "tap-fc-01234567");
    assert_null(fake_host_stored(fake, "address6"));
    assert_int_equal(json_integer_value(fake_host_stored(fake, "cid")), 0xac100007);
}

static void ipv6_comes_by_choice(void **state)
{
    (void)state;
    fake_host_set(fake, "config.ipv6", json_true());
    assert_int_equal(fake_host_call(fake, network()->ensure), 0);
    assert_string_equal(argument("network.ensure", "address6"), "fda1:b2c3:d4e5::1/64");
    assert_string_equal(stored("address6"), "fda1:b2c3:d4e5::2");
    assert_int_equal(fake_host_call(fake, network()->contribute), 0);
    const json_t *interfaces =
        json_object_get(fake_host_contribution(fake, "guest.conf"), "interface");
    assert_string_equal(json_string_value(json_array_get(interfaces, 0)),
                        "02:fc:ac:10:00:02 172.16.0.2/24 172.16.0.1");
    assert_string_equal(json_string_value(json_array_get(interfaces, 1)),
                        "02:fc:ac:10:00:02 fda1:b2c3:d4e5::2/64 fda1:b2c3:d4e5::1");
}

/* The row is there before the TAP is asked for, held after it, and gone with it. */
static void the_tap_is_journaled(void **state)
{
    (void)state;
    assert_int_equal(fake_host_call(fake, network()->acquire), 0);
    const json_t *row = json_array_get(fake_host_resources(fake), 0);
    assert_string_equal(json_string_value(json_object_get(row, "key")), "tap-fc-01234567");
    assert_string_equal(json_string_value(json_object_get(row, "state")), "held");
    assert_string_equal(argument("tap.acquire", "mac"), "02:fc:ac:10:00:02");
    assert_int_equal(fake_host_call(fake, network()->cleanup), 0);
    assert_string_equal(argument("tap.release", "tap"), "tap-fc-01234567");
    assert_string_equal(argument("tap.release", "bridge"), "br-fc");
    assert_int_equal(json_array_size(fake_host_resources(fake)), 0);
}

static json_t *refuse(const char *name, const json_t *args)
{
    (void)name;
    (void)args;
    return NULL;
}

static void a_failure_leaves_the_row(void **state)
{
    (void)state;
    fake_host_set_operator(fake, refuse);
    assert_int_equal(fake_host_call(fake, network()->acquire), -1);
    assert_int_equal(json_array_size(fake_host_resources(fake)), 1);
    assert_int_equal(fake_host_call(fake, network()->cleanup), -1);
    assert_int_equal(json_array_size(fake_host_resources(fake)), 1);
    fake_host_set_operator(fake, NULL);
    assert_int_equal(fake_host_call(fake, network()->cleanup), 0);
    assert_int_equal(json_array_size(fake_host_resources(fake)), 0);
}

static void resolvers_can_be_others(void **state)
{
    (void)state;
    assert_int_equal(fake_host_call(fake, network()->contribute), 0);
    const json_t *file = json_array_get(fake_host_contribution(fake, "guest.files"), 0);
    assert_string_equal(json_string_value(json_object_get(file, "content")),
                        "nameserver 172.16.0.1\n");
    fake_host_set(fake, "config.resolvers", json_pack("[s, s]", "9.9.9.9", "1.1.1.1"));
    assert_int_equal(fake_host_call(fake, network()->contribute), 0);
    file = json_array_get(fake_host_contribution(fake, "guest.files"), 0);
    assert_string_equal(json_string_value(json_object_get(file, "content")),
                        "nameserver 9.9.9.9\nnameserver 1.1.1.1\n");
}

static void resolvers_are_addresses(void **state)
{
    static const char *const bad[] = {"", "resolver.example", "9.9.9.9 ", "9.9.9.9\nsearch example",
                                      "9.9.9.9:53"};

    (void)state;
    fake_host_set(fake, "config.resolvers", json_pack("[s, s]", "9.9.9.9", "2620:fe::fe"));
    assert_int_equal(fake_host_call(fake, network()->check), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fake_host_set(fake, "config.resolvers", json_pack("[s]", bad[i]));
        assert_int_equal(fake_host_call(fake, network()->check), -1);
        assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
        fake_host_clear_error(fake);
    }
}

static json_t *make_anew(const char *name, const json_t *args)
{
    (void)name;
    (void)args;
    return json_pack("{s:b}", "created", 1);
}

static int reconcile(void)
{
    return fake_host_call(fake, banger_plugin_v1()->hooks->reconciled);
}

static void what_was_removed_is_made_anew(void **state)
{
    (void)state;
    assert_int_equal(reconcile(), 0); /* of another network */
    assert_int_equal(json_array_size(fake_host_operations(fake)), 0);
    fake_host_set(fake, "runtime.bridge",
                  json_pack("{s:s, s:s, s:s}", "link", "br-fc", "subnet", "172.16.0.0/24",
                            "address", "172.16.0.2"));
    assert_int_equal(reconcile(), 0);
    assert_true(json_is_false(fake_host_stored(fake, "made")));
    fake_host_set_operator(fake, make_anew);
    assert_int_equal(reconcile(), 0);
    assert_true(json_is_true(fake_host_stored(fake, "made")));
    assert_string_equal(argument("tap.acquire", "address"), "172.16.0.2");
    assert_int_equal(json_array_size(fake_host_resources(fake)), 0); /* its row is there */
}

/* The gateway of VMs that run stays; so does their number. */
static void another_configuration_leaves_it_alone(void **state)
{
    (void)state;
    fake_host_set(fake, "runtime.bridge",
                  json_pack("{s:s, s:s, s:s}", "link", "br-fc", "subnet", "172.16.0.0/24",
                            "address", "172.16.0.20"));
    fake_host_set(fake, "config.subnet", json_string("172.16.0.0/28"));
    assert_int_equal(reconcile(), 0);
    assert_int_equal(json_array_size(fake_host_operations(fake)), 0);
    assert_int_equal(json_array_size(fake_host_log(fake)), 1);
}

static void a_full_range_is_an_error(void **state)
{
    (void)state;
    fake_host_set(fake, "config.subnet", json_string("172.16.0.0/30"));
    fake_host_set_lease(fake, 3);
    assert_int_equal(fake_host_call(fake, network()->ensure), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EBUSY);
    assert_null(asked("network.ensure"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(prefixes),
        TEST(addresses_follow_from_the_number),
        TEST(ensure_tells_the_addresses),
        TEST(ipv6_comes_by_choice),
        TEST(the_tap_is_journaled),
        TEST(a_failure_leaves_the_row),
        TEST(resolvers_can_be_others),
        TEST(resolvers_are_addresses),
        TEST(what_was_removed_is_made_anew),
        TEST(another_configuration_leaves_it_alone),
        TEST(a_full_range_is_an_error),
    };
    return cmocka_run_group_tests_name("bridge", tests, NULL, NULL);
}
