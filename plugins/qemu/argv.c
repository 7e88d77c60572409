/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine document as QEMU's argument vector. Pure: nothing of the host is looked at, so that
 * the same document always gives the same text.
 *
 * -blockdev and the devices behind it are given as JSON, where no path needs escaping. In the
 * other options a comma inside a value is doubled (qemu-options.hx).
 */
#include "qemu.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

/* virtio-mmio has 24 places in a microvm with its second IO-APIC; three are ours (serial, rng, and
 * one spare). */
#define DEVICES_MAX 21

/* The translator's cache of generated code: QEMU's own default is 1 GiB a VM, which would have to
 * be added to every memory limit. Boots take as long with this. */
#define TCG_ACCEL "tcg,thread=multi,tb-size=256"

struct builder {
    json_t *argv;
    const json_t *rate_limits; /* may be NULL */
    const char *reason;        /* of the first part that could not be built; NULL: none */
};

static void add(struct builder *builder, const char *option, json_t *value)
{
    json_array_append_new(builder->argv, json_string(option));
    if (value != NULL) {
        json_array_append_new(builder->argv, value);
    }
}

static void add_text(struct builder *builder, const char *option, const char *value)
{
    add(builder, option, json_string(value));
}

/* An option whose value is a JSON object. Steals it. */
static void add_object(struct builder *builder, const char *option, json_t *object)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);

    json_decref(object);
    if (text == NULL) {
        builder->reason = "a value in it is not text";
        return;
    }
    add_text(builder, option, text);
    free(text);
}

/* PREFIX and `value` with its commas doubled, then SUFFIX. */
static void add_escaped(struct builder *builder, const char *option, const char *prefix,
                        const char *value, const char *suffix)
{
    size_t size = strlen(prefix) + 2 * strlen(value) + strlen(suffix) + 1;
    char *text = malloc(size);
    char *at;

    if (text == NULL) {
        builder->reason = "there is no memory for it";
        return;
    }
    at = stpcpy(text, prefix);
    for (; *value != '\0'; value++) {
        *at++ = *value;
        if (*value == ',') {
            *at++ = ',';
        }
    }
    memcpy(at, suffix, strlen(suffix) + 1);
    add_text(builder, option, text);
    free(text);
}

static const char *text_at(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : fallback;
}

static json_int_t number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void add_machine(struct builder *builder, const json_t *machine,
                        const struct qemu_options *options)
{
    char uuid[37];

    add_escaped(builder, "-name", "guest=", options->vm_name, ",debug-threads=on");
    if (argv_uuid(options->vm_id, uuid)) {
        add_text(builder, "-uuid", uuid);
    }
    add_text(builder, "-M", "microvm,acpi=on,rtc=on,isa-serial=on");
    add_text(builder, "-accel", options->kvm ? "kvm" : TCG_ACCEL);
    add_text(builder, "-cpu", options->kvm ? "host" : "qemu64");
    add(builder, "-smp", json_sprintf("%lld", (long long)number_at(machine, "vcpu")));
    add(builder, "-m", json_sprintf("%lldM", (long long)number_at(machine, "memory_mib")));
    add(builder, "-nodefaults", NULL);
    add(builder, "-no-user-config", NULL);
    add(builder, "-no-reboot", NULL);
    add_text(builder, "-display", "none");
    if (options->sandbox) {
        add_text(builder, "-sandbox", SANDBOX);
    }
}

/* The arguments joined by blanks; each was checked to hold none. */
static void add_command_line(struct builder *builder, const json_t *boot_args)
{
    json_t *line = json_string("");
    size_t i;
    json_t *argument;

    json_array_foreach (boot_args, i, argument) {
        json_t *longer = json_sprintf("%s%s%s", json_string_value(line), i > 0 ? " " : "",
                                      json_string_value(argument));

        json_decref(line);
        line = longer;
    }
    add(builder, "-append", line);
}

static void add_kernel(struct builder *builder, const json_t *machine)
{
    const char *kernel = text_at(machine, "kernel", NULL);
    const char *initramfs = text_at(machine, "initramfs", NULL);

    if (kernel == NULL) {
        builder->reason = "it has no kernel";
        return;
    }
    add_text(builder, "-kernel", kernel);
    if (initramfs != NULL) {
        add_text(builder, "-initrd", initramfs);
    }
    add_command_line(builder, json_object_get(machine, "boot_args"));
}

static void add_console(struct builder *builder, const json_t *machine)
{
    const char *path = text_at(json_object_get(machine, "console"), "path", NULL);

    if (path == NULL) {
        add_text(builder, "-serial", "null");
        return;
    }
    add_escaped(builder, "-chardev", "file,id=console,append=on,path=", path, "");
    add_text(builder, "-serial", "chardev:console");
}

static void add_channels(struct builder *builder)
{
    add_text(builder, "-chardev", "socket,id=qmp,server=on,wait=off,path=" QEMU_QMP_SOCKET);
    add_text(builder, "-mon", "chardev=qmp,mode=control");
    add_text(builder, "-chardev", "socket,id=agent,server=on,wait=off,path=" QEMU_AGENT_SOCKET);
    add_text(builder, "-device", "virtio-serial-device");
    add_text(builder, "-device", "virtserialport,chardev=agent,name=banger.agent.0");
    add_text(builder, "-object", "rng-random,id=rng,filename=/dev/urandom");
    add_text(builder, "-device", "virtio-rng-device,rng=rng");
}

/* NULL: none; a borrowed reference. */
static const json_t *limits_of(const struct builder *builder, const json_t *drive)
{
    char key[128];

    (void)snprintf(key, sizeof(key), "drive.%s", text_at(drive, "id", ""));
    return json_object_get(builder->rate_limits, key);
}

/* A filter above the disk; 0 is no limit. Steals `disk`, and gives what goes into its place. */
static json_t *add_throttle(struct builder *builder, const json_t *limits, size_t index,
                            const char *node, json_t *disk)
{
    json_t *read_only = json_object_get(disk, "read-only");
    char group[32];

    (void)snprintf(group, sizeof(group), "limit%zu", index);
    add_object(builder, "-object",
               json_pack("{s:s, s:s, s:{s:I, s:I}}", "qom-type", "throttle-group", "id", group,
                         "limits", "bps-total", number_at(limits, "bytes_per_s"), "iops-total",
                         number_at(limits, "ops_per_s")));
    return json_pack("{s:s, s:s, s:s, s:O, s:s, s:o}", "driver", "throttle", "node-name", node,
                     "throttle-group", group, "read-only", read_only, "discard", "unmap", "file",
                     disk);
}

static void add_drive(struct builder *builder, const json_t *drive, size_t index)
{
    const json_t *limits = limits_of(builder, drive);
    const char *path = text_at(drive, "path", "");
    const char *driver = strncmp(path, "/dev/", 5) == 0 ? "host_device" : "file";
    int read_only = json_is_true(json_object_get(drive, "read_only"));
    char node[32];
    char place[32];
    json_t *disk;

    (void)snprintf(node, sizeof(node), "drive%zu", index);
    (void)snprintf(place, sizeof(place), "disk%zu", index);
    disk =
        json_pack("{s:s, s:s, s:b, s:s, s:{s:s, s:s, s:b, s:s}}", "driver", "raw", "node-name",
                  limits != NULL ? place : node, "read-only", read_only, "discard", "unmap", "file",
                  "driver", driver, "filename", path, "read-only", read_only, "discard", "unmap");
    if (limits != NULL && disk != NULL) {
        disk = add_throttle(builder, limits, index, node, disk);
    }
    add_object(builder, "-blockdev", disk);
    add_object(builder, "-device",
               json_pack("{s:s, s:s, s:s}", "driver", "virtio-blk-device", "drive", node, "serial",
                         text_at(drive, "id", node)));
}

static bool is_root(const json_t *drive)
{
    return json_is_true(json_object_get(drive, "root"));
}

/* The guest names disks in the order of their places: the root drive first, whoever came first. */
static void add_drives(struct builder *builder, const json_t *drives)
{
    size_t i;
    json_t *drive;

    json_array_foreach (drives, i, drive) {
        if (is_root(drive)) {
            add_drive(builder, drive, i);
        }
    }
    json_array_foreach (drives, i, drive) {
        if (!is_root(drive)) {
            add_drive(builder, drive, i);
        }
    }
}

/* "hostfwd" once for each published port, appended to `netdev` (stolen). */
static json_t *append_forwards(json_t *netdev, const json_t *forwards)
{
    size_t i;
    json_t *forward;

    json_array_foreach (forwards, i, forward) {
        json_t *longer = json_sprintf(
            "%s,hostfwd=%s:%s:%d-10.0.2.15:%d", json_string_value(netdev),
            text_at(forward, "proto", "tcp"), text_at(forward, "host_ip", "127.0.0.1"),
            (int)number_at(forward, "host_port"), (int)number_at(forward, "guest_port"));

        json_decref(netdev);
        netdev = longer;
    }
    return netdev;
}

/* slirp's IPv6 would announce a router that leads nowhere on most hosts. */
static void add_user_netdev(struct builder *builder, const json_t *nic, const char *id)
{
    json_t *netdev =
        json_sprintf("user,id=%s,ipv6=off,restrict=%s,net=10.0.2.0/24,host=10.0.2.2,"
                     "dns=10.0.2.3,dhcpstart=10.0.2.15",
                     id, json_is_true(json_object_get(nic, "restrict")) ? "on" : "off");

    add(builder, "-netdev", append_forwards(netdev, json_object_get(nic, "forward")));
}

static void add_tap_netdev(struct builder *builder, const json_t *nic, const char *id)
{
    char suffix[64];

    (void)snprintf(suffix, sizeof(suffix), ",id=%s,script=no,downscript=no", id);
    add_escaped(builder, "-netdev", "tap,ifname=", text_at(nic, "tap", ""), suffix);
}

static void add_nic(struct builder *builder, const json_t *nic, size_t index)
{
    const char *backend = text_at(nic, "backend", "");
    char id[32];

    (void)snprintf(id, sizeof(id), "net%zu", index);
    if (strcmp(backend, "user") == 0) {
        add_user_netdev(builder, nic, id);
    } else if (strcmp(backend, "tap") == 0) {
        add_tap_netdev(builder, nic, id);
    } else {
        builder->reason = "a NIC's backend is neither user nor tap";
        return;
    }
    add_object(builder, "-device",
               json_pack("{s:s, s:s, s:s}", "driver", "virtio-net-device", "netdev", id, "mac",
                         text_at(nic, "mac", "")));
}

bool argv_uuid(const char *id, char uuid[37])
{
    if (strlen(id) != 32 || strspn(id, "0123456789abcdef") != 32) {
        return false;
    }
    (void)snprintf(uuid, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
    return true;
}

json_t *argv_build(const json_t *machine, const struct qemu_options *options, const char **reason)
{
    struct builder builder = {.argv = json_array(),
                              .rate_limits = json_object_get(machine, "rate_limits")};
    const json_t *drives = json_object_get(machine, "drives");
    const json_t *nics = json_object_get(machine, "nics");
    size_t i;
    json_t *nic;

    add(&builder, options->program, NULL);
    add_machine(&builder, machine, options);
    add_kernel(&builder, machine);
    add_console(&builder, machine);
    add_channels(&builder);
    add_drives(&builder, drives);
    json_array_foreach (nics, i, nic) {
        add_nic(&builder, nic, i);
    }
    if (json_array_size(drives) + json_array_size(nics) > DEVICES_MAX) {
        builder.reason = "it has more than 21 drives and NICs";
    }
    if (builder.reason != NULL) {
        *reason = builder.reason;
        json_decref(builder.argv);
        return NULL;
    }
    return builder.argv;
}
