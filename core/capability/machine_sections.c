/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine_sections.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define VCPU_MAX 256
#define MEMORY_MIB_MAX (INT64_C(16) << 20)
#define MODE_MAX 07777
#define ID_MAX INT64_C(0xfffffffe) /* (uid_t)-1 means "no change" to chown(2) */

/* -- Values -------------------------------------------------------------------------------------
 */

static int refuse(const char *expected, banger_error *err)
{
    return error_set(err, BANGER_EINVALID, "it must be %s", expected);
}

static int check_range(const json_t *value, int64_t low, int64_t high, banger_error *err)
{
    int64_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < low || number > high) {
        return error_set(err, BANGER_EINVALID,
                         "it must be a whole number from %" JSON_INTEGER_FORMAT
                         " to %" JSON_INTEGER_FORMAT,
                         (json_int_t)low, (json_int_t)high);
    }
    return 0;
}

static int check_vcpu(const json_t *value, banger_error *err)
{
    return check_range(value, 1, VCPU_MAX, err);
}

static int check_memory(const json_t *value, banger_error *err)
{
    return check_range(value, 1, MEMORY_MIB_MAX, err);
}

static int check_mode(const json_t *value, banger_error *err)
{
    return check_range(value, 0, MODE_MAX, err);
}

static int check_owner(const json_t *value, banger_error *err)
{
    return check_range(value, 0, ID_MAX, err);
}

static int check_path(const json_t *value, banger_error *err)
{
    return json_is_string(value) ? name_check_path("path", json_string_value(value), err)
                                 : refuse("a path", err);
}

static int check_boot_arg(const json_t *value, banger_error *err)
{
    return json_is_string(value) ? name_check_boot_arg(json_string_value(value), err)
                                 : refuse("a string", err);
}

static int check_id(const json_t *value, banger_error *err)
{
    return json_is_string(value) ? name_check_artifact("id", json_string_value(value), err)
                                 : refuse("a string", err);
}

static int check_bool(const json_t *value, banger_error *err)
{
    return json_is_boolean(value) ? 0 : refuse("true or false", err);
}

static int check_text(const json_t *value, banger_error *err)
{
    return json_is_string(value) ? 0 : refuse("a string", err);
}

static int check_list(const json_t *value, banger_error *err)
{
    return json_is_array(value) ? 0 : refuse("a list", err);
}

static int check_raw(const json_t *value, banger_error *err)
{
    return str_equal(json_string_value(value), "raw") ? 0 : refuse("\"raw\"", err);
}

static int check_backend(const json_t *value, banger_error *err)
{
    const char *text = json_string_value(value);
    return str_equal(text, "user") || str_equal(text, "tap") ? 0
                                                             : refuse("\"user\" or \"tap\"", err);
}

static int check_tap(const json_t *value, banger_error *err)
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) >= IF_NAMESIZE) {
        return refuse("an interface name of at most 15 bytes", err);
    }
    return name_check_artifact("interface", text, err);
}

static int check_mac(const json_t *value, banger_error *err)
{
    unsigned part[6];
    int end = 0;
    const char *text = str_or(json_string_value(value), "");
    int parts = sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &part[0], &part[1], &part[2], &part[3],
                       &part[4], &part[5], &end);
    if (parts != 6 || end != 17 || text[17] != '\0' || (part[0] & 1) != 0) {
        return refuse("a unicast MAC address, such as \"52:54:00:12:34:56\"", err);
    }
    return 0;
}

/* -- Objects with known members -----------------------------------------------------------------
 */

struct member {
    const char *name;
    int (*check)(const json_t *value, banger_error *err);
    bool required;
};

#define MEMBERS_MAX 8

static int check_members(const char *what, const json_t *value, const struct member *members,
                         banger_error *err)
{
    if (!json_is_object(value)) {
        return refuse("an object", err);
    }
    const char *names[MEMBERS_MAX + 1] = {NULL};
    for (size_t i = 0; members[i].name != NULL; i++) {
        names[i] = members[i].name;
        const json_t *member = json_object_get(value, members[i].name);
        if (member == NULL && members[i].required) {
            return error_set(err, BANGER_EINVALID, "%s has no '%s'", what, members[i].name);
        }
        if (member != NULL && members[i].check(member, err) < 0) {
            return error_prefix(err, "%s: ", members[i].name);
        }
    }
    return json_only_keys(what, value, names, err);
}

static int check_drive(const json_t *value, banger_error *err)
{
    static const struct member members[] = {
        {"id", check_id, true},      {"path", check_path, true},   {"read_only", check_bool, false},
        {"root", check_bool, false}, {"format", check_raw, false}, {NULL, NULL, false},
    };
    return check_members("a drive", value, members, err);
}

static int check_nic(const json_t *value, banger_error *err)
{
    static const struct member members[] = {
        {"id", check_id, true},
        {"backend", check_backend, true},
        {"mac", check_mac, false},
        {"tap", check_tap, false},
        {"forward", check_list, false},
        {"restrict", check_bool, false},
        {NULL, NULL, false},
    };
    return check_members("a nic", value, members, err);
}

static int check_console(const json_t *value, banger_error *err)
{
    static const struct member members[] = {{"path", check_path, true}, {NULL, NULL, false}};
    return check_members("the console", value, members, err);
}

static int check_file(const json_t *value, banger_error *err)
{
    static const struct member members[] = {
        {"path", check_path, true},  {"mode", check_mode, false},    {"uid", check_owner, false},
        {"gid", check_owner, false}, {"content", check_text, false}, {"source", check_path, false},
        {NULL, NULL, false},
    };
    if (check_members("a file", value, members, err) < 0) {
        return -1;
    }
    bool content = json_object_get(value, "content") != NULL;
    bool source = json_object_get(value, "source") != NULL;
    return content != source
               ? 0
               : error_set(err, BANGER_EINVALID, "a file has either 'content' or 'source'");
}

/* -- Objects of scalars -------------------------------------------------------------------------
 */

/* Written as one line of a file: a newline in it would be another line's beginning. */
static int check_line(const json_t *value, banger_error *err)
{
    const char *text = json_string_value(value);
    for (; text != NULL && *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return refuse("without control characters", err);
        }
    }
    return json_is_string(value) || json_is_integer(value) ? 0
                                                           : refuse("a string or a number", err);
}

static int check_limits(const json_t *value, banger_error *err)
{
    if (!json_is_object(value)) {
        return refuse("an object", err);
    }
    const char *name = NULL;
    json_t *limit = NULL;
    json_object_foreach ((json_t *)value, name, limit) {
        if (name_check_artifact("cgroup file", name, err) < 0) {
            return -1;
        }
        if (check_line(limit, err) < 0) {
            return error_prefix(err, "%s: ", name);
        }
    }
    return 0;
}

/* Up to what VMMs count: QEMU's limit. */
#define RATE_MAX INT64_C(1000000000000000)

static int check_rate(const json_t *value, banger_error *err)
{
    return check_range(value, 1, RATE_MAX, err);
}

static int check_limits_of(const char *device, const json_t *value, banger_error *err)
{
    static const struct member of_drive[] = {
        {"bytes_per_s", check_rate, false}, {"ops_per_s", check_rate, false}, {NULL, NULL, false}};
    static const struct member of_nic[] = {{"bytes_per_s", check_rate, false},
                                           {"packets_per_s", check_rate, false},
                                           {NULL, NULL, false}};
    bool is_drive = str_starts(device, "drive.");
    if (!is_drive && !str_starts(device, "nic.")) {
        return refuse("named drive.ID or nic.ID", err);
    }
    if (check_members("a limit", value, is_drive ? of_drive : of_nic, err) < 0) {
        return -1;
    }
    return json_object_size(value) > 0 ? 0 : refuse("a limit of something", err);
}

/* Whether there are such devices is only known of the whole machine: machine_check. */
static int check_rate_limits(const json_t *value, banger_error *err)
{
    if (!json_is_object(value)) {
        return refuse("an object", err);
    }
    const char *device = NULL;
    json_t *limits = NULL;
    json_object_foreach ((json_t *)value, device, limits) {
        if (check_limits_of(device, limits, err) < 0) {
            return error_prefix(err, "%s: ", device);
        }
    }
    return 0;
}

/* The keys of agent/guest_conf.h; what may be given more than once is a list. */
static const struct {
    const char *name;
    bool many;
} guest_keys[] = {
    {"root", false},     {"root_type", false}, {"root_flags", false}, {"init", false},
    {"hostname", false}, {"interface", true},  {"env", true},         {"clock", false},
    {"mount", true},     {"host", true},
};

/* "ADDRESS NAME" of hosts(5). */
static int check_host(const json_t *value, banger_error *err)
{
    const char *text = str_or(json_string_value(value), "");
    const char *name = strchr(text, ' ');
    char address[INET6_ADDRSTRLEN] = "";
    unsigned char bytes[sizeof(struct in6_addr)];
    size_t length = name != NULL ? (size_t)(name - text) : 0;
    (void)snprintf(address, sizeof(address), "%.*s", (int)length, text);
    if (length == 0 || length >= sizeof(address) ||
        (inet_pton(AF_INET, address, bytes) != 1 && inet_pton(AF_INET6, address, bytes) != 1)) {
        return refuse("an address, a blank and a name", err);
    }
    return name_check_artifact("host", name + 1, err);
}

static int check_guest_value(const json_t *value, bool many, banger_error *err)
{
    if (!many) {
        return check_line(value, err);
    }
    if (!json_is_array(value)) {
        return refuse("a list", err);
    }
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (value, index, item) {
        if (check_line(item, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_guest_conf(const json_t *value, banger_error *err)
{
    if (!json_is_object(value)) {
        return refuse("an object", err);
    }
    const char *names[COUNT_OF(guest_keys) + 1] = {NULL};
    for (size_t i = 0; i < COUNT_OF(guest_keys); i++) {
        names[i] = guest_keys[i].name;
        const json_t *member = json_object_get(value, guest_keys[i].name);
        if (member != NULL && check_guest_value(member, guest_keys[i].many, err) < 0) {
            return error_prefix(err, "%s: ", guest_keys[i].name);
        }
    }
    size_t index = 0;
    json_t *host = NULL;
    json_array_foreach (json_object_get(value, "host"), index, host) {
        if (check_host(host, err) < 0) {
            return error_prefix(err, "host: ");
        }
    }
    return json_only_keys("guest.conf", value, names, err);
}

/* -- The table ----------------------------------------------------------------------------------
 */

static const struct machine_section sections[] = {
    {"vcpu", MACHINE_ONCE, check_vcpu, NULL, NULL},
    {"memory_mib", MACHINE_ONCE, check_memory, NULL, NULL},
    {"kernel", MACHINE_ONCE, check_path, NULL, NULL},
    {"initramfs", MACHINE_ONCE, check_path, NULL, NULL},
    {"boot_args", MACHINE_LIST, check_boot_arg, NULL, NULL},
    {"drives", MACHINE_LIST, check_drive, "id", "root"},
    {"nics", MACHINE_LIST, check_nic, "id", NULL},
    {"console", MACHINE_ONCE, check_console, NULL, NULL},
    {"limits", MACHINE_MERGE, check_limits, NULL, NULL},
    {"rate_limits", MACHINE_MERGE, check_rate_limits, NULL, NULL},
    {"guest.conf", MACHINE_MERGE, check_guest_conf, NULL, NULL},
    {"guest.files", MACHINE_LIST, check_file, "path", NULL},
};

const struct machine_section *machine_section_find(const char *name, banger_error *err)
{
    const char *names[COUNT_OF(sections)];
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        names[i] = sections[i].name;
        if (strcmp(sections[i].name, name) == 0) {
            return &sections[i];
        }
    }
    (void)error_set(err, BANGER_EINVALID, "unknown machine section '%s'", name);
    const char *nearest = str_nearest(name, names, COUNT_OF(names));
    if (nearest != NULL) {
        (void)error_hint(err, "did you mean '%s'?", nearest);
    }
    return NULL;
}
