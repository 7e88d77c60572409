/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine document as requests to Firecracker's API. Pure: nothing of the host is looked at, so
 * that the same document always gives the same requests.
 *
 * Only fields of the versions from 1.8 on are sent: Firecracker refuses those that it does not know.
 * What a request names (kernel, disks, TAPs, the vsock socket) is opened as it is served, so that the
 * first refusal says what is wrong.
 */
#include "firecracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VCPU_MAX 32
/* COMMAND_LINE_SIZE on x86-64, less what Firecracker appends: "root=/dev/vda rw pci=off" and, before
 * 1.13, a device each. */
#define BOOT_ARGS_MAX (2048 - 64)

struct builder {
    json_t *requests;
    const struct configure_options *options;
    const json_t *rate_limits; /* may be NULL */
    const char *reason;        /* of the first part that could not be built; NULL: none */
};

static const char *text_at(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : fallback;
}

static bool is_true_at(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* Steals `path` and `body`. */
static void add(struct builder *builder, json_t *path, json_t *body)
{
    if (path == NULL || body == NULL) {
        builder->reason = "a value in it is not text";
        json_decref(path);
        json_decref(body);
        return;
    }
    json_array_append_new(builder->requests, json_pack("{s:s, s:o, s:o}", "method", "PUT", "path",
                                                       path, "body", body));
}

static void add_machine(struct builder *builder, const json_t *machine)
{
    json_int_t vcpu = json_integer_value(json_object_get(machine, "vcpu"));
    json_int_t memory = json_integer_value(json_object_get(machine, "memory_mib"));

    if (vcpu < 1 || vcpu > VCPU_MAX) {
        builder->reason = "it has more than 32 processors";
        return;
    }
    add(builder, json_string("/machine-config"),
        json_pack("{s:I, s:I}", "vcpu_count", vcpu, "mem_size_mib", memory));
}

/* The arguments joined by blanks; each was checked to hold none. */
static json_t *command_line(const json_t *boot_args)
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
    return line;
}

static void add_kernel(struct builder *builder, const json_t *machine)
{
    const struct configure_options *options = builder->options;
    const char *kernel =
        options->kernel != NULL ? options->kernel : text_at(machine, "kernel", NULL);
    const char *initramfs =
        options->initramfs != NULL ? options->initramfs : text_at(machine, "initramfs", NULL);
    json_t *line = command_line(json_object_get(machine, "boot_args"));
    json_t *body;

    if (kernel == NULL) {
        builder->reason = "it has no kernel";
    } else if (json_string_length(line) > BOOT_ARGS_MAX) {
        builder->reason = "its kernel's arguments are longer than 1984 bytes";
    }
    body = json_pack("{s:s?, s:o}", "kernel_image_path", kernel, "boot_args", line);
    if (initramfs != NULL) {
        json_object_set_new(body, "initrd_path", json_string(initramfs));
    }
    add(builder, json_string("/boot-source"), body);
}

/* A bucket that is filled once a second and holds a second's worth. NULL: no limit. */
static json_t *bucket(const json_t *limits, const char *key)
{
    const json_t *rate = json_object_get(limits, key);

    return rate == NULL ? NULL
                        : json_pack("{s:O, s:i}", "size", rate, "refill_time", 1000 /* ms */);
}

/* Puts a rate limiter into the body of a device's request, under each of `fields`. */
static void add_limiters(const struct builder *builder, const char *kind, const json_t *device,
                         const char *counted, const char *const *fields, json_t *body)
{
    char key[128];
    const json_t *limits;

    (void)snprintf(key, sizeof(key), "%s.%s", kind, text_at(device, "id", ""));
    limits = json_object_get(builder->rate_limits, key);
    for (; limits != NULL && *fields != NULL; fields++) {
        json_object_set_new(body, *fields,
                            json_pack("{s:o*, s:o*}", "bandwidth", bucket(limits, "bytes_per_s"),
                                      "ops", bucket(limits, counted)));
    }
}

/* Ids are made here: the document's may hold a '-', which Firecracker's must not, and one that comes
 * twice would replace the first without a word. */
static void add_drive(struct builder *builder, const json_t *drive, size_t index)
{
    const char *path = json_string_value(json_array_get(builder->options->drive_paths, index));
    bool read_only = is_true_at(drive, "read_only");
    json_t *body =
        json_pack("{s:o, s:b, s:s, s:b}", "drive_id", json_sprintf("drive%zu", index),
                  "is_root_device", is_true_at(drive, "root"), "path_on_host",
                  path != NULL ? path : text_at(drive, "path", ""), "is_read_only", read_only);

    if (!read_only) {
        /* The default, Unsafe, offers the guest no flush. */
        json_object_set_new(body, "cache_type", json_string("Writeback"));
    }
    add_limiters(builder, "drive", drive, "ops_per_s", (const char *const[]){"rate_limiter", NULL},
                 body);
    add(builder, json_sprintf("/drives/drive%zu", index), body);
}

/* The guest names disks in the order of the requests; the root drive comes first with every
 * Firecracker. */
static void add_drives(struct builder *builder, const json_t *drives)
{
    size_t i;
    json_t *drive;

    json_array_foreach (drives, i, drive) {
        if (is_true_at(drive, "root")) {
            add_drive(builder, drive, i);
        }
    }
    json_array_foreach (drives, i, drive) {
        if (!is_true_at(drive, "root")) {
            add_drive(builder, drive, i);
        }
    }
}

static void add_nic(struct builder *builder, const json_t *nic, size_t index)
{
    const char *mac = text_at(nic, "mac", NULL);
    json_t *body;

    if (strcmp(text_at(nic, "backend", ""), "tap") != 0) {
        builder->reason = "a NIC of it is not a TAP";
        return;
    }
    body = json_pack("{s:o, s:s}", "iface_id", json_sprintf("net%zu", index), "host_dev_name",
                     text_at(nic, "tap", ""));
    if (mac != NULL) {
        json_object_set_new(body, "guest_mac", json_string(mac));
    }
    add_limiters(builder, "nic", nic, "packets_per_s",
                 (const char *const[]){"rx_rate_limiter", "tx_rate_limiter", NULL}, body);
    add(builder, json_sprintf("/network-interfaces/net%zu", index), body);
}

json_t *configure_build(const json_t *machine, const struct configure_options *options,
                        const char **reason)
{
    struct builder builder = {.requests = json_array(),
                              .options = options,
                              .rate_limits = json_object_get(machine, "rate_limits")};
    const json_t *nics = json_object_get(machine, "nics");
    size_t i;
    json_t *nic;

    add_machine(&builder, machine);
    add_kernel(&builder, machine);
    add_drives(&builder, json_object_get(machine, "drives"));
    json_array_foreach (nics, i, nic) {
        add_nic(&builder, nic, i);
    }
    add(&builder, json_string("/vsock"),
        json_pack("{s:I, s:s}", "guest_cid", (json_int_t)options->guest_cid, "uds_path",
                  options->vsock_path));
    if (builder.reason != NULL) {
        *reason = builder.reason;
        json_decref(builder.requests);
        return NULL;
    }
    return builder.requests;
}
