/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hooks in a network namespace of their own, where port 53 is free and the loopback plays the
 * bridge; and a double of systemd-resolved, which writes down what it is told, on a private bus.
 *
 * The double is a process: it has the name org.freedesktop.resolve1 and prints one line a call.
 */
#include "endpoint.h"
#include "message.h"
#include "resolved.h"
#include <banger/test.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_SECONDS 10
#define VM "{\"vm\": {\"id\": \"1\", \"name\": \"web\"}, "
#define CONFIG                                                                                     \
    "\"config\": {\"zone\": \"vm\", \"listen\": \"127.0.0.1:42069\", \"forwarders\": "             \
    "[\"127.0.0.7\"], \"ttl\": 5000}}"
#define BRIDGE                                                                                     \
    "\"runtime\": {\"bridge\": {\"address\": \"172.16.0.2\", \"gateway\": \"127.0.0.53\", "        \
    "\"link\": \"lo\"}}, "

static struct fake_host *fake;
static char folder[] = "/tmp/banger-dns-XXXXXX";
static pid_t bus = -1;
static pid_t resolved = -1;
static FILE *told; /* what the double prints */

static const struct banger_plugin *plugin(void)
{
    return banger_plugin_v1();
}

/* -- The double of systemd-resolved -- */

static int double_told(sd_bus_message *message, void *context, sd_bus_error *error)
{
    const char *method = sd_bus_message_get_member(message);
    const char *domain = "";
    int index = 0;
    int flag = 0;
    char more[128] = "";

    (void)context;
    (void)error;
    (void)sd_bus_message_read(message, "i", &index);
    if (strcmp(method, "SetLinkDefaultRoute") == 0) {
        (void)sd_bus_message_read(message, "b", &flag);
        (void)snprintf(more, sizeof(more), " %d", flag);
    } else if (strcmp(method, "SetLinkDomains") == 0) {
        (void)sd_bus_message_read(message, "a(sb)", 1, &domain, &flag);
        (void)snprintf(more, sizeof(more), " %s %d", domain, flag);
    } else if (strcmp(method, "SetLinkDNSEx") == 0) {
        const void *bytes = NULL;
        const char *name = "";
        size_t size = 0;
        uint16_t port = 0;
        int family = 0;

        (void)sd_bus_message_enter_container(message, 'a', "(iayqs)");
        (void)sd_bus_message_enter_container(message, 'r', "iayqs");
        (void)sd_bus_message_read(message, "i", &family);
        (void)sd_bus_message_read_array(message, 'y', &bytes, &size);
        (void)sd_bus_message_read(message, "qs", &port, &name);
        (void)snprintf(more, sizeof(more), " %d %zu %d %u '%s'", family, size,
                       size == 4 ? ((const uint8_t *)bytes)[3] : -1, port, name);
    }
    (void)printf("%s %d%s\n", method, index, more);
    (void)fflush(stdout);
    return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable double_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("SetLinkDNSEx", "ia(iayqs)", "", double_told, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetLinkDomains", "ia(sb)", "", double_told, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetLinkDefaultRoute", "ib", "", double_told, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("RevertLink", "i", "", double_told, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static void run_double(void)
{
    sd_bus *connection = NULL;

    if (sd_bus_open_system(&connection) < 0 ||
        sd_bus_add_object_vtable(connection, NULL, "/org/freedesktop/resolve1",
                                 "org.freedesktop.resolve1.Manager", double_table, NULL) < 0 ||
        sd_bus_request_name(connection, "org.freedesktop.resolve1", 0) < 0) {
        _exit(1);
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    for (;;) {
        int done = sd_bus_process(connection, NULL);

        if (done < 0 || (done == 0 && sd_bus_wait(connection, UINT64_MAX) < 0)) {
            _exit(1);
        }
    }
}

/* A child that does not outlive the test; `out` gets what it prints. */
static pid_t start_child(const char *const argv[], FILE **out)
{
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(ends[1], 1);
        if (argv == NULL) {
            run_double();
        }
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2); /* it complains of its limits */
        (void)execv(argv[0], (char **)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(ends[1]);
    *out = fdopen(ends[0], "r");
    assert_non_null(*out);
    return pid;
}

static void end_child(pid_t *pid)
{
    if (*pid > 0) {
        (void)kill(*pid, SIGKILL);
        (void)waitpid(*pid, NULL, 0);
    }
    *pid = -1;
}

static void expect_line(FILE *from, const char *expected)
{
    char line[256];

    if (fgets(line, sizeof(line), from) == NULL) {
        fail_msg("'%s' was awaited and nothing came", expected);
    }
    line[strcspn(line, "\n")] = '\0';
    assert_string_equal(line, expected);
}

/* A bus that needs no system's policy. */
static bool start_bus(void)
{
    char config[64];
    char address[96];
    const char *argv[] = {"/usr/bin/dbus-daemon", "--nofork", "--print-address=1", NULL, NULL};
    char config_option[96];
    char line[256];
    FILE *out;
    FILE *file;

    if (access(argv[0], X_OK) != 0) {
        return false;
    }
    (void)snprintf(config, sizeof(config), "%s/bus.conf", folder);
    (void)snprintf(address, sizeof(address), "unix:path=%s/bus", folder);
    file = fopen(config, "we");
    assert_non_null(file);
    (void)fprintf(file,
                  "<busconfig><listen>%s</listen><policy context=\"default\">"
                  "<allow send_destination=\"*\" eavesdrop=\"true\"/>"
                  "<allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>\n",
                  address);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(config_option, sizeof(config_option), "--config-file=%s", config);
    argv[3] = config_option;
    bus = start_child(argv, &out);
    assert_non_null(fgets(line, sizeof(line), out)); /* it listens */
    (void)fclose(out);
    assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
    return true;
}

static void need_resolved(void)
{
    if (bus < 0 && !start_bus()) {
        print_message("dbus-daemon is not installed (dbus)\n");
        skip();
    }
    if (resolved < 0) {
        resolved = start_child(NULL, &told);
        expect_line(told, "ready");
    }
}

/* -- The namespace -- */

static void write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        (void)close(fd);
    }
}

/* Root takes a network namespace; anybody else a user namespace too, in which they are root. */
static bool enter_namespace(void)
{
    char map[32];
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    bool done;
    int fd;

    (void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());
    if (geteuid() == 0 ? unshare(CLONE_NEWNET) < 0 : unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        return false;
    }
    if (geteuid() != 0) {
        write_to("/proc/self/setgroups", "deny");
        write_to("/proc/self/uid_map", map);
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    done = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &up) == 0;
    (void)close(fd);
    return done;
}

static bool has_namespace;

static int set_up_all(void **state)
{
    char nowhere[96];

    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    /* No test may reach the bus of the host. */
    (void)snprintf(nowhere, sizeof(nowhere), "unix:path=%s/nothing", folder);
    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", nowhere, 1);
    has_namespace = enter_namespace();
    return 0;
}

static int tear_down_all(void **state)
{
    char path[64];

    (void)state;
    end_child(&resolved);
    end_child(&bus);
    if (told != NULL) {
        (void)fclose(told);
    }
    (void)snprintf(path, sizeof(path), "%s/bus.conf", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/bus", folder);
    (void)unlink(path);
    return rmdir(folder);
}

static int set_up(void **state)
{
    (void)state;
    fake = fake_host_new(VM BRIDGE CONFIG);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)fake_host_call(fake, plugin()->stop);
    fake_host_free(fake);
    return 0;
}

static void need_namespace(void)
{
    if (!has_namespace) {
        print_message("no network namespace can be made here\n");
        skip();
    }
}

/* -- Asking -- */

static int open_client(const char *where)
{
    const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    struct endpoint to;
    int fd;

    assert_true(endpoint_parse(where, 53, &to));
    fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(fd, &to.any, to.length), 0);
    return fd;
}

/* The rcode of NAME.vm A, for a name of three letters; -1: nobody listens. */
static int ask_for(const char *where, const char *name)
{
    uint8_t query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\3web\2vm\0\0\1\0\1";
    uint8_t answer[512];
    int fd = open_client(where);
    ssize_t got;

    memcpy(query + 13, name, 3);
    (void)send(fd, query, sizeof(query) - 1, 0);
    got = recv(fd, answer, sizeof(answer), 0);
    (void)close(fd);
    if (got < 0) {
        assert_int_equal(errno, ECONNREFUSED);
        return -1;
    }
    return answer[3] & 0x0f;
}

static int ask(const char *where)
{
    return ask_for(where, "web");
}

static void call_hook(banger_hook hook)
{
    if (fake_host_call(fake, hook) < 0) {
        fail_msg("%s", fake_host_error(fake));
    }
}

static const char *last_text(const json_t *list)
{
    const char *text = json_string_value(json_array_get(list, json_array_size(list) - 1));

    return text != NULL ? text : "";
}

/* -- Tests -- */

static void serves_from_prepare_to_cleanup(void **state)
{
    (void)state;
    need_namespace();
    assert_int_equal(ask("127.0.0.53"), -1);
    call_hook(plugin()->hooks->prepare);
    assert_int_equal(ask("127.0.0.53"), MESSAGE_NOERROR);
    assert_int_equal(ask("127.0.0.1:42069"), MESSAGE_NOERROR);
    assert_int_equal(json_array_size(fake_host_log(fake)), 0);
    call_hook(plugin()->hooks->cleanup);
    assert_int_equal(ask("127.0.0.53"), MESSAGE_NXDOMAIN);
    call_hook(plugin()->hooks->cleanup);
    call_hook(plugin()->hooks->deleted);
    call_hook(plugin()->hooks->reconciled);
    assert_int_equal(ask("127.0.0.1:42069"), MESSAGE_NOERROR);
    call_hook(plugin()->stop);
    assert_int_equal(ask("127.0.0.53"), -1);
    assert_int_equal(ask("127.0.0.1:42069"), -1);
}

/* What other capabilities store; never a name that is another VM's. */
static void serves_more_names_of_a_vm(void **state)
{
    (void)state;
    need_namespace();
    fake_host_set(fake, "runtime.site.dns_names", json_pack("[s, s, s]", "api", "web", "no_name"));
    fake_host_set(fake, "runtime.bare", json_integer(7));
    call_hook(plugin()->hooks->prepare);
    assert_int_equal(ask_for("127.0.0.53", "api"), MESSAGE_NOERROR);
    assert_int_equal(ask_for("127.0.0.53", "web"), MESSAGE_NOERROR);
    assert_int_equal(json_array_size(fake_host_log(fake)), 1);
    fake_host_set(fake, "vm.id", json_string("2"));
    fake_host_set(fake, "vm.name", json_string("two"));
    fake_host_set(fake, "runtime.bridge.address", json_string("172.16.0.3"));
    fake_host_set(fake, "runtime.site.dns_names", json_pack("[s, s]", "api", "new"));
    call_hook(plugin()->hooks->prepare);
    assert_non_null(strstr(json_string_value(json_array_get(fake_host_log(fake), 1)),
                           "the name 'api', of site, is another VM's"));
    assert_int_equal(ask_for("127.0.0.53", "new"), MESSAGE_NOERROR);
    call_hook(plugin()->hooks->cleanup);
    assert_int_equal(ask_for("127.0.0.53", "new"), MESSAGE_NXDOMAIN);
    assert_int_equal(ask_for("127.0.0.53", "api"), MESSAGE_NOERROR);
    fake_host_set(fake, "vm.name", json_string("api")); /* a VM's own name comes before */
    fake_host_set(fake, "runtime.site.dns_names", json_array());
    call_hook(plugin()->hooks->prepare);
    call_hook(plugin()->hooks->cleanup);
    assert_int_equal(ask_for("127.0.0.53", "api"), MESSAGE_NXDOMAIN);
    assert_int_equal(ask_for("127.0.0.53", "web"), MESSAGE_NOERROR);
}

static void serves_by_ipv6(void **state)
{
    (void)state;
    need_namespace();
    if (access("/proc/net/if_inet6", R_OK) != 0) {
        print_message("this kernel has no IPv6\n");
        skip();
    }
    fake_host_set(fake, "runtime.bridge.gateway6", json_string("::1"));
    fake_host_set(fake, "runtime.bridge.address6", json_string("fd00::2"));
    call_hook(plugin()->hooks->prepare);
    assert_int_equal(ask("::1"), MESSAGE_NOERROR);
    assert_int_equal(ask("127.0.0.53"), MESSAGE_NOERROR); /* the other listener is its own */
}

static void cleans_up_without_a_prepare(void **state)
{
    (void)state;
    call_hook(plugin()->hooks->cleanup);
    call_hook(plugin()->hooks->deleted);
    call_hook(plugin()->stop);
}

static void leaves_other_networks_alone(void **state)
{
    (void)state;
    fake_host_free(fake);
    fake = fake_host_new(VM CONFIG);
    call_hook(plugin()->hooks->prepare);
    call_hook(plugin()->hooks->reconciled);
    assert_int_equal(ask("127.0.0.1:42069"), -1);
}

static void refuses_bad_configuration(void **state)
{
    static const char *const rows[][2] = {
        {"zone", ""},          {"zone", "."},           {"zone", "a..b"},
        {"zone", "-a"},        {"zone", "a b"},         {"zone", "local"},
        {"zone", "x.arpa"},    {"listen", "127.0.0.1"}, {"listen", "0.0.0.0:53"},
        {"listen", "[::]:53"}, {"listen", "here:53"},   {"listen", "127.0.0.1:70000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char key[32];

        fake_host_free(fake);
        fake = fake_host_new(VM BRIDGE CONFIG);
        (void)snprintf(key, sizeof(key), "config.%s", rows[i][0]);
        fake_host_set(fake, key, json_string(rows[i][1]));
        assert_int_equal(fake_host_call(fake, plugin()->hooks->check), -1);
        assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
        assert_non_null(strstr(fake_host_error(fake), rows[i][1]));
        assert_non_null(strstr(fake_host_error(fake), rows[i][0]));
        fake_host_clear_error(fake);
        assert_int_equal(fake_host_call(fake, plugin()->hooks->prepare), -1);
    }
    fake_host_free(fake);
    fake = fake_host_new(VM BRIDGE CONFIG);
    fake_host_set(fake, "config.forwarders", json_pack("[s]", "dns.example"));
    assert_int_equal(fake_host_call(fake, plugin()->hooks->check), -1);
    assert_non_null(strstr(fake_host_error(fake), "dns.example"));
}

static void takes_good_configuration(void **state)
{
    static const char *const zones[] = {"vm", "VM.", "vm.internal", "a-1.b2"};

    (void)state;
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        fake_host_set(fake, "config.zone", json_string(zones[i]));
        call_hook(plugin()->hooks->check);
    }
    fake_host_set(fake, "config.listen", json_string(""));
    call_hook(plugin()->hooks->check);
}

/* Another process's UDP socket there, as far as the plugin can tell: one of this test's. */
static int take_port(const char *where)
{
    struct endpoint endpoint;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(endpoint_parse(where, 0, &endpoint));
    assert_int_equal(bind(fd, &endpoint.any, endpoint.length), 0);
    return fd;
}

static void a_taken_gateway_fails_the_start(void **state)
{
    char holder[64];
    int fd;

    (void)state;
    need_namespace();
    fd = take_port("0.0.0.0:53"); /* as a resolver for all addresses has it */
    (void)snprintf(holder, sizeof(holder), "(pid %d)", (int)getpid());
    assert_int_equal(fake_host_call(fake, plugin()->hooks->prepare), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EBUSY);
    assert_non_null(strstr(fake_host_error(fake), "127.0.0.53:53"));
    assert_non_null(strstr(fake_host_error(fake), holder));
    assert_non_null(strstr(fake_host_hint(fake), "on_error"));
    assert_int_equal(ask("127.0.0.1:42069"), MESSAGE_NOERROR); /* what on_error = "warn" leaves */
    (void)close(fd);
}

static void a_taken_local_port_is_a_warning(void **state)
{
    int fd;

    (void)state;
    need_namespace();
    fd = take_port("127.0.0.1:42069");
    call_hook(plugin()->hooks->prepare);
    assert_non_null(strstr(last_text(fake_host_log(fake)), "127.0.0.1:42069"));
    assert_int_equal(ask("127.0.0.53"), MESSAGE_NOERROR);
    (void)close(fd);
    call_hook(plugin()->hooks->prepare); /* the next start has it */
    assert_int_equal(ask("127.0.0.1:42069"), MESSAGE_NOERROR);
}

static void doctor_names_who_has_the_port(void **state)
{
    int fd;

    (void)state;
    need_namespace();
    fd = take_port("127.0.0.1:42069");
    call_hook(plugin()->hooks->check); /* of a VM: what its prepare warns of fails no start */
    fake_host_set(fake, "vm", json_object());
    assert_int_equal(fake_host_call(fake, plugin()->hooks->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EBUSY);
    assert_non_null(strstr(fake_host_error(fake), "(pid "));
    (void)close(fd);
}

static void doctor_says_what_is_served(void **state)
{
    (void)state;
    need_namespace();
    call_hook(plugin()->hooks->prepare);
    fake_host_set(fake, "vm", json_object());
    call_hook(plugin()->hooks->check); /* the port is taken, and by us */
    assert_string_equal(last_text(fake_host_progress(fake)),
                        "serving vm on 127.0.0.1:42069, 1 name; no systemd-resolved: tell your "
                        "resolver, as in dnsmasq's server=/vm/127.0.0.1#42069 (share/doc/dns.md)");
}

/* -- systemd-resolved -- */

static void tells_systemd_resolved_once_and_takes_it_back(void **state)
{
    (void)state;
    need_namespace();
    need_resolved();
    call_hook(plugin()->hooks->prepare);
    expect_line(told, "SetLinkDefaultRoute 1 0");
    expect_line(told, "SetLinkDomains 1 vm 1");
    expect_line(told, "SetLinkDNSEx 1 2 4 53 53 ''");
    call_hook(plugin()->hooks->prepare);
    call_hook(plugin()->hooks->cleanup);
    fake_host_set(fake, "vm", json_object());
    call_hook(plugin()->hooks->check);
    assert_string_equal(last_text(fake_host_progress(fake)),
                        "serving vm on 127.0.0.1:42069, 0 names; systemd-resolved routes .vm here");
    call_hook(plugin()->stop);
    expect_line(told, "RevertLink 1"); /* and nothing between */
    assert_int_equal(json_array_size(fake_host_log(fake)), 0);
}

static void a_bus_that_is_silent_holds_up_for_a_moment_only(void **state)
{
    char path[96];
    char address[128];
    char *before = strdup(getenv("DBUS_SYSTEM_BUS_ADDRESS"));
    struct sockaddr_un silent = {.sun_family = AF_UNIX};
    char reason[160];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timespec begun;
    struct timespec ended;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/silent", folder);
    (void)snprintf(silent.sun_path, sizeof(silent.sun_path), "%s", path);
    (void)snprintf(address, sizeof(address), "unix:path=%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&silent, sizeof(silent)), 0);
    assert_int_equal(listen(fd, 4), 0); /* connects, and never says a word */
    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    assert_int_equal(resolved_probe(200, reason, sizeof(reason)), RESOLVED_FAILED);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true(ended.tv_sec - begun.tv_sec < 5);
    assert_true(strlen(reason) > 0);
    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", before, 1);
    (void)close(fd);
    (void)unlink(path);
    free(before);
}

static void a_bus_without_resolved_is_no_error(void **state)
{
    char reason[160];

    (void)state;
    need_resolved();
    end_child(&resolved);
    (void)fclose(told);
    told = NULL;
    /* The name goes when the bus notices: until then the call fails by itself. */
    assert_int_not_equal(resolved_probe(2000, reason, sizeof(reason)), RESOLVED_DONE);
    need_namespace();
    call_hook(plugin()->hooks->prepare);
    assert_int_equal(ask("127.0.0.53"), MESSAGE_NOERROR);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(serves_from_prepare_to_cleanup),
        TEST(serves_more_names_of_a_vm),
        TEST(serves_by_ipv6),
        TEST(cleans_up_without_a_prepare),
        TEST(leaves_other_networks_alone),
        TEST(refuses_bad_configuration),
        TEST(takes_good_configuration),
        TEST(a_taken_gateway_fails_the_start),
        TEST(a_taken_local_port_is_a_warning),
        TEST(doctor_names_who_has_the_port),
        TEST(doctor_says_what_is_served),
        TEST(tells_systemd_resolved_once_and_takes_it_back),
        TEST(a_bus_that_is_silent_holds_up_for_a_moment_only),
        TEST(a_bus_without_resolved_is_no_error),
    };

    return cmocka_run_group_tests_name("plugin_dns.hooks", tests, set_up_all, tear_down_all);
}
