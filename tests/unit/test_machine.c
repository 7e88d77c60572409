/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "capability/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static int add(struct machine *machine, const char *by, const char *section, const char *text,
               banger_error *err)
{
    AUTO_JSON json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    return machine_add(machine, by, section, value, err);
}

static void added(struct machine *machine, const char *by, const char *section, const char *text)
{
    banger_error err = BANGER_ERROR_INIT;
    if (add(machine, by, section, text, &err) < 0) {
        fail_msg("%s %s: %s", section, text, err.message);
    }
}

/* The contribution must fail, say `why`, and leave no trace. */
static void refused(struct machine *machine, const char *section, const char *text,
                    enum banger_code code, const char *why)
{
    AUTO_FREE char *before = json_text(machine_document(machine));
    size_t contributions = json_array_size(machine_contributions(machine));
    banger_error err = BANGER_ERROR_INIT;
    int result = add(machine, "late", section, text, &err);
    if (result == 0 || strstr(err.message, why) == NULL || err.code != code) {
        fail_msg("%s %s: got '%s' (%d), expected '%s'", section, text, err.message, err.code, why);
    }
    AUTO_FREE char *after = json_text(machine_document(machine));
    assert_string_equal(before, after);
    assert_int_equal(json_array_size(machine_contributions(machine)), contributions);
}

static void invalid(const char *section, const char *text, const char *why)
{
    struct machine *machine = machine_new();
    refused(machine, section, text, BANGER_EINVALID, why);
    machine_free(machine);
}

static void every_section_takes_its_shape(void **state)
{
    (void)state;
    struct machine *machine = machine_new();
    added(machine, "resources", "vcpu", "2");
    added(machine, "resources", "memory_mib", "512");
    added(machine, "core", "kernel", "\"/k/vmlinux\"");
    added(machine, "core", "initramfs", "\"/k/initramfs\"");
    added(machine, "core", "boot_args", "\"quiet\"");
    added(machine, "qemu", "boot_args", "[\"panic=-1\", \"reboot=t\"]");
    added(machine, "copy", "drives", "{\"id\":\"root\",\"path\":\"/d\",\"root\":true}");
    added(machine, "data", "drives",
          "[{\"id\":\"b\",\"path\":\"/b\",\"read_only\":true,\"format\":\"raw\"}]");
    added(machine, "user", "nics",
          "{\"id\":\"eth0\",\"backend\":\"user\",\"mac\":\"52:54:00:12:34:56\",\"forward\":[]}");
    added(machine, "boot-log", "console", "{\"path\":\"/log\"}");
    added(machine, "resources", "limits", "{\"memory.max\":1024}");
    added(machine, "other", "limits", "{\"pids.max\":\"max\"}");
    added(machine, "hostname", "guest.conf", "{\"hostname\":\"web\",\"env\":[\"A=b\"]}");
    added(machine, "env", "guest.conf", "{\"env\":[\"C=d\"]}");
    added(machine, "hosts", "guest.files", "{\"path\":\"/etc/hosts\",\"content\":\"\"}");

    const json_t *document = machine_document(machine);
    AUTO_FREE char *arguments = json_text(json_at(document, "boot_args"));
    assert_string_equal(arguments, "[\"quiet\",\"panic=-1\",\"reboot=t\"]");
    AUTO_FREE char *environment = json_text(json_at(document, "guest.conf.env"));
    assert_string_equal(environment, "[\"A=b\",\"C=d\"]");
    assert_int_equal(json_array_size(json_at(document, "drives")), 2);
    assert_int_equal(json_object_size(json_at(document, "limits")), 2);
    machine_free(machine);
}

static void contributions_remember_who(void **state)
{
    (void)state;
    struct machine *machine = machine_new();
    added(machine, "resources", "vcpu", "2");
    added(machine, "qemu", "boot_args", "[\"quiet\"]");
    AUTO_FREE char *text = json_text(machine_contributions(machine));
    assert_string_equal(text, "[{\"section\":\"vcpu\",\"by\":\"resources\",\"value\":2},"
                              "{\"section\":\"boot_args\",\"by\":\"qemu\",\"value\":[\"quiet\"]}]");
    machine_free(machine);
}

static void conflicts_name_the_earlier_one(void **state)
{
    (void)state;
    struct machine *machine = machine_new();
    added(machine, "resources", "vcpu", "2");
    added(machine, "other", "drives", "{\"id\":\"data\",\"path\":\"/d\"}");
    added(machine, "copy", "drives", "[{\"id\":\"root\",\"path\":\"/r\",\"root\":true}]");
    added(machine, "a", "limits", "{\"memory.max\":1}");
    added(machine, "b", "limits", "{\"pids.max\":1}");
    added(machine, "hostname", "guest.conf", "{\"hostname\":\"web\"}");
    added(machine, "hosts", "guest.files", "{\"path\":\"/etc/hosts\",\"content\":\"\"}");

    refused(machine, "vcpu", "2", BANGER_EEXISTS, "vcpu: it was set already, by 'resources'");
    refused(machine, "drives", "{\"id\":\"root\",\"path\":\"/x\"}", BANGER_EEXISTS,
            "drives: the id 'root' was contributed already, by 'copy'");
    refused(machine, "drives", "{\"id\":\"x\",\"path\":\"/x\",\"root\":true}", BANGER_EEXISTS,
            "only one can be 'root', and 'copy' contributed one");
    refused(machine, "limits", "{\"cpu.max\":1,\"pids.max\":2}", BANGER_EEXISTS,
            "limits: 'pids.max' was set already, by 'b'");
    refused(machine, "guest.conf", "{\"hostname\":\"x\"}", BANGER_EEXISTS, "by 'hostname'");
    refused(machine, "guest.files", "{\"path\":\"/etc/hosts\",\"content\":\"x\"}", BANGER_EEXISTS,
            "the path '/etc/hosts' was contributed already, by 'hosts'");
    refused(machine, "nics",
            "[{\"id\":\"a\",\"backend\":\"user\"},{\"id\":\"a\",\"backend\":\"user\"}]",
            BANGER_EEXISTS, "by 'late'");
    machine_free(machine);
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    invalid("vcpu", "0", "vcpu: it must be a whole number from 1");
    invalid("vcpu", "\"2\"", "it must be a whole number");
    invalid("memory_mib", "1.5", "it must be a whole number");
    invalid("kernel", "\"vmlinux\"", "it must be an absolute path");
    invalid("kernel", "\"/a/../b\"", "invalid path");
    invalid("boot_args", "[\"a b\"]", "invalid kernel argument 'a b'");
    invalid("boot_args", "[1]", "it must be a string");
    invalid("drives", "[1]", "it must be an object");
    invalid("drives", "{\"id\":\"a\"}", "a drive has no 'path'");
    invalid("drives", "{\"id\":\"a,b\",\"path\":\"/d\"}", "id: invalid id 'a,b'");
    invalid("drives", "{\"id\":\"a\",\"path\":\"/d\",\"format\":\"qcow2\"}", "format: it must be");
    invalid("drives", "{\"id\":\"a\",\"path\":\"/d\",\"readonly\":true}", "unknown key 'readonly'");
    invalid("nics", "{\"id\":\"a\",\"backend\":\"x\"}", "\"user\" or \"tap\"");
    invalid("nics", "{\"id\":\"a\",\"backend\":\"tap\",\"mac\":\"52:54:0:1:2:3\"}", "MAC address");
    invalid("nics", "{\"id\":\"a\",\"backend\":\"tap\",\"mac\":\"01:54:00:01:02:03\"}", "unicast");
    invalid("nics", "{\"id\":\"a\",\"backend\":\"tap\",\"tap\":\"sixteen-bytes-xx\"}", "15 bytes");
    invalid("console", "{}", "the console has no 'path'");
    invalid("limits", "{\"../x\":1}", "invalid cgroup file '../x'");
    invalid("limits", "{\"a\":\"x\\ny\"}", "without control characters");
    invalid("rate_limits", "[]", "it must be an object");
    invalid("rate_limits", "{\"rootfs\":{\"bytes_per_s\":1}}", "named drive.ID or nic.ID");
    invalid("rate_limits", "{\"drive.a\":{}}", "drive.a: it must be a limit of something");
    invalid("rate_limits", "{\"drive.a\":{\"bytes_per_s\":0}}", "from 1 to 1000000000000000");
    invalid("rate_limits", "{\"drive.a\":{\"packets_per_s\":1}}", "unknown key 'packets_per_s'");
    invalid("rate_limits", "{\"nic.a\":{\"ops_per_s\":1}}", "unknown key 'ops_per_s'");
    invalid("guest.conf", "{\"hostname\":\"x\\ninit=/bin/evil\"}", "without control characters");
    invalid("guest.conf", "{\"hostname\":[\"x\"]}", "hostname: it must be a string");
    invalid("guest.conf", "{\"env\":\"A=b\"}", "env: it must be a list");
    invalid("guest.conf", "{\"host\":[\"10.0.0.7\"]}",
            "host: it must be an address, a blank and a");
    invalid("guest.conf", "{\"host\":[\"10.0.0 vault\"]}", "host: it must be an address");
    invalid("guest.conf", "{\"host\":[\"10.0.0.7 a b\"]}", "host: ");
    invalid("guest.conf", "{\"hostnam\":\"x\"}", "unknown key 'hostnam'");
    invalid("guest.files", "{\"path\":\"/a\"}", "either 'content' or 'source'");
    invalid("guest.files", "{\"path\":\"/a\",\"content\":\"\",\"source\":\"/b\"}", "either");
    invalid("guest.files", "{\"path\":\"/a\",\"content\":\"\",\"mode\":4096}", "mode: it must be");
    invalid("guest.files", "{\"path\":\"/a\",\"content\":\"\",\"uid\":-1}", "uid: it must be");
}

static void limits_are_of_devices_that_are_there(void **state)
{
    (void)state;
    struct machine *machine = machine_new();
    banger_error err = BANGER_ERROR_INIT;
    added(machine, "copy", "drives", "{\"id\":\"rootfs\",\"path\":\"/r\"}");
    added(machine, "user", "nics", "{\"id\":\"eth0\",\"backend\":\"user\"}");
    added(machine, "a", "rate_limits", "{\"drive.rootfs\":{\"bytes_per_s\":1,\"ops_per_s\":2}}");
    added(machine, "b", "rate_limits", "{\"nic.eth0\":{\"packets_per_s\":3}}");
    refused(machine, "rate_limits", "{\"drive.rootfs\":{\"ops_per_s\":9}}", BANGER_EEXISTS,
            "'drive.rootfs' was set already, by 'a'");
    assert_int_equal(machine_check(machine, &err), 0);
    added(machine, "site", "rate_limits", "{\"drive.root\":{\"ops_per_s\":1}}");
    assert_int_equal(machine_check(machine, &err), -1);
    assert_string_equal(err.message, "rate_limits: 'site' limits drive.root, which this machine "
                                     "does not have");
    assert_string_equal(err.hint, "it has drive.rootfs nic.eth0");
    machine_free(machine);
}

static void unknown_section_gets_the_nearest(void **state)
{
    (void)state;
    struct machine *machine = machine_new();
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(add(machine, "x", "drive", "[]", &err), -1);
    assert_string_equal(err.message, "unknown machine section 'drive'");
    assert_string_equal(err.hint, "did you mean 'drives'?");
    machine_free(machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_section_takes_its_shape),
        cmocka_unit_test(contributions_remember_who),
        cmocka_unit_test(conflicts_name_the_earlier_one),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(limits_are_of_devices_that_are_there),
        cmocka_unit_test(unknown_section_gets_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
