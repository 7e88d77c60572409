/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the routes of a network namespace say, and that NAT follows them. */
#include "host/bridge.h"
#include "host/firewall.h"
#include "host/route.h"
#include "host/uplink.h"
#include "netns_fixture.h"

#define BRIDGE "br-fc"

static struct host *host;

/* Two links to the outside, and one that VPNs have. */
static int make_links(void **state)
{
    (void)state;
    host = host_new(INSTANCE, "/tmp", "/tmp");
    if (netns_failure != 0) {
        return 0;
    }
    netns_run("for i in eth0 eth1 vpn0; do ip link add $i up type bridge || exit 1; done");
    netns_run("ip link set lo up && ip addr add 10.0.0.2/24 dev eth0 &&"
              "ip addr add 10.0.1.2/24 dev eth1 && ip addr add 10.0.2.2/24 dev vpn0");
    return 0;
}

static int drop_links(void **state)
{
    host_free(host);
    return netns_clear(state);
}

/* -- Overlap ---------------------------------------------------------------------------------------- */

static void test_overlap(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    static const struct {
        const char *prefix;
        const char *route; /* NULL: none overlaps */
    } rows[] = {
        {"172.16.0.0/24", "172.16.0.0/12 through eth0"},
        {"172.16.0.1/24", "172.16.0.0/12 through eth0"},
        {"172.0.0.0/8", "172.16.0.0/12 through eth0"},
        {"172.31.255.0/24", "172.16.0.0/12 through eth0"},
        {"172.32.0.0/24", NULL},
        {"10.0.1.128/25", "10.0.1.0/24 through eth1"},
        {"10.0.0.0/23", "through eth"},
        {"10.0.3.0/24", NULL},
        {"10.50.0.0/24", "10.50.0.9/32 through eth1"},   /* a single host of another table */
        {"10.60.0.0/24", "10.60.0.0/16 through eth0"},   /* the second way of two */
        {"10.70.0.0/24", NULL},                          /* a blackhole leads nowhere */
        {"192.168.9.0/24", "192.168.9.1/32 through lo"}, /* this host's own address */
        {"127.0.0.0/24", "127.0.0.0/8 through lo"},
        {"192.168.200.0/24", NULL},
        {"fd00:1::/64", "fd00:1::/48 through eth0"},
        {"fd00:2::/64", NULL},
        {"fe80::/64", "fe80::/64 through eth"},
    };
    netns_run("ip route add 172.16.0.0/12 via 10.0.0.1");
    netns_run("ip route add 10.50.0.9 via 10.0.1.1 table 77");
    netns_run("ip route add 10.60.0.0/16 nexthop via 10.0.2.1 nexthop via 10.0.0.1");
    netns_run("ip route add blackhole 10.70.0.0/16 && ip addr add 192.168.9.1/32 dev lo");
    netns_run("ip route add default via 10.0.0.1 && ip route add default via 10.0.1.1 metric 5");
    netns_run("ip route add 0.0.0.0/1 via 10.0.2.1 && ip route add 128.0.0.0/1 via 10.0.2.1");
    netns_run("ip addr add fd00:1::2/48 dev eth0 nodad && ip -6 route add default via fd00:1::1");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].route == NULL) {
            assert_ok(route_check_overlap(rows[i].prefix, "vpn0", err));
        } else {
            assert_fails(route_check_overlap(rows[i].prefix, "vpn0", err), BANGER_EINVALID,
                         rows[i].route);
        }
    }
    assert_ok(route_check_overlap("10.0.2.0/24", "vpn0", err));
    assert_fails(route_check_overlap("10.0.2.0/24", "vpn1", err), BANGER_EINVALID, "through vpn0");
    assert_fails(route_check_overlap("10.0.2.0/24", NULL, err), BANGER_EINVALID, "through vpn0");
    assert_fails(route_check_overlap("10.0.2.0/33", NULL, err), BANGER_EINVALID, "'33'");
    assert_fails(route_check_overlap("10.0.2", NULL, err), BANGER_EINVALID, "not an IP address");
}

/* -- Uplinks ---------------------------------------------------------------------------------------- */

/* "eth0 eth1", of at most `max`. */
static void assert_uplinks(size_t max, const char *wanted)
{
    char names[8][IFNAMSIZ];
    size_t count = 0;
    AUTO_BUF struct buf text = BUF_INIT;
    assert_ok(route_uplinks(names, max, &count, err));
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, i == 0 ? "%s" : " %s", names[i]);
    }
    assert_string_equal(text.data, wanted);
}

static void test_uplinks(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    char names[8][IFNAMSIZ];
    size_t count = 9;
    netns_run("ip route add default via 10.0.2.1 table 77");
    netns_run("ip route add blackhole default metric 999 && ip route add 10.9.0.0/16 via 10.0.2.1");
    assert_fails(route_uplinks(names, 8, &count, err), BANGER_ENOTFOUND, "no default route");
    assert_int_equal(count, 0);
    netns_run("ip route add default via 10.0.1.1 metric 200");
    assert_uplinks(8, "eth1");
    netns_run("ip route add default via 10.0.0.1 metric 100");
    netns_run("ip route add default via 10.0.1.9 metric 300");
    assert_uplinks(8, "eth0 eth1");
    assert_uplinks(1, "eth0");
    netns_run("ip route add 0.0.0.0/1 via 10.0.2.1 metric 500");
    assert_uplinks(8, "vpn0 eth0 eth1");
    netns_run("ip route del 0.0.0.0/1");
    netns_run("ip route replace default metric 100 nexthop via 10.0.2.1 nexthop via 10.0.0.1");
    assert_uplinks(8, "eth0 vpn0 eth1");
}

static void test_uplink_check(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(uplink_check("eth0", &err), 0);
    assert_int_equal(uplink_check("auto", &err), 0);
    assert_int_equal(uplink_check("eth2", &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_non_null(strstr(err.message, "'eth2'"));
    assert_non_null(strstr(err.hint, "did you mean 'eth"));
    assert_int_equal(uplink_check("wlp0s20f3", &err), -1);
    assert_non_null(strstr(err.hint, "auto"));
}

/* -- Following -------------------------------------------------------------------------------------- */

/* Whether the bridge's set has just these, each as "eth0 eth1 " in the order of the links' names. */
static bool set_is(const char *bridge, const char *wanted)
{
    AUTO_FREE char *command =
        str_format("nft list set inet banger-%s uplinks | grep -o '\"[a-z0-9]*\"' | tr -d '\"' |"
                   " sort | tr '\\n' ' '",
                   bridge);
    AUTO_FREE char *have = netns_ask(command);
    return strcmp(have, wanted) == 0;
}

static bool make_tables(void)
{
    static const struct firewall_plan plan = {
        .bridge = BRIDGE, .prefix = "172.16.0.0/24", .isolate = true};
    banger_error err = BANGER_ERROR_INIT;
    if (firewall_ensure(host, &plan, NULL, &err) == 0) {
        return true;
    }
    if (err.code != BANGER_EUNSUPPORTED) {
        fail_msg("%s", err.message);
    }
    print_message("%s\n", err.message);
    return false;
}

static int drop_tables(void **state)
{
    if (netns_failure == 0) {
        (void)firewall_remove(host, BRIDGE, NULL);
        (void)firewall_remove(host, "br-two", NULL);
    }
    return drop_links(state);
}

#define TABLES_REQUIRE()                                                                           \
    do {                                                                                           \
        NETNS_REQUIRE();                                                                           \
        if (!make_tables()) {                                                                      \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void test_set_follows_routes(void **state)
{
    (void)state;
    TABLES_REQUIRE();
    assert_ok(uplink_apply(host, BRIDGE, UPLINK_AUTO, err));
    assert_true(set_is(BRIDGE, ""));
    netns_run("ip route add default via 10.0.0.1");
    assert_soon(set_is(BRIDGE, "eth0 "));
    netns_run("ip route replace default via 10.0.1.1");
    assert_soon(set_is(BRIDGE, "eth1 "));
    netns_run("ip route add default via 10.0.0.1 metric 9");
    assert_soon(set_is(BRIDGE, "eth0 eth1 "));
    netns_run("ip route del default via 10.0.1.1");
    assert_soon(set_is(BRIDGE, "eth0 "));
    assert_ok(uplink_apply(host, BRIDGE, UPLINK_AUTO, err));
    assert_true(set_is(BRIDGE, "eth0 "));
    /* A burst, of which the last word counts. */
    netns_run("for i in 1 2 3 4 5 6 7 8 9; do ip route add default via 10.0.1.1 metric 5;"
              "ip route add default via 10.0.2.1 metric 6; ip route del default metric 5;"
              "ip route del default metric 6; done; ip route add default via 10.0.2.1 metric 1");
    assert_soon(set_is(BRIDGE, "eth0 vpn0 "));
}

/* The kernel takes these routes away without a word. */
static void test_set_follows_links(void **state)
{
    (void)state;
    TABLES_REQUIRE();
    netns_run("ip route add default via 10.0.0.1 && ip route add default via 10.0.1.1 metric 9 &&"
              "ip route add default via 10.0.2.1 metric 10");
    assert_ok(uplink_apply(host, BRIDGE, UPLINK_AUTO, err));
    assert_true(set_is(BRIDGE, "eth0 eth1 vpn0 "));
    netns_run("ip link set eth0 down");
    assert_soon(set_is(BRIDGE, "eth1 vpn0 "));
    netns_run("ip addr del 10.0.1.2/24 dev eth1");
    assert_soon(set_is(BRIDGE, "vpn0 "));
    netns_run("ip link set vpn0 name wg0");
    assert_soon(set_is(BRIDGE, "wg0 ") || set_is(BRIDGE, ""));
    netns_run("ip route replace default via 10.0.2.1 dev wg0");
    assert_soon(set_is(BRIDGE, "wg0 "));
    netns_run("ip link del wg0");
    assert_soon(set_is(BRIDGE, ""));
}

static void test_latest_call_counts(void **state)
{
    (void)state;
    TABLES_REQUIRE();
    /* By hand: not every kernel lets two bridges have rules (firewall_check_alone). */
    netns_run("nft add table inet banger-br-two");
    netns_run("nft add set inet banger-br-two owner-" INSTANCE " '{ type mark; }'");
    netns_run("nft add set inet banger-br-two uplinks '{ type ifname; }'");
    assert_ok(uplink_apply(host, BRIDGE, UPLINK_AUTO, err));
    assert_ok(uplink_apply(host, "br-two", UPLINK_AUTO, err));
    netns_run("ip route add default via 10.0.0.1");
    assert_soon(set_is(BRIDGE, "eth0 ") && set_is("br-two", "eth0 "));
    assert_ok(uplink_apply(host, BRIDGE, "vpn0", err));
    assert_true(set_is(BRIDGE, "vpn0 "));
    netns_run("ip route replace default via 10.0.1.1");
    assert_soon(set_is("br-two", "eth1 "));
    assert_true(set_is(BRIDGE, "vpn0 "));
    assert_ok(uplink_apply(host, BRIDGE, UPLINK_AUTO, err));
    assert_true(set_is(BRIDGE, "eth1 "));

    /* Tables outlive the daemon, and its successor begins where the routes are by then. */
    host_free(host);
    host = host_new(INSTANCE, "/tmp", "/tmp");
    netns_run("ip route replace default via 10.0.2.1");
    assert_true(set_is(BRIDGE, "eth1 "));
    assert_ok(uplink_apply(host, BRIDGE, UPLINK_AUTO, err));
    assert_true(set_is(BRIDGE, "vpn0 "));
}

static void test_table_that_is_gone(void **state)
{
    (void)state;
    TABLES_REQUIRE();
    assert_ok(uplink_apply(host, BRIDGE, UPLINK_AUTO, err));
    assert_ok(firewall_remove(host, BRIDGE, err));
    assert_int_equal(uplink_apply(host, BRIDGE, UPLINK_AUTO, NULL), -1);
    assert_int_equal(uplink_apply(host, BRIDGE, "eth0", NULL), -1);
    netns_run("ip route add default via 10.0.0.1");
    assert_true(make_tables());
    assert_ok(uplink_apply(host, BRIDGE, UPLINK_AUTO, err));
    assert_true(set_is(BRIDGE, "eth0 "));
}

#define IN_NETNS(test) cmocka_unit_test_setup_teardown(test, make_links, drop_links)
#define WITH_TABLES(test) cmocka_unit_test_setup_teardown(test, make_links, drop_tables)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_NETNS(test_overlap),
        IN_NETNS(test_uplinks),
        IN_NETNS(test_uplink_check),
        WITH_TABLES(test_set_follows_routes),
        WITH_TABLES(test_set_follows_links),
        WITH_TABLES(test_latest_call_counts),
        WITH_TABLES(test_table_that_is_gone),
    };
    return cmocka_run_group_tests_name("host route", tests, netns_setup, NULL);
}
