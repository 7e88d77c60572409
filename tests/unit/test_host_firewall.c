/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our nft tables, in a network namespace of the test's own: what lies in them, and whose they are. */
#include "base/cleanup.h"
#include "base/str.h"
#include "host/firewall.h"
#include "host/firewall_seal.h"
#include "host/nft.h"
#include "host/nft_rules.h"
#include "net_space.h"

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

static struct host host = {.instance = "0123456789ab"};
static bool permitted;

static const struct firewall_plan plan = {
    .bridge = BRIDGE,
    .prefix = "172.16.0.1/24",
    .prefix6 = "fd00:fc::1/64",
    .isolate = true,
};

static const struct firewall_guest guest_a = {
    .bridge = BRIDGE,
    .tap = "tap-fc-aaaaaaaa",
    .mac = "02:fc:ac:10:00:02",
    .address = A,
    .address6 = "fd00:fc::2",
};

static int setup(void **state)
{
    (void)state;
    permitted = space_enter_new() == 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nft_close(&host);
    firewall_seal_free(host.seal);
    return 0;
}

static int ensure(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    if (permitted && firewall_ensure(&host, &plan, NULL, &err) < 0) {
        print_message("%s\n", err.message);
        return -1;
    }
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    return permitted ? system("nft flush ruleset") : 0;
}

static void need_permission(void)
{
    if (!permitted) {
        print_message("no network namespace can be made here\n");
        skip();
    }
}

#define assert_done(call)                                                                          \
    do {                                                                                           \
        banger_error err = BANGER_ERROR_INIT;                                                      \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", #call, err.message);                                                \
        }                                                                                          \
    } while (0)

#define assert_fails(call, wanted)                                                                 \
    do {                                                                                           \
        banger_error err = BANGER_ERROR_INIT;                                                      \
        assert_int_equal((call), -1);                                                              \
        assert_int_equal(err.code, (wanted));                                                      \
    } while (0)

static bool is_listed(const char *command, const char *what)
{
    AUTO_FREE char *text = space_read(command);
    return strstr(text, what) != NULL;
}

static void test_ensure_keeps_elements(void **state)
{
    (void)state;
    need_permission();
    assert_done(firewall_check(&host, BRIDGE, &err));
    assert_done(firewall_admit(&host, VM_A, &guest_a, &err));
    assert_done(firewall_nat_on(&host, VM_A, BRIDGE, A, &err));
    AUTO_FREE char *before = space_read("nft list ruleset");
    assert_non_null(strstr(before, "02:fc:ac:10:00:02 . 172.16.0.2 comment \"aaaaaaaa\""));
    assert_done(firewall_ensure(&host, &plan, NULL, &err));
    AUTO_FREE char *after = space_read("nft list ruleset");
    assert_string_equal(before, after);

    struct firewall_plan open = plan;
    open.isolate = false;
    open.prefix6 = NULL;
    assert_done(firewall_ensure(&host, &open, NULL, &err));
    AUTO_FREE char *opened = space_read("nft list ruleset");
    assert_string_not_equal(before, opened);
    assert_non_null(strstr(opened, "172.16.0.2 comment \"aaaaaaaa\""));
    assert_done(firewall_ensure(&host, &plan, NULL, &err));
    AUTO_FREE char *again = space_read("nft list ruleset");
    assert_string_equal(before, again);
}

/* Whatever others do to our rules, the next start puts them back; otherwise it writes nothing. */
static void test_ensure_mends(void **state)
{
    (void)state;
    need_permission();
    static const char *const harms[] = {
        "flush chain bridge banger-br-fc from_guest",
        "insert rule inet banger-br-fc guest_to_host accept",
        "flush table inet banger-br-fc",
        "chain bridge banger-br-fc forward { policy drop; }",
        "table bridge banger-br-fc { flags dormant; }",
        "delete table bridge banger-br-fc",
        "flush ruleset",
    };
    static const char list[] = "nft list table bridge banger-br-fc; nft list table inet "
                               "banger-br-fc";
    AUTO_FREE char *whole = space_read(list);
    uint32_t before = 0;
    uint32_t after = 0;
    for (size_t i = 0; i < COUNT_OF(harms); i++) {
        AUTO_FREE char *command = str_format("nft '%s'", harms[i]);
        assert_int_equal(system(command), 0);
        assert_false(is_listed(list, whole));
        assert_done(firewall_ensure(&host, &plan, NULL, &err));
        AUTO_FREE char *mended = space_read(list);
        assert_string_equal(whole, mended);
        assert_done(nft_rules_generation(&before, &err));
        assert_done(firewall_ensure(&host, &plan, NULL, &err));
        assert_done(nft_rules_generation(&after, &err));
        assert_int_equal(before, after);
    }
}

static void test_guest(void **state)
{
    (void)state;
    need_permission();
    AUTO_FREE char *empty = space_read("nft list ruleset");
    assert_done(firewall_admit(&host, VM_A, &guest_a, &err));
    AUTO_FREE char *once = space_read("nft list ruleset");
    assert_done(firewall_admit(&host, VM_A, &guest_a, &err));
    AUTO_FREE char *twice = space_read("nft list ruleset");
    assert_string_equal(once, twice);
    assert_non_null(strstr(once, ". 0xfd0000fc000000000000000000000002 "));

    /* Another address for the same port: the old one gets through no more. */
    struct firewall_guest moved = guest_a;
    moved.address = "172.16.0.9";
    moved.address6 = NULL;
    assert_done(firewall_admit(&host, VM_A, &moved, &err));
    assert_true(is_listed("nft list set bridge banger-br-fc guests", "172.16.0.9"));
    assert_false(is_listed("nft list set bridge banger-br-fc guests", "172.16.0.2"));
    assert_false(is_listed("nft list set bridge banger-br-fc guests6", "fd00"));

    assert_done(firewall_expel(&host, BRIDGE, guest_a.tap, &err));
    assert_done(firewall_expel(&host, BRIDGE, guest_a.tap, &err));
    AUTO_FREE char *gone = space_read("nft list ruleset");
    assert_string_equal(empty, gone);
}

static void test_nat(void **state)
{
    (void)state;
    need_permission();
    static const char uplinks[][16] = {"eth0", "wlan-1.2"};
    bool idle = false;
    assert_done(firewall_is_idle(&host, BRIDGE, &idle, &err));
    assert_true(idle);
    assert_done(firewall_nat_on(&host, VM_A, BRIDGE, A, &err));
    assert_done(firewall_nat_on(&host, VM_A, BRIDGE, A, &err));
    assert_done(firewall_is_idle(&host, BRIDGE, &idle, &err));
    assert_false(idle);
    assert_done(firewall_nat_off(&host, BRIDGE, A, &err));
    assert_done(firewall_nat_off(&host, BRIDGE, A, &err));
    assert_done(firewall_is_idle(&host, BRIDGE, &idle, &err));
    assert_true(idle);

    assert_done(firewall_set_uplinks(&host, BRIDGE, uplinks, 2, &err));
    assert_true(is_listed("nft list set inet banger-br-fc uplinks", "wlan-1.2"));
    assert_done(firewall_set_uplinks(&host, BRIDGE, uplinks, 1, &err));
    assert_false(is_listed("nft list set inet banger-br-fc uplinks", "wlan-1.2"));
    assert_true(is_listed("nft list set inet banger-br-fc uplinks", "eth0"));
    assert_done(firewall_set_uplinks(&host, BRIDGE, NULL, 0, &err));
    assert_false(is_listed("nft list set inet banger-br-fc uplinks", "eth0"));
}

static void test_publish(void **state)
{
    (void)state;
    need_permission();
    static const struct firewall_port ports[] = {
        {false, "0.0.0.0", 8080, 80},
        {true, "127.0.0.1", 5353, 53},
    };
    static const struct firewall_port changed[] = {{false, "0.0.0.0", 8080, 8000}};
    bool idle = true;
    for (int i = 0; i < 2; i++) {
        assert_done(firewall_publish(&host, VM_A, BRIDGE, A, ports, 2, &err));
        assert_true(is_listed("nft list map inet banger-br-fc publish_any",
                              "tcp . 8080 comment \"aaaaaaaa\" : 172.16.0.2 . 80"));
        assert_true(is_listed("nft list map inet banger-br-fc publish",
                              "127.0.0.1 . udp . 5353 comment \"aaaaaaaa\" : 172.16.0.2 . 53"));
    }
    assert_done(firewall_is_idle(&host, BRIDGE, &idle, &err));
    assert_false(idle);
    for (int i = 0; i < 2; i++) {
        assert_done(firewall_publish(&host, VM_A, BRIDGE, A, changed, 1, &err));
        assert_true(is_listed("nft list map inet banger-br-fc publish_any", ": 172.16.0.2 . 8000"));
        assert_false(is_listed("nft list map inet banger-br-fc publish", "5353"));
    }
    for (int i = 0; i < 2; i++) {
        assert_done(firewall_publish(&host, VM_A, BRIDGE, A, NULL, 0, &err));
    }
    assert_done(firewall_is_idle(&host, BRIDGE, &idle, &err));
    assert_true(idle);
}

static void expect_clash(const struct firewall_port *port, const char *text)
{
    banger_error err = BANGER_ERROR_INIT;
    AUTO_FREE char *before = space_read("nft list ruleset");
    assert_int_equal(firewall_publish(&host, VM_B, BRIDGE, B, port, 1, &err), -1);
    assert_int_equal(err.code, BANGER_EBUSY);
    assert_string_equal(err.message, text);
    AUTO_FREE char *after = space_read("nft list ruleset");
    assert_string_equal(before, after);
}

static void test_publish_clash(void **state)
{
    (void)state;
    need_permission();
    static const struct firewall_port ports[] = {
        {false, "0.0.0.0", 8080, 80},
        {false, "127.0.0.1", 9090, 80},
    };
    assert_done(firewall_publish(&host, VM_A, BRIDGE, A, ports, 2, &err));
    expect_clash(&(struct firewall_port){false, "0.0.0.0", 8080, 1},
                 "port 8080/tcp of this host is already published by VM aaaaaaaa");
    expect_clash(&(struct firewall_port){false, "10.0.0.1", 8080, 1},
                 "port 8080/tcp of 10.0.0.1 is already published by VM aaaaaaaa");
    expect_clash(&(struct firewall_port){false, "0.0.0.0", 9090, 1},
                 "port 9090/tcp of this host is already published by VM aaaaaaaa");
    static const struct firewall_port free_ports[] = {
        {true, "0.0.0.0", 8080, 80},
        {false, "10.0.0.1", 9090, 80},
    };
    assert_done(firewall_publish(&host, VM_B, BRIDGE, B, free_ports, 2, &err));
    static const struct firewall_port twice[] = {
        {true, "0.0.0.0", 7, 7},
        {true, "0.0.0.0", 7, 8},
    };
    assert_fails(firewall_publish(&host, VM_B, BRIDGE, B, twice, 2, &err), BANGER_EINVALID);
}

static void test_bad_values(void **state)
{
    (void)state;
    need_permission();
    static const struct firewall_port zero[] = {{false, "0.0.0.0", 0, 80}};
    static const char links[][16] = {"e\" }; flush r"};
    struct firewall_guest bad = guest_a;
    AUTO_FREE char *before = space_read("nft list ruleset");
    bad.tap = "tap-fc-*";
    assert_fails(firewall_admit(&host, VM_A, &bad, &err), BANGER_EINVALID);
    bad = guest_a;
    bad.mac = "02:fc:ac:10:00:02 }";
    assert_fails(firewall_admit(&host, VM_A, &bad, &err), BANGER_EINVALID);
    bad = guest_a;
    bad.address = "172.16.0.0/16";
    assert_fails(firewall_admit(&host, VM_A, &bad, &err), BANGER_EINVALID);
    bad.address = "172.16.0.2\n";
    assert_fails(firewall_admit(&host, VM_A, &bad, &err), BANGER_EINVALID);
    assert_fails(firewall_admit(&host, "xyz", &guest_a, &err), BANGER_EINVALID);
    assert_fails(firewall_nat_on(&host, VM_A, BRIDGE, "0.0.0.0/0", &err), BANGER_EINVALID);
    assert_fails(firewall_nat_on(&host, VM_A, "br fc", A, &err), BANGER_EINVALID);
    assert_fails(firewall_set_uplinks(&host, BRIDGE, links, 1, &err), BANGER_EINVALID);
    assert_fails(firewall_publish(&host, VM_A, BRIDGE, A, zero, 1, &err), BANGER_EINVALID);
    AUTO_FREE char *after = space_read("nft list ruleset");
    assert_string_equal(before, after);
}

/* Nothing was made, or everything was removed: to take back is a success, to give is not. */
static void test_without_tables(void **state)
{
    (void)state;
    need_permission();
    assert_done(firewall_remove(&host, BRIDGE, &err));
    assert_done(firewall_remove(&host, BRIDGE, &err));
    AUTO_FREE char *text = space_read("nft list ruleset");
    assert_string_equal(text, "");
    bool idle = false;
    assert_done(firewall_check(&host, BRIDGE, &err));
    assert_done(firewall_expel(&host, BRIDGE, guest_a.tap, &err));
    assert_done(firewall_nat_off(&host, BRIDGE, A, &err));
    assert_done(firewall_publish(&host, VM_A, BRIDGE, A, NULL, 0, &err));
    assert_done(firewall_is_idle(&host, BRIDGE, &idle, &err));
    assert_true(idle);
    assert_fails(firewall_admit(&host, VM_A, &guest_a, &err), BANGER_ENOTFOUND);
    assert_fails(firewall_nat_on(&host, VM_A, BRIDGE, A, &err), BANGER_ENOTFOUND);
}

/* Somebody else's tables of our names, with sets as ours: another instance of banger's. */
static void test_foreign(void **state)
{
    (void)state;
    need_permission();
    struct host other = {.instance = "ba9876543210"};
    static const struct firewall_port ports[] = {{false, "0.0.0.0", 8080, 80}};
    assert_done(firewall_admit(&host, VM_A, &guest_a, &err));
    assert_done(firewall_nat_on(&host, VM_A, BRIDGE, A, &err));
    assert_done(firewall_publish(&host, VM_A, BRIDGE, A, ports, 1, &err));
    AUTO_FREE char *before = space_read("nft list ruleset");
    assert_fails(firewall_check(&other, BRIDGE, &err), BANGER_EBUSY);
    assert_fails(firewall_ensure(&other, &plan, NULL, &err), BANGER_EBUSY);
    assert_fails(firewall_admit(&other, VM_B, &guest_a, &err), BANGER_EBUSY);
    assert_fails(firewall_nat_on(&other, VM_B, BRIDGE, B, &err), BANGER_EBUSY);
    assert_done(firewall_expel(&other, BRIDGE, guest_a.tap, &err));
    assert_done(firewall_nat_off(&other, BRIDGE, A, &err));
    assert_done(firewall_publish(&other, VM_A, BRIDGE, A, NULL, 0, &err));
    assert_done(firewall_remove(&other, BRIDGE, &err));
    AUTO_FREE char *after = space_read("nft list ruleset");
    assert_string_equal(before, after);
    nft_close(&other);
}

static void test_others_stay(void **state)
{
    (void)state;
    need_permission();
    /* As docker's: base chains, jumps, counters, NAT. */
    space_run("nft -f - <<'EOF'\n"
              "table ip filter {\n"
              " chain DOCKER { iifname docker0 counter accept\n }\n"
              " chain FORWARD { type filter hook forward priority 0; policy drop; jump DOCKER\n }\n"
              "}\n"
              "table ip nat {\n"
              " chain POSTROUTING { type nat hook postrouting priority 100;"
              " ip saddr 172.17.0.0/16 oifname != docker0 masquerade\n }\n"
              "}\n"
              "table inet site {\n"
              " chain in { type filter hook input priority 10; policy drop;\n }\n"
              "}\n"
              "table inet site2 {\n"
              " chain through { type filter hook forward priority 5; policy drop;\n }\n"
              "}\n"
              "EOF");
    const char *list = "for t in 'ip filter' 'ip nat' 'inet site' 'inet site2'; do"
                       " nft -a list table $t; done";
    AUTO_FREE char *before = space_read(list);
    AUTO_JSON json_t *names = json_array();
    assert_done(firewall_foreign_drops(&host, names, &err));
    assert_done(firewall_ensure(&host, &plan, NULL, &err));
    assert_done(firewall_admit(&host, VM_A, &guest_a, &err));
    assert_done(firewall_nat_on(&host, VM_A, BRIDGE, A, &err));
    assert_done(firewall_nat_off(&host, BRIDGE, A, &err));
    assert_done(firewall_remove(&host, BRIDGE, &err));
    AUTO_FREE char *after = space_read(list);
    assert_string_equal(before, after);
    assert_int_equal(json_array_size(names), 2);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "ip filter FORWARD");
    assert_string_equal(json_string_value(json_array_get(names, 1)), "inet site2 through");
}

/* Rules that know ports by name alone drop what another bridge's guests send. */
static void test_second_bridge(void **state)
{
    (void)state;
    need_permission();
    struct host other = {.instance = "ba9876543210"};
    struct firewall_plan second = plan;
    second.bridge = "br-two";
    if (is_listed("nft list ruleset", "ibrname")) {
        assert_done(firewall_ensure(&other, &second, NULL, &err));
    } else {
        AUTO_FREE char *before = space_read("nft list ruleset");
        assert_fails(firewall_ensure(&other, &second, NULL, &err), BANGER_EBUSY);
        AUTO_FREE char *after = space_read("nft list ruleset");
        assert_string_equal(before, after);
    }
    firewall_seal_free(other.seal);
    nft_close(&other);
}

static void *admit_many(void *context)
{
    int *failures = context;
    for (int i = 0; i < 20; i++) {
        banger_error err = BANGER_ERROR_INIT;
        *failures += firewall_nat_on(&host, VM_A, BRIDGE, A, &err) < 0;
        *failures += firewall_admit(&host, VM_A, &guest_a, &err) < 0;
        *failures += firewall_nat_off(&host, BRIDGE, B, &err) < 0;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    need_permission();
    pthread_t threads[3];
    int failures[3] = {0};
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, admit_many, &failures[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(failures[i], 0);
    }
}

struct first_start {
    banger_error err;
    bool created;
};

static void *ensure_once(void *context)
{
    struct first_start *start = context;
    (void)firewall_ensure(&host, &plan, &start->created, &start->err);
    return NULL;
}

/* The first VMs of a host, started at the same time: one of them makes the tables. */
static void test_first_starts(void **state)
{
    (void)state;
    need_permission();
    pthread_t threads[8];
    struct first_start starts[COUNT_OF(threads)] = {0};
    int created = 0;
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ensure_once, &starts[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        (void)pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_string_equal(starts[i].err.message, "");
        created += starts[i].created;
    }
    assert_int_equal(created, 1);
    assert_true(is_listed("nft list tables", "table inet banger-" BRIDGE));
}

#define with_tables(test) cmocka_unit_test_setup_teardown(test, ensure, remove_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_tables(test_ensure_keeps_elements),
        with_tables(test_ensure_mends),
        with_tables(test_guest),
        with_tables(test_nat),
        with_tables(test_publish),
        with_tables(test_publish_clash),
        with_tables(test_bad_values),
        with_tables(test_without_tables),
        with_tables(test_foreign),
        with_tables(test_second_bridge),
        with_tables(test_others_stay),
        with_tables(test_threads),
        cmocka_unit_test_teardown(test_first_starts, remove_all),
    };
    return cmocka_run_group_tests_name("host_firewall", tests, setup, teardown);
}
