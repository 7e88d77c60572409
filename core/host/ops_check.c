/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/ops_check.h"

#include "base/json.h"
#include "base/name.h"
#include "host/tap.h"
#include "host/uplink.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define POOL_MAX 256 /* warm devices: more would only slow the kernel's dumps down */
#define PORTS_MAX 64 /* what one VM may take of the host's ports */
#define CHUNK_MIN 4096
#define CHUNK_MAX (512 * 1024)
#define PORT_LAST 65535 /* RFC 9293 3.1 */

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static int refuse(const char *name, const json_t *value, const char *wanted, banger_error *err)
{
    const char *text = json_string_value(value);
    return error_set(err, BANGER_EINVALID, "%s: %s%.64s%sis not %s", name, text != NULL ? "'" : "",
                     str_or(text, "the value "), text != NULL ? "' " : "", wanted);
}

/* An interface's name of our alphabet: nothing in it means anything to nft or in a path. */
static bool is_link_name(const char *text, const char *alphabet)
{
    size_t length = text != NULL ? strlen(text) : 0;
    return length >= 1 && length < IF_NAMESIZE && strspn(text, alphabet) == length &&
           text[0] != '-' && text[0] != '.';
}

int op_check_bridge(const char *name, const json_t *value, banger_error *err)
{
    const char *text = json_string_value(value);
    bool good = is_link_name(text, LOWER DIGITS "-") && strchr(LOWER, text[0]) != NULL &&
                strncmp(text, TAP_PREFIX, strlen(TAP_PREFIX)) != 0;
    return good ? 0
                : refuse(name, value,
                         "a bridge's name: a lower-case letter, then lower-case letters, digits "
                         "and '-', 15 bytes at most, not beginning with '" TAP_PREFIX "'",
                         err);
}

int op_check_tap(const char *name, const json_t *value, banger_error *err)
{
    const char *text = str_or(json_string_value(value), "");
    size_t prefix = strlen(TAP_PREFIX);
    bool good = strncmp(text, TAP_PREFIX, prefix) == 0 &&
                strlen(text) == prefix + SHORT_ID_LENGTH &&
                strspn(text + prefix, DIGITS "abcdef") == SHORT_ID_LENGTH;
    return good ? 0 : refuse(name, value, "'" TAP_PREFIX "' and a VM's short id", err);
}

/* What others' links may be called; dev_valid_name() of the kernel allows more. */
int op_check_uplink(const char *name, const json_t *value, banger_error *err)
{
    const char *text = json_string_value(value);
    bool good = is_link_name(text, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "-_.@");
    return good ? 0 : refuse(name, value, "'" UPLINK_AUTO "' or the name of a link", err);
}

/* Locally administered and unicast (IEEE 802, 8.2.2), in the way that it is printed. */
int op_check_mac(const char *name, const json_t *value, banger_error *err)
{
    const char *text = str_or(json_string_value(value), "");
    unsigned part[6] = {0};
    char again[18] = "";
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &part[0], &part[1], &part[2], &part[3], &part[4],
               &part[5]) == 6) {
        (void)snprintf(again, sizeof(again), "%02x:%02x:%02x:%02x:%02x:%02x", part[0], part[1],
                       part[2], part[3], part[4], part[5]);
    }
    bool good = strcmp(text, again) == 0 && (part[0] & 3) == 2;
    return good ? 0 : refuse(name, value, "a locally administered MAC address", err);
}

/* Only the one way of writing it that inet_ntop has: equal addresses are equal texts. */
static bool is_address(int family, const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char again[INET6_ADDRSTRLEN] = "";
    return text != NULL && inet_pton(family, text, bytes) == 1 &&
           inet_ntop(family, bytes, again, sizeof(again)) != NULL && strcmp(again, text) == 0;
}

int op_check_ip4(const char *name, const json_t *value, banger_error *err)
{
    return is_address(AF_INET, json_string_value(value))
               ? 0
               : refuse(name, value, "an IPv4 address", err);
}

int op_check_ip6(const char *name, const json_t *value, banger_error *err)
{
    return is_address(AF_INET6, json_string_value(value))
               ? 0
               : refuse(name, value, "an IPv6 address", err);
}

static bool is_cidr(int family, const char *text, int64_t shortest, int64_t longest)
{
    char address[INET6_ADDRSTRLEN] = "";
    const char *slash = text != NULL ? strchr(text, '/') : NULL;
    int64_t bits = 0;
    if (slash == NULL || (size_t)(slash - text) >= sizeof(address) ||
        number_parse("prefix", slash + 1, shortest, longest, &bits, NULL) < 0) {
        return false;
    }
    memcpy(address, text, (size_t)(slash - text));
    return is_address(family, address);
}

/* A /30 holds one guest beside the gateway; a /8 is the largest private range (RFC 1918). */
int op_check_cidr4(const char *name, const json_t *value, banger_error *err)
{
    return is_cidr(AF_INET, json_string_value(value), 8, 30)
               ? 0
               : refuse(name, value, "an IPv4 address with a prefix of 8 to 30", err);
}

int op_check_cidr6(const char *name, const json_t *value, banger_error *err)
{
    return is_cidr(AF_INET6, json_string_value(value), 64, 64)
               ? 0
               : refuse(name, value, "an IPv6 address with a prefix of 64", err);
}

int op_check_bool(const char *name, const json_t *value, banger_error *err)
{
    return json_is_boolean(value) ? 0 : refuse(name, value, "true or false", err);
}

int op_check_size(const char *name, const json_t *value, banger_error *err)
{
    json_int_t number = json_integer_value(value);
    return json_is_integer(value) && number >= 0 && number <= POOL_MAX
               ? 0
               : refuse(name, value, "a number from 0 to 256", err);
}

static bool is_port(const json_t *value)
{
    return json_integer_value(value) >= 1 && json_integer_value(value) <= PORT_LAST;
}

static int check_port(const char *name, const json_t *port, banger_error *err)
{
    static const char *const known[] = {"proto", "host_ip", "host_port", "guest_port", NULL};
    const char *proto = str_or(json_string_value(json_object_get(port, "proto")), "");
    if (json_only_keys(name, port, known, err) < 0) {
        return -1;
    }
    bool good = (strcmp(proto, "tcp") == 0 || strcmp(proto, "udp") == 0) &&
                is_address(AF_INET, json_string_value(json_object_get(port, "host_ip"))) &&
                is_port(json_object_get(port, "host_port")) &&
                is_port(json_object_get(port, "guest_port"));
    return good ? 0 : refuse(name, port, "a published port", err);
}

int op_check_ports(const char *name, const json_t *value, banger_error *err)
{
    size_t i = 0;
    json_t *port = NULL;
    if (!json_is_array(value) || json_array_size(value) > PORTS_MAX) {
        return refuse(name, value, "a list of at most 64 published ports", err);
    }
    json_array_foreach (value, i, port) {
        if (!json_is_object(port) || check_port(name, port, err) < 0) {
            return json_is_object(port) ? -1 : refuse(name, value, "a list of objects", err);
        }
    }
    return 0;
}

int op_check_path(const char *name, const json_t *value, banger_error *err)
{
    const char *text = json_string_value(value);
    return text != NULL ? name_check_path(name, text, err) : refuse(name, value, "a path", err);
}

int op_check_uid(const char *name, const json_t *value, banger_error *err)
{
    json_int_t uid = json_integer_value(value);
    return json_is_integer(value) && uid > 0 && uid < UINT32_MAX /* (uid_t)-1 is nobody */
               ? 0
               : refuse(name, value, "the id of a user other than root", err);
}

int op_check_count(const char *name, const json_t *value, banger_error *err)
{
    return json_is_integer(value) && json_integer_value(value) > 0
               ? 0
               : refuse(name, value, "a number above 0", err);
}

/* lvcreate(8), --chunksize, has the same limits. */
int op_check_chunk(const char *name, const json_t *value, banger_error *err)
{
    json_int_t bytes = json_integer_value(value);
    return json_is_integer(value) && bytes >= CHUNK_MIN && bytes <= CHUNK_MAX &&
                   (bytes & (bytes - 1)) == 0
               ? 0
               : refuse(name, value, "a power of 2 from 4096 to 524288", err);
}

int op_arguments_check(const char *op, const struct op_argument *arguments, const json_t *args,
                       banger_error *err)
{
    const char *names[OP_ARGUMENTS_MAX + 1] = {NULL};
    if (!json_is_object(args)) {
        return error_set(err, BANGER_EINVALID, "%s: the arguments must be an object", op);
    }
    for (size_t i = 0; arguments[i].name != NULL; i++) {
        const json_t *value = json_object_get(args, arguments[i].name);
        names[i] = arguments[i].name;
        if (value == NULL && !arguments[i].optional) {
            return error_set(err, BANGER_EINVALID, "%s: '%s' is missing", op, arguments[i].name);
        }
        if (value != NULL && arguments[i].check(arguments[i].name, value, err) < 0) {
            return error_prefix(err, "%s: ", op);
        }
    }
    return json_only_keys(op, args, names, err);
}
