/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The firewall's rules, asked with packets. Four machines, each a network namespace:
 *
 *     A 172.16.0.2 --- tap-fc-aaaaaaaa ---+
 *                                          br-fc 172.16.0.1   host   198.51.100.1 --- uplink0 --- world
 *     B 172.16.0.3 --- tap-fc-bbbbbbbb ---+                                         198.51.100.2
 *
 * That something does not arrive is seen without waiting: something that does is sent behind it, by
 * the same thread on the same processor, and arrives alone.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "host/conntrack.h"
#include "host/firewall.h"
#include "host/nft.h"
#include "net_packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BRIDGE "br-fc"
#define VM_A "aaaaaaaa0123456789abcdef01234567"
#define VM_B "bbbbbbbb0123456789abcdef01234567"
#define A "172.16.0.2"
#define B "172.16.0.3"
#define GATEWAY "172.16.0.1"
#define MAC_A "02:fc:ac:10:00:02"
#define MAC_B "02:fc:ac:10:00:03"
#define MAC_GATEWAY "02:fc:ac:10:00:01"
#define WORLD "198.51.100.2" /* TEST-NET-2, RFC 5737 */
#define OUTSIDE "198.51.100.1"

static struct host host = {.instance = "0123456789ab"};
static bool permitted;
static struct {
    int host, a, b, world;
} at;

static const struct firewall_plan apart = {
    .bridge = BRIDGE, .prefix = "172.16.0.1/24", .prefix6 = "fd00:fc::1/64", .isolate = true};
static const struct firewall_plan together = {
    .bridge = BRIDGE, .prefix = "172.16.0.1/24", .prefix6 = "fd00:fc::1/64"};

static const struct firewall_guest guest_a = {BRIDGE, "tap-fc-aaaaaaaa", MAC_A, A, "fd00:fc::2"};
static const struct firewall_guest guest_b = {BRIDGE, "tap-fc-bbbbbbbb", MAC_B, B, "fd00:fc::3"};

#define assert_done(call)                                                                          \
    do {                                                                                           \
        banger_error err = BANGER_ERROR_INIT;                                                      \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", #call, err.message);                                                \
        }                                                                                          \
    } while (0)

/* -- The machines --------------------------------------------------------------------------------- */

static void plug(int space, const char *port, const char *mac, const char *address,
                 const char *address6)
{
    space_run("ip link add %s type veth peer name peer0", port);
    space_run("ip link set peer0 netns /proc/%d/fd/%d", getpid(), space);
    space_run("ip link set %s master " BRIDGE " up", port);
    space_enter(space);
    space_run("ip link set peer0 name eth0 address %s", mac);
    space_run("ip link set eth0 up && ip addr add %s/24 dev eth0", address);
    space_run("ip addr add %s/64 dev eth0 nodad", address6);
    space_run("ip route add default via " GATEWAY);
    space_enter(at.host);
}

static void build_world(void)
{
    space_run("ip link add uplink0 type veth peer name peer0");
    space_run("ip link set peer0 netns /proc/%d/fd/%d", getpid(), at.world);
    space_run("ip addr add " OUTSIDE "/24 dev uplink0 && ip link set uplink0 up");
    space_run("ip route add 169.254.169.254/32 dev uplink0");
    space_enter(at.world);
    space_run("ip link set peer0 name eth0 && ip link set eth0 up");
    space_run("ip addr add " WORLD "/24 dev eth0 && ip addr add 169.254.169.254/32 dev eth0");
    space_run("ip route add 172.16.0.0/24 via " OUTSIDE); /* answers without NAT would arrive */
    space_enter(at.host);
}

/* With br_netfilter, which docker loads, bridged frames pass the table inet as well. */
static void set_bridge_netfilter(bool on)
{
    space_run(
        "test ! -e /proc/sys/net/bridge || echo %d > /proc/sys/net/bridge/bridge-nf-call-iptables",
        on);
}

static int setup(void **state)
{
    (void)state;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
    permitted = space_enter_new() == 0;
    if (!permitted) {
        return 0;
    }
    at.host = space_current();
    net_home = at.host;
    at.a = space_new();
    at.b = space_new();
    at.world = space_new();
    space_run("ip link add " BRIDGE " address " MAC_GATEWAY " type bridge forward_delay 0");
    space_run("ip addr add " GATEWAY "/24 dev " BRIDGE " && ip link set " BRIDGE " up");
    space_run("ip addr add fd00:fc::1/64 dev " BRIDGE " nodad");
    space_run("echo 1 > /proc/sys/net/ipv4/ip_forward");
    space_run("echo 1 > /proc/sys/net/ipv4/conf/" BRIDGE "/route_localnet");
    plug(at.a, guest_a.tap, MAC_A, A, "fd00:fc::2");
    plug(at.b, guest_b.tap, MAC_B, B, "fd00:fc::3");
    build_world();
    set_bridge_netfilter(false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nft_close(&host);
    return 0;
}

static int connect_guests(const struct firewall_plan *plan)
{
    static const char uplinks[][16] = {"uplink0"};
    banger_error err = BANGER_ERROR_INIT;
    if (permitted && (firewall_ensure(&host, plan, NULL, &err) < 0 ||
                      firewall_set_uplinks(&host, BRIDGE, uplinks, 1, &err) < 0 ||
                      firewall_admit(&host, VM_A, &guest_a, &err) < 0 ||
                      firewall_admit(&host, VM_B, &guest_b, &err) < 0)) {
        print_message("%s\n", err.message);
        return -1;
    }
    return 0;
}

static int set_apart(void **state)
{
    (void)state;
    return connect_guests(&apart);
}

static int set_together(void **state)
{
    (void)state;
    return connect_guests(&together);
}

static int set_apart_filtered(void **state)
{
    if (permitted) {
        set_bridge_netfilter(true);
    }
    return set_apart(state);
}

static int set_together_filtered(void **state)
{
    if (permitted) {
        set_bridge_netfilter(true);
    }
    return set_together(state);
}

static int disconnect(void **state)
{
    (void)state;
    if (permitted) {
        set_bridge_netfilter(false);
    }
    banger_error err = BANGER_ERROR_INIT;
    return permitted ? firewall_remove(&host, BRIDGE, &err) : 0;
}

static void need_permission(void)
{
    if (!permitted) {
        print_message("no network namespace can be made here\n");
        skip();
    }
}

/* -- Honest --------------------------------------------------------------------------------------- */

/* Whether a frame that A sends comes up to the host. */
static bool reaches_host(const struct frame *frame, const char *text)
{
    AUTO_CLOSE int port = packets_at(at.a, "eth0");
    AUTO_CLOSE int bridge = packets_at(at.host, BRIDGE);
    struct frame honest = frame_udp(MAC_GATEWAY, MAC_A, GATEWAY, A, 53, "the-honest-one");
    transmit(port, frame);
    transmit(port, &honest);
    return was_seen(bridge, text, "the-honest-one");
}

static void test_spoofed_frames(void **state)
{
    (void)state;
    need_permission();
    struct frame good = frame_udp(MAC_GATEWAY, MAC_A, GATEWAY, A, 53, "asked");
    assert_true(reaches_host(&good, "asked"));
    struct frame mac = frame_udp(MAC_GATEWAY, MAC_B, GATEWAY, A, 53, "asked");
    assert_false(reaches_host(&mac, "asked"));
    struct frame both = frame_udp(MAC_GATEWAY, MAC_B, GATEWAY, B, 53, "asked");
    assert_false(reaches_host(&both, "asked"));
    static const char *const others[] = {B, GATEWAY, "127.0.0.1", "0.0.0.0", "8.8.8.8", WORLD};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct frame ip = frame_udp(MAC_GATEWAY, MAC_A, GATEWAY, others[i], 53, "asked");
        assert_false(reaches_host(&ip, "asked"));
    }
    struct frame other = frame_new(MAC_GATEWAY, MAC_A, 0x88b5); /* IEEE 802 local experimental */
    frame_put(&other, "asked", 5);
    assert_false(reaches_host(&other, "asked"));
    struct frame inner = frame_udp(MAC_GATEWAY, MAC_A, GATEWAY, A, 53, "asked");
    struct frame vlan = frame_new(MAC_GATEWAY, MAC_A, ETH_P_8021Q);
    frame_put(&vlan, "\0\5", 2);
    frame_put(&vlan, inner.data + 2 * ETH_ALEN, inner.length - 2 * ETH_ALEN);
    assert_false(reaches_host(&vlan, "asked"));
}

static struct frame frame_arp(const char *mac, const char *ip)
{
    struct frame frame = frame_new("ff:ff:ff:ff:ff:ff", MAC_A, ETH_P_ARP);
    uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, 2}; /* Ethernet, IPv4, a reply; RFC 826 */
    put_mac(arp + 8, mac);
    assert_int_equal(inet_pton(AF_INET, ip, arp + 14), 1);
    put_mac(arp + 18, MAC_GATEWAY);
    assert_int_equal(inet_pton(AF_INET, GATEWAY, arp + 24), 1);
    frame_put(&frame, arp, sizeof(arp));
    frame_put(&frame, "arped", 5);
    return frame;
}

static void test_spoofed_arp(void **state)
{
    (void)state;
    need_permission();
    struct frame good = frame_arp(MAC_A, A);
    assert_true(reaches_host(&good, "arped"));
    struct frame ip = frame_arp(MAC_A, B);
    assert_false(reaches_host(&ip, "arped"));
    struct frame gateway = frame_arp(MAC_A, GATEWAY);
    assert_false(reaches_host(&gateway, "arped"));
    struct frame mac = frame_arp(MAC_B, A);
    assert_false(reaches_host(&mac, "arped"));
}

static void test_ip6(void **state)
{
    (void)state;
    need_permission();
    AUTO_CLOSE int dns = socket_at(at.host, SOCK_DGRAM, "fd00:fc::1", 53);
    AUTO_CLOSE int other = socket_at(at.host, SOCK_DGRAM, "fd00:fc::1", 54);
    space_enter(at.a);
    space_run("ip addr replace fd00:fc::3/64 dev eth0 nodad");
    space_enter(at.host);
    AUTO_CLOSE int honest = socket_at(at.a, SOCK_DGRAM, "fd00:fc::2", 0);
    AUTO_CLOSE int spoofed = socket_at(at.a, SOCK_DGRAM, "fd00:fc::3", 0);
    say(honest, "fd00:fc::1", 53, "first"); /* finds its neighbour */
    (void)hear(dns, "first", NULL);
    say(spoofed, "fd00:fc::1", 53, "spoofed");
    say(honest, "fd00:fc::1", 54, "service");
    say(honest, "fd00:fc::1", 53, "honest");
    (void)hear(dns, "honest", NULL);
    hear_nothing(other);
    space_enter(at.a);
    space_run("ip addr del fd00:fc::3/64 dev eth0");
    space_enter(at.host);
}

/* LLDP's address passes no hook of the bridge, which all the same learns from it where B is. */
static void test_poisoned_bridge(void **state)
{
    (void)state;
    need_permission();
    AUTO_CLOSE int port = packets_at(at.a, "eth0");
    AUTO_CLOSE int from = socket_at(at.host, SOCK_DGRAM, GATEWAY, 0);
    struct frame lldp = frame_new("01:80:c2:00:00:0e", MAC_B, 0x88cc);
    frame_put(&lldp, "lldp", 4);
    say(from, A, 9, "hello"); /* A's address is resolved */
    assert_false(was_seen(port, "for-b", "hello"));
    space_run("ip neigh replace " B " lladdr " MAC_B " dev " BRIDGE);
    transmit(port, &lldp);
    AUTO_FREE char *fdb = space_read("bridge fdb show br " BRIDGE " | grep " MAC_B);
    assert_non_null(strstr(fdb, guest_a.tap)); /* the attack is one */
    say(from, B, 9, "for-b");
    say(from, A, 9, "for-a");
    assert_false(was_seen(port, "for-b", "for-a"));
    space_run("bridge fdb del " MAC_B " dev %s master", guest_a.tap);
}

/* -- Apart ---------------------------------------------------------------------------------------- */

static bool reaches_b(const struct frame *frame, const char *text)
{
    AUTO_CLOSE int port = packets_at(at.a, "eth0");
    AUTO_CLOSE int other = packets_at(at.b, "eth0");
    AUTO_CLOSE int from = socket_at(at.host, SOCK_DGRAM, GATEWAY, 0);
    transmit(port, frame);
    say(from, B, 9, "the-hosts");
    return was_seen(other, text, "the-hosts");
}

static void test_apart(void **state)
{
    (void)state;
    need_permission();
    struct frame direct = frame_udp(MAC_B, MAC_A, B, A, 9, "knock");
    struct frame routed = frame_udp(MAC_GATEWAY, MAC_A, B, A, 9, "knock");
    struct frame all = frame_udp("ff:ff:ff:ff:ff:ff", MAC_A, "172.16.0.255", A, 9, "knock");
    assert_false(reaches_b(&direct, "knock"));
    assert_false(reaches_b(&routed, "knock"));
    assert_false(reaches_b(&all, "knock"));
    assert_done(firewall_ensure(&host, &together, NULL, &err));
    assert_true(reaches_b(&direct, "knock"));
    assert_true(reaches_b(&all, "knock"));
}

static void test_host_services(void **state)
{
    (void)state;
    need_permission();
    AUTO_CLOSE int dns = socket_at(at.host, SOCK_DGRAM, GATEWAY, 53);
    AUTO_CLOSE int service = socket_at(at.host, SOCK_DGRAM, "0.0.0.0", 2222);
    AUTO_CLOSE int listener = socket_at(at.host, SOCK_STREAM, "0.0.0.0", 2222);
    AUTO_CLOSE int dns_tcp = socket_at(at.host, SOCK_STREAM, GATEWAY, 53);
    AUTO_CLOSE int guest = socket_at(at.a, SOCK_DGRAM, A, 40001);
    assert_done(firewall_nat_on(&host, VM_A, BRIDGE, A, &err)); /* does not change it */
    say(guest, GATEWAY, 2222, "service");
    say(guest, OUTSIDE, 2222, "service");
    say(guest, OUTSIDE, 53, "service");
    AUTO_CLOSE int inside = dial(at.a, GATEWAY, 2222);
    AUTO_CLOSE int outside = dial(at.a, OUTSIDE, 2222);
    struct frame loopback = frame_udp(MAC_GATEWAY, MAC_A, "127.0.0.1", A, 2222, "service");
    AUTO_CLOSE int port = packets_at(at.a, "eth0");
    transmit(port, &loopback);
    say(guest, GATEWAY, 53, "query");
    assert_string_equal(hear(dns, "query", NULL), A);
    hear_nothing(service);
    hear_nothing(listener);
    assert_false(is_connected(inside, 0));
    assert_false(is_connected(outside, 0));
    AUTO_CLOSE int query = dial(at.a, GATEWAY, 53);
    assert_true(is_connected(query, DEADLINE_MS));
    say(dns, A, 40001, "answer");
    (void)hear(guest, "answer", NULL);
}

/* -- Connected ------------------------------------------------------------------------------------ */

static void test_nat(void **state)
{
    (void)state;
    need_permission();
    AUTO_CLOSE int world = socket_at(at.world, SOCK_DGRAM, "0.0.0.0", 7);
    AUTO_CLOSE int guest = socket_at(at.a, SOCK_DGRAM, A, 40002);
    AUTO_CLOSE int from = socket_at(at.host, SOCK_DGRAM, "0.0.0.0", 0);
    struct sockaddr_in seen = {0};
    say(guest, WORLD, 7, "early");
    say(from, WORLD, 7, "hosts");
    (void)hear(world, "hosts", NULL);
    assert_done(firewall_nat_on(&host, VM_A, BRIDGE, A, &err));
    say(guest, WORLD, 7, "out");
    assert_string_equal(hear(world, "out", &seen), OUTSIDE);
    say(world, OUTSIDE, ntohs(seen.sin_port), "back");
    assert_string_equal(hear(guest, "back", NULL), WORLD);
    say(guest, "169.254.169.254", 7, "credentials");
    say(world, A, 40002, "unasked"); /* routed, without NAT */
    say(guest, WORLD, 7, "more");
    (void)hear(world, "more", NULL);

    assert_done(firewall_nat_off(&host, BRIDGE, A, &err));
    say(guest, WORLD, 7, "late");
    say(world, OUTSIDE, ntohs(seen.sin_port), "late");
    say(from, WORLD, 7, "hosts");
    say(from, A, 40002, "hosts");
    (void)hear(world, "hosts", NULL);
    (void)hear(guest, "hosts", NULL);
    AUTO_FREE char *left = space_read("cat /proc/net/nf_conntrack");
    assert_null(strstr(left, "src=" A " dst=" WORLD));
}

static const struct firewall_port published[] = {
    {false, "0.0.0.0", 8080, 80},
    {true, "0.0.0.0", 5353, 53},
    {true, "127.0.0.1", 6000, 53},
};

static void test_publish(void **state)
{
    (void)state;
    need_permission();
    AUTO_CLOSE int web = socket_at(at.a, SOCK_STREAM, A, 80);
    AUTO_CLOSE int names = socket_at(at.a, SOCK_DGRAM, A, 53);
    AUTO_CLOSE int world = socket_at(at.world, SOCK_DGRAM, WORLD, 40003);
    AUTO_CLOSE int local = socket_at(at.host, SOCK_DGRAM, "127.0.0.1", 40004);
    AUTO_CLOSE int from = socket_at(at.host, SOCK_DGRAM, GATEWAY, 0);
    AUTO_CLOSE int neighbour = socket_at(at.b, SOCK_DGRAM, B, 40005);
    struct sockaddr_in asker = {0};
    say(world, OUTSIDE, 5353, "early"); /* is remembered as led nowhere */
    assert_done(firewall_publish(&host, VM_A, BRIDGE, A, published, COUNT_OF(published), &err));
    say(world, OUTSIDE, 5353, "query");
    assert_string_equal(hear(names, "query", NULL), WORLD);
    say(names, WORLD, 40003, "answer");
    assert_string_equal(hear(world, "answer", NULL), OUTSIDE);
    say(local, "127.0.0.1", 6000, "query");
    assert_string_equal(hear(names, "query", &asker), GATEWAY);
    say(names, GATEWAY, ntohs(asker.sin_port), "answer");
    assert_string_equal(hear(local, "answer", NULL), "127.0.0.1");
    AUTO_CLOSE int remote = dial(at.world, OUTSIDE, 8080);
    assert_true(is_connected(remote, DEADLINE_MS));
    AUTO_CLOSE int loopback = dial(at.host, "127.0.0.1", 8080);
    assert_true(is_connected(loopback, DEADLINE_MS));

    say(neighbour, OUTSIDE, 5353, "neighbour"); /* no way round to the guest beside it */
    say(neighbour, GATEWAY, 5353, "neighbour");
    say(from, A, 53, "hosts");
    (void)hear(names, "hosts", NULL);

    assert_done(firewall_publish(&host, VM_A, BRIDGE, A, NULL, 0, &err));
    say(world, OUTSIDE, 5353, "late");
    say(from, A, 53, "hosts");
    (void)hear(names, "hosts", NULL);
    AUTO_CLOSE int late = dial(at.world, OUTSIDE, 8080);
    assert_false(is_connected(late, DEADLINE_MS)); /* refused: nobody listens */
}

/* Guests that may see each other reach each other's published ports too, answers included. */
static void test_together(void **state)
{
    (void)state;
    need_permission();
    AUTO_CLOSE int web = socket_at(at.a, SOCK_STREAM, A, 80);
    AUTO_CLOSE int dns = socket_at(at.host, SOCK_DGRAM, GATEWAY, 53);
    AUTO_CLOSE int neighbour = socket_at(at.b, SOCK_DGRAM, B, 40006);
    static const struct firewall_port all[] = {{false, "0.0.0.0", 8080, 80},
                                               {true, "0.0.0.0", 53, 53}};
    assert_done(firewall_publish(&host, VM_A, BRIDGE, A, all, COUNT_OF(all), &err));
    AUTO_CLOSE int round = dial(at.b, OUTSIDE, 8080);
    assert_true(is_connected(round, DEADLINE_MS));
    AUTO_CLOSE int direct = dial(at.b, A, 80);
    assert_true(is_connected(direct, DEADLINE_MS));
    say(neighbour, GATEWAY, 53, "query"); /* the host's DNS stays the host's */
    (void)hear(dns, "query", NULL);
}

#define when(test, how)                                                                            \
    {                                                                                              \
#test ", " #how, test, how, disconnect, NULL                                               \
    }
#define when_apart(test) when(test, set_apart), when(test, set_apart_filtered)
#define when_together(test) when(test, set_together), when(test, set_together_filtered)

int main(void)
{
    const struct CMUnitTest tests[] = {
        when_apart(test_spoofed_frames),
        when_apart(test_spoofed_arp),
        when_apart(test_ip6),
        when_apart(test_poisoned_bridge),
        when_apart(test_apart),
        when_apart(test_host_services),
        when_apart(test_nat),
        when_apart(test_publish),
        when_together(test_together),
    };
    return cmocka_run_group_tests_name("host_firewall_packets", tests, setup, teardown);
}
