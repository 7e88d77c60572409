/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TAP devices and their pool, in a network namespace. */
#include "host/bridge.h"
#include "host/sysctl.h"
#include "host/tap.h"
#include "host/tap_pool.h"
#include "netns_fixture.h"

#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <sys/ioctl.h>

#define TAP "tap-fc-11112222"
#define OTHER_VM_ID "99992222333344445555666677778888"
#define OURS "banger:" INSTANCE ":"

static const struct bridge_plan plan = {.name = "br-fc", .address = "172.16.0.1/24"};

static struct host *host;

static int make_host(void **state)
{
    (void)state;
    host = host_new(INSTANCE, "/tmp", "/tmp");
    if (netns_failure != 0) {
        return 0;
    }
    if (access("/dev/net/tun", R_OK | W_OK) < 0) {
        netns_failure = errno;
        return 0;
    }
    assert_ok(bridge_ensure(host, &plan, NULL, err));
    return 0;
}

static int drop_host(void **state)
{
    host_free(host); /* the pool's thread before its devices */
    return netns_clear(state);
}

static void restart_host(void)
{
    host_free(host);
    host = host_new(INSTANCE, "/tmp", "/tmp");
}

/* What a VMM does with the device that is made for it; a descriptor. */
static int attach(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
    return fd;
}

static void assert_vm_tap(const char *name, const char *vm_id)
{
    struct link link;
    assert_ok(link_find(name, &link, err));
    assert_true(alias_is(host, &link, vm_id));
    assert_string_equal(link.kind, "tun");
    assert_int_equal(link.master, if_nametoindex("br-fc"));
    assert_true(link.up);
}

/* -- One -------------------------------------------------------------------------------------------- */

static void test_create(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    struct link link;
    struct link found;
    int off = 0;
    assert_ok(tap_create(TAP, OURS "some", &link, err));
    assert_ok(link_find(TAP, &found, err));
    assert_int_equal(link.index, found.index);
    assert_string_equal(link.alias, OURS "some");
    assert_string_equal(found.alias, OURS "some");
    assert_int_equal(found.master, 0);
    assert_false(found.up);
    assert_ok(sysctl_read("net/ipv6/conf/" TAP "/disable_ipv6", &off, err));
    assert_int_equal(off, 1);
    assert_prints("ip -d link show " TAP, "tun type tap pi off vnet_hdr on persist on user ");
    AUTO_CLOSE int fd = attach(TAP);
    assert_int_equal((int)if_nametoindex(TAP), link.index);
}

static void test_only_our_user_attaches(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    struct link link;
    int status = 0;
    assert_ok(tap_create(TAP, OURS "some", &link, err));
    AUTO_CLOSE int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    pid_t child = fork();
    if (child == 0) { /* as if /dev/net/tun were open for all, as udev's rules make it */
        struct ifreq request = {.ifr_name = TAP, .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
        bool refused = setuid(65534) == 0 && ioctl(fd, TUNSETIFF, &request) < 0 && errno == EPERM;
        _exit(refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Whether this user may attach to the TAP, through a /dev/net/tun that is open for all. */
static bool may_attach(uid_t uid)
{
    int status = -1;
    AUTO_CLOSE int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        struct ifreq request = {.ifr_name = TAP, .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
        _exit(setuid(uid) == 0 && ioctl(fd, TUNSETIFF, &request) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status == 0;
}

static void test_lent_to_one_user(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    assert_fails(tap_lend(host, VM_ID, TAP, 65533, err), BANGER_ENOTFOUND, TAP);
    assert_ok(tap_pool_resize(host, 1, err));
    assert_ok(tap_acquire(host, VM_ID, "br-fc", TAP, NULL, err));
    assert_false(may_attach(65533));
    assert_fails(tap_lend(host, OTHER_VM_ID, TAP, 65533, err), BANGER_EBUSY, "is not this VM's");
    assert_ok(tap_lend(host, VM_ID, TAP, 65533, err));
    assert_ok(tap_lend(host, VM_ID, TAP, 65533, err));
    assert_true(may_attach(65533));
    assert_false(may_attach(65534));
    assert_vm_tap(TAP, VM_ID);

    /* Another VM must not get one that this user may open. */
    struct link before;
    assert_ok(link_find(TAP, &before, err));
    assert_ok(tap_release(host, VM_ID, TAP, err));
    AUTO_FREE char *left = netns_ask("ip -o link show");
    AUTO_FREE char *start = str_format("%d: ", before.index);
    assert_null(strstr(left, start));
    assert_ok(tap_pool_resize(host, 0, err));
}

static void test_foreign_names(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    static const char *const foreign[] = {
        "ip tuntap add dev " TAP " mode tap",
        "ip link add " TAP " type bridge",
        "ip tuntap add dev " TAP " mode tap && ip link set " TAP " alias banger:" OTHER_INSTANCE
        ":" VM_ID,
        "ip tuntap add dev " TAP " mode tap && ip link set " TAP " alias " OURS OTHER_VM_ID,
        "ip tuntap add dev " TAP " mode tap && ip link set " TAP " alias " OURS "pool",
    };
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        struct link link;
        netns_run("%s", foreign[i]);
        AUTO_FREE char *before = netns_ask("ip -d addr show dev " TAP);
        assert_fails(tap_create(TAP, OURS VM_ID, &link, err), BANGER_EBUSY, "'" TAP "' exists");
        assert_fails(tap_acquire(host, VM_ID, "br-fc", TAP, NULL, err), BANGER_EBUSY,
                     "is not this VM's");
        assert_ok(tap_release(host, VM_ID, TAP, err));
        AUTO_FREE char *after = netns_ask("ip -d addr show dev " TAP);
        assert_string_equal(before, after);
        netns_run("ip link del " TAP);
    }
    assert_int_equal(netns_count(""), 1);
}

static void test_acquire_without_a_pool(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    struct link before;
    struct link after;
    bool pooled = true;
    assert_ok(tap_acquire(host, VM_ID, "br-fc", TAP, &pooled, err));
    assert_false(pooled);
    assert_vm_tap(TAP, VM_ID);
    assert_ok(link_find(TAP, &before, err));

    /* Of a daemon that was killed before it had it up and a port: the same device is mended. */
    netns_run("ip link set " TAP " down nomaster");
    assert_ok(tap_acquire(host, VM_ID, "br-fc", TAP, NULL, err));
    assert_ok(link_find(TAP, &after, err));
    assert_int_equal(before.index, after.index);
    assert_vm_tap(TAP, VM_ID);

    assert_ok(tap_release(host, VM_ID, TAP, err));
    assert_false(netns_has(TAP));
    assert_ok(tap_release(host, VM_ID, TAP, err));
    assert_int_equal(netns_count(""), 1);
}

static void test_acquire_needs_our_bridge(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    netns_run("ip link add br-other type bridge");
    assert_fails(tap_acquire(host, VM_ID, "br-none", TAP, NULL, err), BANGER_ENOTFOUND, "br-none");
    assert_fails(tap_acquire(host, VM_ID, "br-other", TAP, NULL, err), BANGER_EBUSY, "br-other");
    assert_false(netns_has(TAP));
}

/* -- The pool --------------------------------------------------------------------------------------- */

static void test_pool(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    bool pooled = false;
    struct link link;
    assert_int_equal(tap_pool_ready(host), 0);
    assert_false(tap_pool_take(host, &link));
    assert_ok(tap_pool_resize(host, 3, err));
    assert_soon(tap_pool_ready(host) == 3);
    assert_int_equal(netns_count(OURS "pool"), 3);
    assert_int_equal(netns_count(""), 4);

    assert_ok(tap_acquire(host, VM_ID, "br-fc", TAP, &pooled, err));
    assert_true(pooled);
    assert_vm_tap(TAP, VM_ID);
    int off = 0;
    assert_ok(sysctl_read("net/ipv6/conf/" TAP "/disable_ipv6", &off, err));
    assert_int_equal(off, 1);
    AUTO_CLOSE int fd = attach(TAP);
    assert_soon(tap_pool_ready(host) == 3);
    assert_int_equal(netns_count(OURS "pool"), 3);

    assert_ok(tap_pool_resize(host, 1, err));
    assert_int_equal(tap_pool_ready(host), 1);
    assert_int_equal(netns_count(OURS "pool"), 1);
    assert_ok(tap_pool_resize(host, 0, err));
    assert_int_equal(netns_count(OURS "pool"), 0);
    assert_vm_tap(TAP, VM_ID);
}

static void test_pool_survives_a_restart(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    assert_ok(tap_pool_resize(host, 4, err));
    assert_soon(tap_pool_ready(host) == 4);
    AUTO_FREE char *before = netns_ask("ip -br link | grep tap-fc-pool | sort");
    restart_host();
    assert_int_equal(netns_count(OURS "pool"), 4);
    assert_ok(tap_pool_resize(host, 4, err));
    assert_int_equal(tap_pool_ready(host), 4);
    AUTO_FREE char *after = netns_ask("ip -br link | grep tap-fc-pool | sort");
    assert_string_equal(before, after);

    restart_host();
    assert_ok(tap_pool_resize(host, 6, err));
    assert_soon(tap_pool_ready(host) == 6);
    assert_int_equal(netns_count(OURS "pool"), 6);
    restart_host();
    assert_ok(tap_pool_resize(host, 0, err));
    assert_int_equal(netns_count(OURS "pool"), 0);
}

/* A killed daemon can leave a device that was half handed over; strangers can have our names. */
static void test_pool_adopts_only_what_it_made(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    netns_run("ip tuntap add dev " TAP " mode tap && ip link set " TAP " alias " OURS "pool");
    netns_run("ip tuntap add dev tap-fc-pool7 mode tap && ip link set tap-fc-pool7 alias " OURS
              "pool master br-fc");
    netns_run("ip tuntap add dev tap-fc-pool0 mode tap");
    netns_run("ip tuntap add dev tap-fc-pool1 mode tap && ip link set tap-fc-pool1 alias "
              "banger:" OTHER_INSTANCE ":pool");
    netns_run("ip tuntap add dev tap-fc-pool2 mode tap && ip link set tap-fc-pool2 alias " OURS
              "pool");
    netns_run("ip tuntap add dev tap-fc-pool3 mode tap && ip link set tap-fc-pool3 alias " OURS
              "pool" VM_ID);
    assert_ok(tap_pool_resize(host, 2, err));
    assert_soon(tap_pool_ready(host) == 2);
    assert_false(netns_has(TAP));
    assert_false(netns_has("tap-fc-pool7"));
    assert_true(netns_has("tap-fc-pool2") && netns_has("tap-fc-pool4"));
    assert_prints("ip link show tap-fc-pool1", "alias banger:" OTHER_INSTANCE ":pool");
    assert_ok(tap_pool_resize(host, 0, err));
    assert_true(netns_has("tap-fc-pool0") && netns_has("tap-fc-pool1"));
    assert_true(netns_has("tap-fc-pool3"));
    assert_false(netns_has("tap-fc-pool2") || netns_has("tap-fc-pool4"));
}

/* Somebody deletes what waits, or makes it useless: no start fails by it. */
static void test_pool_device_is_gone(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    bool pooled = true;
    struct link link;
    assert_ok(tap_pool_resize(host, 1, err));
    assert_soon(tap_pool_ready(host) == 1);
    netns_run("ip link del tap-fc-pool0");
    assert_ok(tap_acquire(host, VM_ID, "br-fc", TAP, &pooled, err));
    assert_false(pooled);
    assert_vm_tap(TAP, VM_ID);

    /* The kernel renames and marks this one, and then refuses it as a port, since it speaks SLIP. */
    assert_soon(tap_pool_ready(host) == 1);
    AUTO_CLOSE int fd = attach("tap-fc-pool1");
    assert_int_equal(ioctl(fd, TUNSETLINK, ARPHRD_SLIP), 0);
    netns_run("ip link del " TAP);
    assert_ok(link_find("tap-fc-pool1", &link, err));
    assert_ok(tap_acquire(host, VM_ID, "br-fc", TAP, &pooled, err));
    assert_false(pooled);
    assert_vm_tap(TAP, VM_ID);
    assert_int_not_equal((int)if_nametoindex(TAP), link.index);
    assert_soon(tap_pool_ready(host) == 1);
    assert_int_equal(netns_count(""), 3);
}

/* What a VM gives back waits for the next one: down, no port, the pool's. */
static void test_given_back(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    struct link first;
    struct link second;
    bool pooled = false;
    assert_ok(tap_pool_resize(host, 1, err));
    assert_soon(tap_pool_ready(host) == 1);
    assert_ok(tap_acquire(host, VM_ID, "br-fc", TAP, &pooled, err));
    assert_ok(link_find(TAP, &first, err));
    assert_soon(tap_pool_ready(host) == 1);
    assert_ok(tap_release(host, VM_ID, TAP, err));
    assert_false(netns_has(TAP));
    assert_int_equal(tap_pool_ready(host), 2);
    assert_all_ours();

    assert_ok(tap_acquire(host, OTHER_VM_ID, "br-fc", TAP, &pooled, err));
    assert_true(pooled);
    assert_ok(link_find(TAP, &second, err));
    assert_int_equal(first.index, second.index);
    assert_vm_tap(TAP, OTHER_VM_ID);

    /* A program still has it: no VM may get it after this one. */
    AUTO_CLOSE int fd = attach(TAP);
    assert_ok(tap_release(host, OTHER_VM_ID, TAP, err));
    assert_false(netns_has(TAP));
    assert_int_equal((int)tap_pool_ready(host), 1);
    assert_int_equal(netns_count(""), 2);
}

/* Twice the size is kept, and no more; a smaller size takes them away. */
static void test_given_back_too_many(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    static const char *const vms[] = {VM_ID, OTHER_VM_ID, "33333333333333333333333333333333"};
    static const char *const taps[] = {"tap-fc-00000001", "tap-fc-00000002", "tap-fc-00000003"};
    for (size_t i = 0; i < COUNT_OF(vms); i++) {
        assert_ok(tap_acquire(host, vms[i], "br-fc", taps[i], NULL, err));
    }
    assert_ok(tap_pool_resize(host, 1, err));
    assert_soon(tap_pool_ready(host) == 1);
    for (size_t i = 0; i < COUNT_OF(vms); i++) {
        assert_ok(tap_release(host, vms[i], taps[i], err));
        assert_false(netns_has(taps[i]));
    }
    assert_int_equal(tap_pool_ready(host), 2);
    assert_int_equal(netns_count(""), 3); /* and the bridge */
    assert_ok(tap_pool_resize(host, 0, err));
    assert_int_equal(netns_count(""), 1);
}

#define STARTS 24
#define STARTERS 6

static void *start_many(void *context)
{
    unsigned first = *(const unsigned *)context;
    for (unsigned i = first; i < STARTS; i += STARTERS) {
        char vm_id[33];
        char name[IFNAMSIZ];
        (void)snprintf(vm_id, sizeof(vm_id), "%032u", i);
        (void)snprintf(name, sizeof(name), "tap-fc-%08u", i);
        if (tap_acquire(host, vm_id, "br-fc", name, NULL, NULL) < 0) {
            return host;
        }
    }
    return NULL;
}

static void test_many_starts_at_once(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    pthread_t threads[STARTERS];
    unsigned firsts[STARTERS];
    assert_ok(tap_pool_resize(host, 4, err));
    for (unsigned i = 0; i < STARTERS; i++) {
        firsts[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, start_many, &firsts[i]), 0);
    }
    for (unsigned i = 0; i < STARTERS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_soon(tap_pool_ready(host) == 4);
    assert_int_equal(netns_count(OURS "pool"), 4);
    assert_int_equal(netns_count(OURS), 1 + 4 + STARTS);
    assert_all_ours();
    for (unsigned i = 0; i < STARTS; i++) {
        char vm_id[33];
        char name[IFNAMSIZ];
        (void)snprintf(vm_id, sizeof(vm_id), "%032u", i);
        (void)snprintf(name, sizeof(name), "tap-fc-%08u", i);
        assert_vm_tap(name, vm_id);
    }
}

static void test_pool_without_privilege(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        banger_error err = BANGER_ERROR_INIT;
        bool right = setuid(65534) == 0 && tap_pool_resize(host, 2, &err) < 0 &&
                     err.code == BANGER_EPERMISSION &&
                     strcmp(err.hint, "run bangerd as root") == 0 &&
                     tap_acquire(host, VM_ID, "br-fc", TAP, NULL, &err) < 0 &&
                     err.code == BANGER_EPERMISSION;
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(netns_count(""), 1);
}

/* -- Interrupted ------------------------------------------------------------------------------------ */

static int create_step(banger_error *err)
{
    struct link link;
    return tap_create(TAP, OURS VM_ID, &link, err);
}

/* With a device that an earlier daemon has made, and no thread that makes others. */
static int acquire_pooled_step(banger_error *err)
{
    struct link link;
    bool pooled = false;
    if (tap_create("tap-fc-pool0", OURS "pool", &link, err) < 0 ||
        tap_pool_resize(host, 1, err) < 0 ||
        tap_acquire(host, VM_ID, "br-fc", TAP, &pooled, err) < 0) {
        return -1;
    }
    return pooled ? 0 : -1;
}

static int give_back_step(banger_error *err)
{
    return acquire_pooled_step(err) < 0 ? -1 : tap_release(host, VM_ID, TAP, err);
}

/* The next daemon starts the VM, or cleans up after it: both are right, and nothing is left. */
static void check_killed_start(void)
{
    static bool again;
    restart_host();
    assert_all_ours();
    assert_ok(tap_pool_resize(host, 0, err));
    if (again) {
        assert_ok(tap_acquire(host, VM_ID, "br-fc", TAP, NULL, err));
        assert_vm_tap(TAP, VM_ID);
    }
    assert_ok(tap_release(host, VM_ID, TAP, err));
    assert_int_equal(netns_count(""), 1);
    restart_host(); /* the next child is forked without a thread */
    again = !again;
}

static void test_kill_while_making_one(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    TRACE_REQUIRE();
    assert_true(netns_kill_everywhere(create_step, check_killed_start) > 20);
}

static void test_kill_while_taking_one_from_the_pool(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    TRACE_REQUIRE();
    assert_true(netns_kill_everywhere(acquire_pooled_step, check_killed_start) > 40);
}

static void test_kill_while_giving_one_back(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    TRACE_REQUIRE();
    assert_true(netns_kill_everywhere(give_back_step, check_killed_start) > 60);
}

/* The pool's thread, killed at random: no place is known, so it is tried often. */
static void test_kill_while_the_pool_fills(void **state)
{
    (void)state;
    NETNS_REQUIRE();
    for (unsigned i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            (void)tap_pool_resize(host, 64, NULL);
            for (;;) {
                (void)pause();
            }
        }
        const struct timespec moment = {.tv_nsec = (long)(i * 40000)}; /* up to 2 ms */
        (void)nanosleep(&moment, NULL);
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_all_ours();
    }
    restart_host();
    size_t left = netns_count(OURS "pool");
    assert_int_equal(netns_count(""), 1 + left);
    assert_ok(tap_pool_resize(host, 0, err));
    assert_int_equal(netns_count(""), 1);
}

#define IN_NETNS(test) cmocka_unit_test_setup_teardown(test, make_host, drop_host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_NETNS(test_create),
        IN_NETNS(test_only_our_user_attaches),
        IN_NETNS(test_lent_to_one_user),
        IN_NETNS(test_foreign_names),
        IN_NETNS(test_acquire_without_a_pool),
        IN_NETNS(test_acquire_needs_our_bridge),
        IN_NETNS(test_pool),
        IN_NETNS(test_pool_survives_a_restart),
        IN_NETNS(test_pool_adopts_only_what_it_made),
        IN_NETNS(test_pool_device_is_gone),
        IN_NETNS(test_given_back),
        IN_NETNS(test_given_back_too_many),
        IN_NETNS(test_many_starts_at_once),
        IN_NETNS(test_pool_without_privilege),
        IN_NETNS(test_kill_while_making_one),
        IN_NETNS(test_kill_while_taking_one_from_the_pool),
        IN_NETNS(test_kill_while_giving_one_back),
        IN_NETNS(test_kill_while_the_pool_fills),
    };
    return cmocka_run_group_tests_name("host tap", tests, netns_setup, NULL);
}
