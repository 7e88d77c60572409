/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Links and the bridge, in a network namespace: what is ours is kept as planned, what is not is left
 * as it is. */
#include "host/address.h"
#include "host/bridge.h"
#include "host/netlink.h"
#include "host/sysctl.h"
#include "netns_fixture.h"

static const struct bridge_plan plan = {.name = "br-fc", .address = "172.16.0.1/24"};

static struct host *host;

static int setup(void **state)
{
    host = host_new(INSTANCE, "/tmp", "/tmp");
    return netns_setup(state);
}

static int teardown(void **state)
{
    (void)state;
    host_free(host);
    return 0;
}

/* -- Links ------------------------------------------------------------------------------------------ */

static void test_find_and_delete(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    struct link link;
    struct link again;
    assert_fails(link_find("eth0", &link, err), BANGER_ENOTFOUND, "'eth0'");
    netns_run("ip link add eth0 address 02:00:00:00:00:05 type bridge");
    assert_ok(link_find("eth0", &link, err));
    assert_string_equal(link.name, "eth0");
    assert_string_equal(link.kind, "bridge");
    assert_string_equal(link.alias, "");
    assert_int_equal(link.master, 0);
    assert_false(link.up);
    assert_memory_equal(link.mac, "\x02\0\0\0\0\x05", MAC_LENGTH);

    assert_ok(link_delete(&link, err));
    assert_ok(link_delete(&link, err));
    /* One that has got the name since is another. */
    netns_run("ip link add eth0 type bridge");
    assert_ok(link_delete(&link, err));
    assert_ok(link_find("eth0", &again, err));
    assert_int_not_equal(again.index, link.index);
}

static void test_change_in_one_request(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    struct link link;
    netns_run("ip link add br0 type bridge && ip tuntap add dev eth0 mode tap");
    int master = (int)if_nametoindex("br0");
    assert_ok(link_find("eth0", &link, err));
    const struct link_change change = {"port0", "some words", master, true};
    assert_ok(link_change(&link, &change, err));
    assert_false(netns_has("eth0"));
    assert_ok(link_find("port0", &link, err));
    assert_string_equal(link.alias, "some words");
    assert_int_equal(link.master, master);
    assert_true(link.up);

    const struct link_change nothing = {.master = -1};
    assert_ok(link_change(&link, &nothing, err));
    assert_ok(link_find("port0", &link, err));
    assert_true(link.up && link.master == master);
    const struct link_change leave = {.master = 0};
    assert_ok(link_change(&link, &leave, err));
    assert_ok(link_find("port0", &link, err));
    assert_int_equal(link.master, 0);
    assert_ok(link_delete(&link, err));
    assert_fails(link_change(&link, &leave, err), BANGER_ENOTFOUND, "'port0'");
}

static void test_list_by_alias(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    char alias[ALIAS_MAX];
    alias_format(host, "", alias);
    assert_string_equal(alias, "banger:" INSTANCE ":");
    netns_run("for i in a b c; do ip link add ${i}0 type bridge || exit 1; done");
    netns_run("ip link set a0 alias banger:" INSTANCE ":pool");
    netns_run("ip link set b0 alias banger:" OTHER_INSTANCE ":pool");
    AUTO_FREE struct link *links = NULL;
    size_t count = 0;
    assert_ok(link_list(alias, &links, &count, err));
    assert_int_equal(count, 1);
    assert_string_equal(links[0].name, "a0");
    assert_true(alias_is(host, &links[0], ALIAS_POOL));
    assert_false(alias_is(host, &links[0], ""));
    assert_false(alias_is(host, &links[0], ALIAS_BRIDGE));
    assert_int_equal(netns_count(""), 3);
}

static void test_privilege(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    assert_ok(netlink_check_privilege(err));
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        banger_error err = BANGER_ERROR_INIT;
        struct link link = {.index = 1, .name = "lo"};
        const struct link_change change = {.alias = "no", .master = -1};
        bool right = setuid(65534) == 0 && netlink_check_privilege(&err) < 0 &&
                     err.code == BANGER_EPERMISSION &&
                     strcmp(err.hint, "run bangerd as root") == 0 &&
                     bridge_check(host, &plan, &err) < 0 && err.code == BANGER_EPERMISSION &&
                     bridge_ensure(host, &plan, NULL, &err) < 0 && err.code == BANGER_EPERMISSION &&
                     link_change(&link, &change, &err) < 0 && err.code == BANGER_EPERMISSION &&
                     link_delete(&link, &err) < 0 && err.code == BANGER_EPERMISSION;
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(netns_count(""), 0);
}

/* A user's daemon beside root's, whose bridge it finds: it lacks the right, and no name is taken from it. */
static void test_privilege_comes_before_names(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    int status = 0;
    netns_run("ip link add br-fc type bridge && ip link set br-fc alias banger:" OTHER_INSTANCE
              ":bridge");
    pid_t child = fork();
    if (child == 0) {
        banger_error err = BANGER_ERROR_INIT;
        bool right = setuid(65534) == 0 && bridge_check(host, &plan, &err) < 0 &&
                     err.code == BANGER_EPERMISSION;
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)netns_clear(NULL);
}

/* -- The bridge ------------------------------------------------------------------------------------- */

static int sysctl_of(const char *key)
{
    int value = -1;
    assert_ok(sysctl_read(key, &value, err));
    return value;
}

static void test_bridge_is_made(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    struct link link;
    bool created = false;
    assert_ok(bridge_check(host, &plan, err));
    assert_false(netns_has("br-fc"));
    assert_ok(bridge_ensure(host, &plan, &created, err));
    assert_true(created);
    assert_ok(bridge_find(host, "br-fc", &link, err));
    assert_string_equal(link.alias, "banger:" INSTANCE ":bridge");
    assert_string_equal(link.kind, "bridge");
    assert_true(link.up);
    assert_memory_equal(link.mac, "\x02\xfc\xac\x10\x00\x01", MAC_LENGTH);
    assert_prints("ip -d link show br-fc", "forward_delay 0 ");
    assert_prints("ip -d link show br-fc", "stp_state 0 ");
    assert_prints("ip -d link show br-fc", "mcast_snooping 1 ");
    assert_prints("ip addr show br-fc", "inet 172.16.0.1/24 scope global br-fc");
    assert_int_equal(sysctl_of("net/ipv4/conf/br-fc/route_localnet"), 1);
    assert_int_equal(sysctl_of("net/ipv6/conf/br-fc/disable_ipv6"), 1);
    assert_int_equal(netns_count(""), 1);

    /* Its own range is no overlap. */
    assert_ok(bridge_check(host, &plan, err));
    assert_ok(bridge_ensure(host, &plan, &created, err));
    assert_false(created);
    assert_int_equal(netns_count(""), 1);
}

/* Who is connected by an address does not lose it to another configuration. */
static void test_bridge_in_use_keeps_its_address(void **state)
{
    static const struct bridge_plan other = {"br-fc", "10.77.0.1/20", NULL};
    static const struct bridge_plan narrow = {"br-fc", "172.16.0.1/28", NULL};
    (void)state;
    NETNS_REQUIRE();
    assert_ok(bridge_ensure(host, &plan, NULL, err));
    assert_ok(bridge_check(host, &other, err));
    netns_run("ip tuntap add dev port0 mode tap && ip link set port0 master br-fc");
    assert_ok(bridge_check(host, &plan, err));
    assert_fails(bridge_check(host, &other, err), BANGER_EBUSY, "has the address 172.16.0.1/24");
    assert_fails(bridge_check(host, &narrow, err), BANGER_EBUSY, "'port0' first");
}

/* A MAC that is set again, an address that goes and comes: guests would notice. */
static void test_bridge_is_left_as_planned(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    assert_ok(bridge_ensure(host, &plan, NULL, err));
    netns_run("ip tuntap add dev port0 mode tap && ip link set port0 address 00:00:00:00:00:07");
    netns_run("ip link set port0 master br-fc up");
    netns_run("ip neigh add 172.16.0.9 lladdr 02:00:00:00:00:09 nud permanent dev br-fc");
    netns_run("ip route add 10.9.0.0/16 via 172.16.0.9");
    assert_ok(bridge_ensure(host, &plan, NULL, err));
    assert_prints("ip neigh show nud all dev br-fc", "02:00:00:00:00:09");
    assert_prints("ip route show", "10.9.0.0/16");
    assert_prints("ip link show br-fc", "02:fc:ac:10:00:01");
}

static void test_bridge_is_brought_up_to_the_plan(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    const struct bridge_plan dual = {"br-fc", "10.77.0.1/20", "fd00:77::1/64"};
    struct link before;
    struct link after;
    assert_ok(bridge_ensure(host, &plan, NULL, err));
    assert_ok(bridge_find(host, "br-fc", &before, err));
    netns_run(
        "ip addr add 172.16.0.77/24 dev br-fc && ip link set br-fc down type bridge stp_state 1");
    assert_ok(bridge_ensure(host, &dual, NULL, err));
    assert_ok(bridge_find(host, "br-fc", &after, err));
    assert_int_equal(before.index, after.index);
    assert_true(after.up);
    assert_memory_equal(after.mac, "\x02\xfc\x0a\x4d\x00\x01", MAC_LENGTH);
    assert_prints("ip -d link show br-fc", "stp_state 0 ");
    AUTO_FREE char *four = netns_ask("ip -4 -o addr show dev br-fc | wc -l");
    assert_string_equal(four, "1\n");
    assert_prints("ip -4 addr show dev br-fc", "inet 10.77.0.1/20 ");
    assert_prints("ip -6 addr show dev br-fc", "inet6 fd00:77::1/64 scope global");
    assert_prints("ip -6 addr show dev br-fc", "nodad");
    assert_int_equal(sysctl_of("net/ipv6/conf/br-fc/accept_ra"), 0);

    const struct bridge_plan other = {"br-fc", "10.77.0.1/20", "fd00:78::1/64"};
    assert_ok(bridge_ensure(host, &other, NULL, err));
    AUTO_FREE char *six = netns_ask("ip -6 -o addr show dev br-fc scope global");
    assert_non_null(strstr(six, "fd00:78::1/64"));
    assert_null(strstr(six, "fd00:77"));

    assert_ok(bridge_ensure(host, &plan, NULL, err));
    AUTO_FREE char *none = netns_ask("ip -6 -o addr show dev br-fc");
    assert_string_equal(none, "");
}

static void test_foreign_links_are_left_alone(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    static const char *const foreign[] = {
        "ip link add br-fc type bridge",
        "ip link add br-fc type bridge && ip link set br-fc alias banger:" OTHER_INSTANCE ":bridge",
        "ip link add br-fc type bridge && ip link set br-fc alias banger:" INSTANCE ":pool",
        "ip tuntap add dev br-fc mode tap",
        "ip tuntap add dev br-fc mode tap && ip link set br-fc alias banger:" INSTANCE ":bridge",
    };
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        struct link link;
        netns_run("%s", foreign[i]);
        AUTO_FREE char *before = netns_ask("ip -d addr show dev br-fc");
        assert_fails(bridge_check(host, &plan, err), BANGER_EBUSY, "'br-fc' exists");
        assert_fails(bridge_ensure(host, &plan, NULL, err), BANGER_EBUSY, "'br-fc' exists");
        assert_fails(bridge_find(host, "br-fc", &link, err), BANGER_EBUSY, "'br-fc' exists");
        assert_fails(bridge_check_guest(host, "br-fc", "172.16.0.2", err), BANGER_EBUSY, "'br-fc'");
        assert_ok(bridge_remove(host, "br-fc", err));
        AUTO_FREE char *after = netns_ask("ip -d addr show dev br-fc");
        assert_string_equal(before, after);
        assert_int_equal(netns_count(""), 1);
        (void)netns_clear(NULL);
    }
}

static void test_bridge_check_overlap(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    const struct bridge_plan dual = {"br-fc", "10.77.0.1/24", "fd00:77::1/64"};
    netns_run("ip link add eth0 up type bridge && ip addr add 172.20.0.1/12 dev eth0");
    assert_fails(bridge_check(host, &plan, err), BANGER_EINVALID, "172.16.0.0/12 through eth0");
    netns_run("ip addr add fd00:77::5/48 nodad dev eth0");
    assert_fails(bridge_check(host, &dual, err), BANGER_EINVALID, "fd00:77::/48 through eth0");
    assert_int_equal(netns_count(""), 1);
}

static void test_bridge_remove(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    assert_ok(bridge_ensure(host, &plan, NULL, err));
    netns_run("ip tuntap add dev port0 mode tap && ip link set port0 master br-fc");
    assert_fails(bridge_remove(host, "br-fc", err), BANGER_EBUSY, "'port0'");
    assert_true(netns_has("br-fc"));
    netns_run("ip link del port0");
    assert_ok(bridge_remove(host, "br-fc", err));
    assert_false(netns_has("br-fc"));
    assert_ok(bridge_remove(host, "br-fc", err));
}

static void test_bridge_check_guest(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    const struct bridge_plan dual = {"br-fc", "172.16.4.1/23", "fd00:77::1/64"};
    static const struct {
        const char *address;
        const char *refused; /* NULL: it is right */
    } rows[] = {
        {"172.16.4.2", NULL},
        {"172.16.4.255", NULL},
        {"172.16.5.0", NULL},
        {"172.16.5.254", NULL},
        {"172.16.4.0", "the network's address in 172.16.4.0/23"},
        {"172.16.4.1", "the bridge's own address"},
        {"172.16.5.255", "the broadcast address"},
        {"172.16.6.2", "does not lie in the range"},
        {"172.16.3.255", "does not lie in the range"},
        {"10.0.0.2", "does not lie in the range"},
        {"172.16.4.0/22", "does not lie in the range"},
        {"172.16.4", "is not an IP address"},
        {"", "is not an IP address"},
        {"fd00:77::2", NULL},
        {"fd00:77::ffff:ffff:ffff:ffff", NULL},
        {"fd00:77::", "the address of all routers in fd00:77::/64"},
        {"fd00:77::1", "the bridge's own address"},
        {"fd00:78::2", "does not lie in the range"},
        {"fe80::2", "does not lie in the range"},
    };
    assert_fails(bridge_check_guest(host, "br-fc", "172.16.4.2", err), BANGER_ENOTFOUND, "'br-fc'");
    assert_ok(bridge_ensure(host, &dual, NULL, err));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].refused == NULL) {
            assert_ok(bridge_check_guest(host, "br-fc", rows[i].address, err));
        } else {
            assert_fails(bridge_check_guest(host, "br-fc", rows[i].address, err), BANGER_EINVALID,
                         rows[i].refused);
        }
    }
    assert_ok(bridge_ensure(host, &plan, NULL, err));
    assert_fails(bridge_check_guest(host, "br-fc", "fd00:77::2", err), BANGER_EINVALID, "range");
}

/* -- Interrupted ------------------------------------------------------------------------------------ */

static int make_bridge(banger_error *err)
{
    return bridge_ensure(host, &plan, NULL, err);
}

static void check_killed_bridge(void)
{
    assert_all_ours();
    assert_true(netns_count("") <= 1);
    assert_ok(bridge_ensure(host, &plan, NULL, err));
    assert_int_equal(netns_count(""), 1);
    assert_prints("ip addr show br-fc up", "inet 172.16.0.1/24");
    assert_ok(bridge_remove(host, "br-fc", err));
    assert_int_equal(netns_count(""), 0);
}

static void test_kill_while_making_the_bridge(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    TRACE_REQUIRE();
    assert_true(netns_kill_everywhere(make_bridge, check_killed_bridge) > 20);
}

/* What a killed daemon left under the name that only we have. */
static void test_unfinished_bridge(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    const char *unfinished = "ip link add br-" INSTANCE " type bridge && ip link set br-" INSTANCE
                             " alias banger:" INSTANCE ":bridge";
    netns_run("%s", unfinished);
    assert_ok(bridge_remove(host, "br-fc", err));
    assert_int_equal(netns_count(""), 0);
    netns_run("%s", unfinished);
    assert_ok(bridge_ensure(host, &plan, NULL, err));
    assert_int_equal(netns_count(""), 1);
    assert_ok(bridge_remove(host, "br-fc", err));
    /* Somebody else's, however unlikely. */
    netns_run("ip link add br-" INSTANCE " type bridge");
    assert_fails(bridge_ensure(host, &plan, NULL, err), BANGER_EBUSY, "'br-" INSTANCE "'");
    assert_ok(bridge_remove(host, "br-fc", err));
    assert_int_equal(netns_count("banger:"), 0);
    assert_int_equal(netns_count(""), 1);
}

#define IN_NETNS(test) cmocka_unit_test_teardown(test, netns_clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_NETNS(test_find_and_delete),
        IN_NETNS(test_change_in_one_request),
        IN_NETNS(test_list_by_alias),
        IN_NETNS(test_privilege),
        IN_NETNS(test_privilege_comes_before_names),
        IN_NETNS(test_bridge_is_made),
        IN_NETNS(test_bridge_is_left_as_planned),
        IN_NETNS(test_bridge_in_use_keeps_its_address),
        IN_NETNS(test_bridge_is_brought_up_to_the_plan),
        IN_NETNS(test_foreign_links_are_left_alone),
        IN_NETNS(test_bridge_check_overlap),
        IN_NETNS(test_bridge_remove),
        IN_NETNS(test_bridge_check_guest),
        IN_NETNS(test_kill_while_making_the_bridge),
        IN_NETNS(test_unfinished_bridge),
    };
    return cmocka_run_group_tests_name("host links", tests, setup, teardown);
}
