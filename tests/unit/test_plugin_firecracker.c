/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the firecracker provider says and asks before there is a process. */
#include "firecracker.h"
#include "firecracker_fixture.h"

#include <grp.h>
#include <sys/wait.h>

static void accepts_the_double(void **state)
{
    (void)state;
    use_double("{}");
    assert_int_equal(fake_host_call(fake, vmm()->check), 0);
    assert_non_null(strstr(json_string_value(json_array_get(fake_host_log(fake), 0)),
                           ": Firecracker v1.13.0 (contract double)"));
}

static void needs_a_version(void **state)
{
    static const struct {
        const char *version;
        const char *error; /* NULL: it is good */
    } rows[] = {
        {"1.8.0", NULL},
        {"2.0.0-dev", NULL},
        {"1.7.9", "is version 1.7; 1.8 or later is needed"},
        {"0.25.2", "is version 0.25; 1.8 or later is needed"},
        {"next", "does not say which version"},
    };
    char behaviour[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)tear_down(NULL); /* a new path: the program is asked once a file */
        assert_int_equal(set_up(NULL), 0);
        (void)snprintf(behaviour, sizeof(behaviour), "{\"version\": \"%s\"}", rows[i].version);
        use_double(behaviour);
        assert_int_equal(fake_host_call(fake, vmm()->check), rows[i].error != NULL ? -1 : 0);
        if (rows[i].error != NULL) {
            assert_int_equal(fake_host_code(fake), BANGER_EUNSUPPORTED);
            assert_non_null(strstr(fake_host_error(fake), rows[i].error));
        }
    }
}

static void refuses_programs(void **state)
{
    (void)state;
    fake_host_set(fake, "config.binary", json_string("/nonexistent/firecracker"));
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EUNSUPPORTED);

    fake_host_clear_error(fake);
    fake_host_set(fake, "config.binary", json_string("firecracker"));
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);

    /* auto goes on to the next VMM where there is none. */
    fake_host_clear_error(fake);
    fake_host_set(fake, "config.binary", json_string(""));
    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
    if (access("/usr/bin/firecracker", X_OK) < 0 &&
        access("/usr/local/bin/firecracker", X_OK) < 0) {
        assert_int_equal(fake_host_call(fake, vmm()->check), -1);
        assert_int_equal(fake_host_code(fake), BANGER_EUNSUPPORTED);
        assert_string_equal(fake_host_error(fake), "firecracker is not installed");
    }
}

static void needs_kvm_unless_told_otherwise(void **state)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    bool opens = fd >= 0;

    (void)state;
    if (opens) {
        (void)close(fd);
    }
    use_double("{}");
    fake_host_set(fake, "config.require_kvm", json_true());
    if (fake_host_call(fake, vmm()->check) == 0) {
        assert_true(opens);
        return; /* a host with KVM */
    }
    assert_non_null(strstr(fake_host_error(fake), "Firecracker needs KVM"));
    assert_true(*fake_host_hint(fake) != '\0');
    /* With these codes `auto` goes on to the next VMM. */
    assert_true(fake_host_code(fake) == BANGER_EUNSUPPORTED ||
                fake_host_code(fake) == BANGER_EPERMISSION);
}

/* A daemon that is not in the group of /dev/kvm. */
static void without_access_to_kvm_says_what_to_do(void **state)
{
    int status = -1;
    struct stat device;
    pid_t child;

    (void)state;
    if (geteuid() != 0 || stat("/dev/kvm", &device) < 0 || (device.st_mode & S_IWOTH) != 0) {
        skip(); /* no KVM here, or nobody who could be kept from it */
    }
    fake_host_set(fake, "config.require_kvm", json_true());
    child = fork();
    if (child == 0) {
        bool right = setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0 &&
                     fit_check_kvm(fake_host_table(), fake_host_handle(fake)) < 0 &&
                     fake_host_code(fake) == BANGER_EPERMISSION &&
                     strstr(fake_host_error(fake), "may not be opened") != NULL &&
                     strstr(fake_host_hint(fake), "usermod -aG kvm") != NULL;
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_kernel_must_be_an_elf_file(void **state)
{
    (void)state;
    use_double("{}");
    write_kernel(EM_AARCH64);
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EUNSUPPORTED);
    assert_non_null(strstr(fake_host_error(fake), "ELF vmlinux for x86-64 only"));

    fake_host_clear_error(fake);
    temp_dir_write(&dir, "kernel", "MZ: a bzImage");
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_non_null(strstr(fake_host_error(fake), "ELF vmlinux"));

    fake_host_clear_error(fake);
    assert_int_equal(unlink(temp_dir_at(&dir, "kernel")), 0);
    assert_int_equal(fake_host_call(fake, vmm()->check), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EIO);
}

static bool has_boot_arg(const char *wanted)
{
    const json_t *list = fake_host_contribution(fake, "boot_args");
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        if (strcmp(json_string_value(item), wanted) == 0) {
            return true;
        }
    }
    return false;
}

static void boot_arguments_are_our_own(void **state)
{
    (void)state;
    use_double("{\"version\": \"1.12.1\"}");
    assert_int_equal(fake_host_call(fake, vmm()->contribute), 0);
    assert_true(has_boot_arg("console=ttyS0"));
    assert_true(has_boot_arg("reboot=k"));
    assert_true(has_boot_arg("panic=1"));
    assert_true(has_boot_arg("pci=off"));
    assert_false(has_boot_arg("nomodule"));
    assert_false(has_boot_arg("i8042.nopnp"));
}

/* -- The document as requests --------------------------------------------------------------------- */

static json_t *build(const char *machine, const char **reason)
{
    const struct configure_options options = {.guest_cid = 7, .vsock_path = "v.sock"};
    json_t *document = json_loads(machine, 0, NULL);
    json_t *requests;

    assert_non_null(document);
    requests = configure_build(document, &options, reason);
    json_decref(document);
    return requests;
}

/* The request to a path; borrowed. */
static const json_t *body_of(const json_t *requests, const char *path)
{
    size_t i;
    json_t *request;

    json_array_foreach (requests, i, request) {
        if (strcmp(json_string_value(json_object_get(request, "path")), path) == 0) {
            return json_object_get(request, "body");
        }
    }
    return NULL;
}

static void assert_member(const json_t *body, const char *name, const char *expected)
{
    json_t *value = json_object_get(body, name);
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    assert_string_equal(text != NULL ? text : "none", expected);
    free(text);
}

#define BUCKET(size) "{\"size\":" size ",\"refill_time\":1000}"

static void limits_are_buckets_of_a_second(void **state)
{
    const char *reason = NULL;
    json_t *requests =
        build("{\"vcpu\": 1, \"memory_mib\": 1, \"kernel\": \"/k\","
              " \"drives\": [{\"id\": \"rootfs\", \"path\": \"/r\", \"root\": true},"
              "              {\"id\": \"work\", \"path\": \"/w\"}],"
              " \"nics\": [{\"id\": \"eth0\", \"backend\": \"tap\", \"tap\": \"tap0\"}],"
              " \"rate_limits\": {\"drive.work\": {\"bytes_per_s\": 5000000000, \"ops_per_s\": 7},"
              "                   \"nic.eth0\": {\"packets_per_s\": 9}}}",
              &reason);

    (void)state;
    assert_non_null(requests);
    assert_member(body_of(requests, "/drives/drive0"), "rate_limiter", "none");
    assert_member(body_of(requests, "/drives/drive1"), "rate_limiter",
                  "{\"bandwidth\":" BUCKET("5000000000") ",\"ops\":" BUCKET("7") "}");
    assert_member(body_of(requests, "/network-interfaces/net0"), "rx_rate_limiter",
                  "{\"ops\":" BUCKET("9") "}");
    assert_member(body_of(requests, "/network-interfaces/net0"), "tx_rate_limiter",
                  "{\"ops\":" BUCKET("9") "}");
    json_decref(requests);
}

static void requests_are_what_the_document_says(void **state)
{
    const char *reason = NULL;
    json_t *requests =
        build("{\"vcpu\": 2, \"memory_mib\": 512, \"kernel\": \"/k\", \"initramfs\": \"/i\","
              " \"boot_args\": [\"a\", \"b=c\"],"
              " \"drives\": [{\"id\": \"work-disk\", \"path\": \"/w\", \"read_only\": true},"
              "              {\"id\": \"rootfs\", \"path\": \"/r\", \"root\": true}],"
              " \"nics\": [{\"id\": \"eth0\", \"backend\": \"tap\", \"tap\": \"tap0\","
              "             \"mac\": \"02:fc:00:00:00:01\"}]}",
              &reason);
    json_t *expected = json_loads(
        "[{\"method\": \"PUT\", \"path\": \"/machine-config\","
        "  \"body\": {\"vcpu_count\": 2, \"mem_size_mib\": 512}},"
        " {\"method\": \"PUT\", \"path\": \"/boot-source\", \"body\": {\"kernel_image_path\": "
        "\"/k\","
        "  \"initrd_path\": \"/i\", \"boot_args\": \"a b=c\"}},"
        " {\"method\": \"PUT\", \"path\": \"/drives/drive1\", \"body\": {\"drive_id\": \"drive1\","
        "  \"is_root_device\": true, \"path_on_host\": \"/r\", \"is_read_only\": false,"
        "  \"cache_type\": \"Writeback\"}},"
        " {\"method\": \"PUT\", \"path\": \"/drives/drive0\", \"body\": {\"drive_id\": \"drive0\","
        "  \"is_root_device\": false, \"path_on_host\": \"/w\", \"is_read_only\": true}},"
        " {\"method\": \"PUT\", \"path\": \"/network-interfaces/net0\", \"body\": {"
        "  \"iface_id\": \"net0\", \"host_dev_name\": \"tap0\","
        "  \"guest_mac\": \"02:fc:00:00:00:01\"}},"
        " {\"method\": \"PUT\", \"path\": \"/vsock\","
        "  \"body\": {\"guest_cid\": 7, \"uds_path\": \"v.sock\"}}]",
        0, NULL);

    (void)state;
    assert_non_null(requests);
    assert_non_null(expected);
    assert_true(json_equal(requests, expected));
    json_decref(requests);
    json_decref(expected);
}

static void what_firecracker_lacks_is_refused(void **state)
{
    char line[4096];
    const char *reason = NULL;

    (void)state;
    assert_null(build("{\"vcpu\": 33, \"memory_mib\": 64, \"kernel\": \"/k\"}", &reason));
    assert_string_equal(reason, "it has more than 32 processors");
    assert_null(build("{\"vcpu\": 1, \"memory_mib\": 64}", &reason));
    assert_string_equal(reason, "it has no kernel");
    assert_null(build("{\"vcpu\": 1, \"memory_mib\": 64, \"kernel\": \"/k\","
                      " \"nics\": [{\"id\": \"a\", \"backend\": \"user\"}]}",
                      &reason));
    assert_string_equal(reason, "a NIC of it is not a TAP");
    (void)snprintf(
        line, sizeof(line),
        "{\"vcpu\": 1, \"memory_mib\": 64, \"kernel\": \"/k\", \"boot_args\": [\"%02000d\"]}", 1);
    assert_null(build(line, &reason));
    assert_string_equal(reason, "its kernel's arguments are longer than 1984 bytes");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accepts_the_double),
        TEST(needs_a_version),
        TEST(refuses_programs),
        TEST(needs_kvm_unless_told_otherwise),
        TEST(without_access_to_kvm_says_what_to_do),
        TEST(a_kernel_must_be_an_elf_file),
        TEST(boot_arguments_are_our_own),
        TEST(requests_are_what_the_document_says),
        TEST(limits_are_buckets_of_a_second),
        TEST(what_firecracker_lacks_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
