/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu.h"
#include <banger/test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct qemu_options tcg = {
    .program = "/usr/bin/qemu",
    .vm_name = "web",
    .vm_id = "0123456789abcdef0123456789abcdef",
    .kvm = false,
    .sandbox = true,
};

/* The vector for a machine, an argument a line; "refused: REASON" when there is none. */
static const char *build(const char *machine_text, const struct qemu_options *options)
{
    static char text[8192];
    const char *reason = NULL;
    json_t *machine = json_loads(machine_text, 0, NULL);
    json_t *argv;
    size_t i;
    json_t *word;
    size_t used = 0;

    assert_non_null(machine);
    argv = argv_build(machine, options, &reason);
    json_decref(machine);
    if (argv == NULL) {
        (void)snprintf(text, sizeof(text), "refused: %s", reason);
        return text;
    }
    json_array_foreach (argv, i, word) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\n", json_string_value(word));
    }
    json_decref(argv);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in:\n%s", part, text);
    }
}

static void a_whole_machine(void **state)
{
    (void)state;
    assert_string_equal(
        build("{\"vcpu\":2,\"memory_mib\":512,\"kernel\":\"/k/vmlinux\",\"initramfs\":\"/k/i\","
              "\"boot_args\":[\"console=ttyS0\",\"quiet\"],\"console\":{\"path\":\"/v/c.log\"},"
              "\"drives\":[{\"id\":\"rootfs\",\"path\":\"/v/r.img\",\"root\":true,"
              "\"read_only\":false,\"format\":\"raw\"}],"
              "\"nics\":[{\"id\":\"eth0\",\"backend\":\"user\",\"mac\":\"02:00:00:00:00:01\","
              "\"forward\":[{\"proto\":\"tcp\",\"host_ip\":\"127.0.0.1\",\"host_port\":8080,"
              "\"guest_port\":80},{\"proto\":\"udp\",\"host_ip\":\"0.0.0.0\",\"host_port\":53,"
              "\"guest_port\":5353}]}]}",
              &tcg),
        "/usr/bin/qemu\n"
        "-name\nguest=web,debug-threads=on\n"
        "-uuid\n01234567-89ab-cdef-0123-456789abcdef\n"
        "-M\nmicrovm,acpi=on,rtc=on,isa-serial=on\n"
        "-accel\ntcg,thread=multi,tb-size=256\n"
        "-cpu\nqemu64\n"
        "-smp\n2\n"
        "-m\n512M\n"
        "-nodefaults\n-no-user-config\n-no-reboot\n"
        "-display\nnone\n"
        "-sandbox\non,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"
        "-kernel\n/k/vmlinux\n"
        "-initrd\n/k/i\n"
        "-append\nconsole=ttyS0 quiet\n"
        "-chardev\nfile,id=console,append=on,path=/v/c.log\n"
        "-serial\nchardev:console\n"
        "-chardev\nsocket,id=qmp,server=on,wait=off,path=qmp.sock\n"
        "-mon\nchardev=qmp,mode=control\n"
        "-chardev\nsocket,id=agent,server=on,wait=off,path=agent.sock\n"
        "-device\nvirtio-serial-device\n"
        "-device\nvirtserialport,chardev=agent,name=banger.agent.0\n"
        "-object\nrng-random,id=rng,filename=/dev/urandom\n"
        "-device\nvirtio-rng-device,rng=rng\n"
        "-blockdev\n{\"driver\":\"raw\",\"node-name\":\"drive0\",\"read-only\":false,"
        "\"discard\":\"unmap\",\"file\":{\"driver\":\"file\",\"filename\":\"/v/r.img\","
        "\"read-only\":false,\"discard\":\"unmap\"}}\n"
        "-device\n{\"driver\":\"virtio-blk-device\",\"drive\":\"drive0\",\"serial\":\"rootfs\"}\n"
        "-netdev\nuser,id=net0,ipv6=off,restrict=off,net=10.0.2.0/24,host=10.0.2.2,dns=10.0.2.3,"
        "dhcpstart=10.0.2.15,hostfwd=tcp:127.0.0.1:8080-10.0.2.15:80,"
        "hostfwd=udp:0.0.0.0:53-10.0.2.15:5353\n"
        "-device\n{\"driver\":\"virtio-net-device\",\"netdev\":\"net0\","
        "\"mac\":\"02:00:00:00:00:01\"}\n");
}

static void kvm_without_sandbox(void **state)
{
    struct qemu_options kvm = tcg;
    const char *text;

    (void)state;
    kvm.kvm = true;
    kvm.sandbox = false;
    text = build("{\"kernel\":\"/k\"}", &kvm);
    assert_has(text, "-accel\nkvm\n-cpu\nhost\n");
    assert_null(strstr(text, "-sandbox"));
}

static void a_machine_with_nothing(void **state)
{
    const char *text = build("{\"kernel\":\"/k\"}", &tcg);

    (void)state;
    assert_has(text, "-append\n\n-serial\nnull\n");
    assert_null(strstr(text, "-initrd"));
    assert_null(strstr(text, "-blockdev"));
    assert_null(strstr(text, "-netdev"));
}

/* A comma would begin another option of the chardev; in JSON it is only a comma. */
static void commas_stay_in_their_paths(void **state)
{
    const char *text = build("{\"kernel\":\"/a,b\",\"console\":{\"path\":\"/a,logfile=/etc/x\"},"
                             "\"drives\":[{\"id\":\"d\",\"path\":\"/a,b\\\"c\"}]}",
                             &tcg);

    (void)state;
    assert_has(text, "-kernel\n/a,b\n");
    assert_has(text, "path=/a,,logfile=/etc/x\n");
    assert_has(text, "\"filename\":\"/a,b\\\"c\"");
}

/* A filter stands between the device and the disk; what is not limited has none. */
static void a_drive_is_limited_by_a_throttle(void **state)
{
    const char *text =
        build("{\"kernel\":\"/k\",\"drives\":[{\"id\":\"rootfs\",\"path\":\"/r\",\"root\":true},"
              "{\"id\":\"data\",\"path\":\"/d\",\"read_only\":true}],"
              "\"rate_limits\":{\"drive.data\":{\"bytes_per_s\":5000000000}}}",
              &tcg);

    (void)state;
    assert_has(text, "-blockdev\n{\"driver\":\"raw\",\"node-name\":\"drive0\"");
    assert_has(text, "-object\n{\"qom-type\":\"throttle-group\",\"id\":\"limit1\",\"limits\":"
                     "{\"bps-total\":5000000000,\"iops-total\":0}}\n"
                     "-blockdev\n{\"driver\":\"throttle\",\"node-name\":\"drive1\","
                     "\"throttle-group\":\"limit1\",\"read-only\":true,\"discard\":\"unmap\","
                     "\"file\":{\"driver\":\"raw\",\"node-name\":\"disk1\",\"read-only\":true,");
    assert_has(text, "-device\n{\"driver\":\"virtio-blk-device\",\"drive\":\"drive1\",");
    assert_null(strstr(text, "limit0"));
}

static void the_root_drive_comes_first(void **state)
{
    const char *text = build("{\"kernel\":\"/k\",\"drives\":["
                             "{\"id\":\"data\",\"path\":\"/dev/dm-1\",\"read_only\":true},"
                             "{\"id\":\"rootfs\",\"path\":\"/r\",\"root\":true}]}",
                             &tcg);
    const char *root = strstr(text, "\"serial\":\"rootfs\"");
    const char *data = strstr(text, "\"serial\":\"data\"");

    (void)state;
    assert_non_null(root);
    assert_non_null(data);
    assert_true(root < data);
    assert_has(text, "\"driver\":\"host_device\",\"filename\":\"/dev/dm-1\",\"read-only\":true");
}

static void networks(void **state)
{
    (void)state;
    assert_has(
        build("{\"kernel\":\"/k\",\"nics\":[{\"backend\":\"user\",\"restrict\":true}]}", &tcg),
        "restrict=on");
    assert_has(
        build("{\"kernel\":\"/k\",\"nics\":[{\"backend\":\"tap\",\"tap\":\"tap,0\"}]}", &tcg),
        "-netdev\ntap,ifname=tap,,0,id=net0,script=no,downscript=no\n");
}

static void refuses_what_it_cannot_run(void **state)
{
    char many[4096] = "{\"kernel\":\"/k\",\"nics\":[{\"backend\":\"user\"}";

    (void)state;
    assert_string_equal(build("{}", &tcg), "refused: it has no kernel");
    assert_string_equal(
        build("{\"kernel\":\"/k\",\"nics\":[{\"backend\":\"carrier-pigeon\"}]}", &tcg),
        "refused: a NIC's backend is neither user nor tap");
    for (int i = 0; i < 21; i++) {
        strcat(many, ",{\"backend\":\"user\"}");
    }
    strcat(many, "]}");
    assert_string_equal(build(many, &tcg), "refused: it has more than 21 drives and NICs");
}

static void uuids(void **state)
{
    char uuid[37];

    (void)state;
    assert_true(argv_uuid("0123456789abcdef0123456789abcdef", uuid));
    assert_string_equal(uuid, "01234567-89ab-cdef-0123-456789abcdef");
    assert_false(argv_uuid("", uuid));
    assert_false(argv_uuid("0123456789abcdef0123456789abcde", uuid));
    assert_false(argv_uuid("0123456789abcdef0123456789abcdeg", uuid));
}

/* Slower than 100 MHz or faster than 20 GHz is not a TSC; a second question costs nothing. */
static void the_tsc_rate_is_plausible(void **state)
{
    long khz = tsc_khz();

    (void)state;
    assert_in_range(khz, 100000, 20000000);
    assert_int_equal(tsc_khz(), khz);
}

static void boot_arguments(void **state)
{
    struct fake_host *fake = fake_host_new("{\"config\": {\"accel\": \"tcg\"}}");
    char tsc[64];
    char *text;

    (void)state;
    assert_int_equal(fake_host_call(fake, banger_plugin_v1()->vmm->contribute), 0);
    text = json_dumps(fake_host_contribution(fake, "boot_args"), JSON_COMPACT);
    (void)snprintf(tsc, sizeof(tsc), "\"tsc_early_khz=%ld\",\"tsc=reliable\",\"no_timer_check\"",
                   tsc_khz());
    assert_has(text, tsc);
    assert_has(text, "\"console=ttyS0\"");
    free(text);
    fake_host_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_machine),
        cmocka_unit_test(kvm_without_sandbox),
        cmocka_unit_test(a_machine_with_nothing),
        cmocka_unit_test(commas_stay_in_their_paths),
        cmocka_unit_test(the_root_drive_comes_first),
        cmocka_unit_test(a_drive_is_limited_by_a_throttle),
        cmocka_unit_test(networks),
        cmocka_unit_test(refuses_what_it_cannot_run),
        cmocka_unit_test(uuids),
        cmocka_unit_test(the_tsc_rate_is_plausible),
        cmocka_unit_test(boot_arguments),
    };

    return cmocka_run_group_tests_name("qemu argv", tests, NULL, NULL);
}
