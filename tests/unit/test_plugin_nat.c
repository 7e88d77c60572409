/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the nat plugin asks for what, and that it holds the published ports. */
#include "forward.h"
#include <banger/test.h>

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct fake_host *fake;

static int set_up(void **state)
{
    (void)state;
    fake = fake_host_new("{\"vm\": {\"id\": \"0123456789abcdef0123456789abcdef\","
                         " \"name\": \"web\", \"network\": \"bridge\", \"publish\": []},"
                         " \"config\": {\"default\": true, \"uplink\": \"auto\"},"
                         " \"runtime\": {\"bridge\": {\"link\": \"br-fc\","
                         " \"address\": \"172.16.0.2\"}}}");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)fake_host_call(fake, banger_plugin_v1()->stop); /* lets go of the ports */
    fake_host_free(fake);
    return 0;
}

static const struct banger_hooks *hooks(void)
{
    return banger_plugin_v1()->hooks;
}

static size_t count(const char *name)
{
    size_t found = 0;
    size_t i;
    json_t *operation;

    json_array_foreach (fake_host_operations(fake), i, operation) {
        found += strcmp(json_string_value(json_object_get(operation, "name")), name) == 0;
    }
    return found;
}

static size_t rows(void)
{
    return json_array_size(fake_host_resources(fake));
}

/* A port of loopback that was free a moment ago; with `socket` it is taken by that. */
static int some_port(int *socket_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    if (socket_fd != NULL) {
        *socket_fd = fd;
    } else {
        (void)close(fd);
    }
    return ntohs(address.sin_port);
}

static bool is_taken(int port)
{
    struct forward forward = {false, "127.0.0.1", (uint16_t)port, 1};
    int fd = forward_bind(&forward);

    if (fd >= 0) {
        (void)close(fd);
    }
    return fd < 0;
}

static void publish(const char *key, int port)
{
    fake_host_set(fake, key, json_pack("[o]", json_sprintf("%d:80", port)));
}

static void by_default_it_is_on(void **state)
{
    (void)state;
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    assert_int_equal(count("nat.on"), 1);
    assert_int_equal(count("publish.set"), 0);
    assert_int_equal(rows(), 1);
    assert_int_equal(fake_host_call(fake, hooks()->cleanup), 0);
    assert_int_equal(count("nat.off"), 1);
    assert_int_equal(rows(), 0);
}

static void off_by_the_vm_or_by_the_site(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.nat", json_false());
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    fake_host_set(fake, "vm.nat", json_null());
    fake_host_set(fake, "config.default", json_false());
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    assert_int_equal(json_array_size(fake_host_operations(fake)), 0);
    fake_host_set(fake, "vm.nat", json_true());
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    assert_int_equal(count("nat.on"), 1);
}

static void other_networks_are_left_alone(void **state)
{
    (void)state;
    fake_host_set(fake, "vm.network", json_string("user"));
    fake_host_set(fake, "runtime", json_object());
    publish("vm.publish", 1);
    assert_int_equal(fake_host_call(fake, hooks()->check), 0);
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    assert_int_equal(fake_host_call(fake, hooks()->configure), 0);
    assert_int_equal(json_array_size(fake_host_operations(fake)), 0);
}

static void ports_are_held(void **state)
{
    int port = some_port(NULL);

    (void)state;
    publish("vm.publish", port);
    assert_int_equal(fake_host_call(fake, hooks()->check), 0);
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    assert_true(is_taken(port));
    assert_int_equal(fake_host_call(fake, hooks()->check), 0); /* its own */
    fake_host_set(fake, "vm.id", json_string("ffffffffffffffffffffffffffffffff"));
    fake_host_set(fake, "vm.name", json_string("other"));
    assert_int_equal(fake_host_call(fake, hooks()->check), -1); /* another's */
    assert_int_equal(fake_host_code(fake), BANGER_EBUSY);
    assert_non_null(strstr(fake_host_error(fake), "the VM 'web' has it"));
    fake_host_clear_error(fake);
    fake_host_set(fake, "vm.id", json_string("0123456789abcdef0123456789abcdef"));
    assert_int_equal(fake_host_call(fake, hooks()->cleanup), 0);
    assert_false(is_taken(port));
    assert_int_equal(rows(), 0);
}

static void a_change_replaces_ports(void **state)
{
    int first = some_port(NULL);
    int second = some_port(NULL);

    (void)state;
    publish("vm.publish", first);
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    publish("change.publish", second);
    assert_int_equal(fake_host_call(fake, hooks()->configure), 0);
    assert_false(is_taken(first));
    assert_true(is_taken(second));
    fake_host_set(fake, "change.publish", json_array());
    assert_int_equal(fake_host_call(fake, hooks()->configure), 0);
    assert_false(is_taken(second));
    assert_int_equal(rows(), 1); /* NAT's */
}

static void a_refused_change_changes_nothing(void **state)
{
    int first = some_port(NULL);
    int fd = -1;
    int taken = some_port(&fd);

    (void)state;
    publish("vm.publish", first);
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    size_t before = json_array_size(fake_host_operations(fake));
    publish("change.publish", taken);
    fake_host_set(fake, "change.nat", json_false());
    assert_int_equal(fake_host_call(fake, hooks()->configure), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EBUSY);
    assert_non_null(strstr(fake_host_error(fake), "127.0.0.1"));
    assert_true(is_taken(first));
    assert_int_equal(json_array_size(fake_host_operations(fake)), before);
    (void)close(fd);
}

static void nat_goes_off_and_on(void **state)
{
    (void)state;
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    fake_host_set(fake, "change.nat", json_false());
    assert_int_equal(fake_host_call(fake, hooks()->configure), 0);
    assert_int_equal(rows(), 0);
    assert_int_equal(count("nat.off"), 1);
    fake_host_set(fake, "change.nat", json_true());
    assert_int_equal(fake_host_call(fake, hooks()->configure), 0);
    assert_int_equal(fake_host_call(fake, hooks()->configure), 0); /* twice: one row */
    assert_int_equal(rows(), 1);
}

/* A daemon that was killed in the middle of a `vm set`, or a set that failed: the record is the old one. */
static void what_is_not_recorded_goes(void **state)
{
    (void)state;
    int port = some_port(NULL);
    fake_host_set(fake, "vm.nat", json_false());
    assert_int_equal(fake_host_call(fake, hooks()->prepare), 0);
    fake_host_set(fake, "change.nat", json_true());
    publish("change.publish", port);
    assert_int_equal(fake_host_call(fake, hooks()->configure), 0);
    assert_int_equal(rows(), 2);
    assert_int_equal(fake_host_call(fake, hooks()->reconciled), 0);
    assert_int_equal(rows(), 0);
    assert_int_equal(count("nat.off"), 1);
    assert_int_equal(count("publish.set"), 2);
    assert_false(is_taken(port));
    assert_int_equal(fake_host_call(fake, hooks()->reconciled), 0); /* twice */
    assert_int_equal(count("nat.off"), 1);
}

static json_t *with_a_drop(const char *name, const json_t *args)
{
    (void)args;
    return strcmp(name, "nat.check") == 0
               ? json_pack("{s:[s], s:[s]}", "uplinks", "eth0", "drops", "ip filter FORWARD")
               : json_object();
}

/* doctor fails by name; a VM's start only warns, since a rule may let the guest pass. */
static void others_drops_are_named(void **state)
{
    (void)state;
    fake_host_set_operator(fake, with_a_drop);
    assert_int_equal(fake_host_call(fake, hooks()->check), 0);
    assert_int_equal(json_array_size(fake_host_log(fake)), 1);
    fake_host_set(fake, "vm", json_object());
    assert_int_equal(fake_host_call(fake, hooks()->check), -1);
    assert_non_null(strstr(fake_host_error(fake), "ip filter FORWARD"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(by_default_it_is_on),           TEST(off_by_the_vm_or_by_the_site),
        TEST(other_networks_are_left_alone), TEST(ports_are_held),
        TEST(a_change_replaces_ports),       TEST(a_refused_change_changes_nothing),
        TEST(nat_goes_off_and_on),           TEST(what_is_not_recorded_goes),
        TEST(others_drops_are_named),
    };
    return cmocka_run_group_tests_name("nat", tests, NULL, NULL);
}
