/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forward.h"

#include <arpa/inet.h>
#include <banger/json.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FORWARD_TEXT_MAX 64

static const char *forward_protocol(const struct forward *forward)
{
    return forward->udp ? "udp" : "tcp";
}

/* 1 to 65535 in plain decimal, no sign, no blank. */
static bool parse_port(const char *text, uint16_t *port)
{
    unsigned value = 0;
    size_t length = strlen(text);

    if (length == 0 || length > 5 || strspn(text, "0123456789") != length) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return value >= 1 && value <= 65535;
}

/* Cuts "/tcp" or "/udp" off the end. */
static bool take_protocol(char *text, bool *udp)
{
    char *slash = strchr(text, '/');

    *udp = false;
    if (slash == NULL) {
        return true;
    }
    *slash = '\0';
    *udp = strcmp(slash + 1, "udp") == 0;
    return *udp || strcmp(slash + 1, "tcp") == 0;
}

/* The canonical form, so that equal addresses compare equal as text. */
static bool parse_ip(const char *text, char ip[INET_ADDRSTRLEN])
{
    struct in_addr address;

    return inet_pton(AF_INET, text, &address) == 1 &&
           inet_ntop(AF_INET, &address, ip, INET_ADDRSTRLEN) != NULL;
}

bool forward_parse(const char *text, struct forward *forward, const char **reason)
{
    char copy[FORWARD_TEXT_MAX];
    char *parts[3];
    size_t count = 0;

    *reason = "it must be [IP:]HOST:GUEST[/tcp|/udp], for example 8080:80";
    if (strlen(text) >= sizeof(copy) || strchr(text, '[') != NULL) {
        *reason = strchr(text, '[') == NULL ? *reason : "only IPv4 addresses can be published";
        return false;
    }
    memcpy(copy, text, strlen(text) + 1);
    if (!take_protocol(copy, &forward->udp)) {
        *reason = "the protocol must be tcp or udp";
        return false;
    }
    for (char *rest = copy; rest != NULL; count++) {
        if (count == 3) {
            return false;
        }
        parts[count] = strsep(&rest, ":");
    }
    if (count < 2) {
        return false;
    }
    if (!parse_ip(count == 3 ? parts[0] : FORWARD_DEFAULT_IP, forward->host_ip)) {
        *reason = "the address must be an IPv4 address of this host, or 0.0.0.0 for all";
        return false;
    }
    if (!parse_port(parts[count - 2], &forward->host_port) ||
        !parse_port(parts[count - 1], &forward->guest_port)) {
        *reason = "a port must be a number from 1 to 65535";
        return false;
    }
    return true;
}

bool forward_clashes(const struct forward *a, const struct forward *b)
{
    return a->udp == b->udp && a->host_port == b->host_port &&
           (strcmp(a->host_ip, b->host_ip) == 0 || strcmp(a->host_ip, "0.0.0.0") == 0 ||
            strcmp(b->host_ip, "0.0.0.0") == 0);
}

static int forward_add(const struct banger_host *host, struct banger_call *call, const char *text,
                       struct forward_list *list)
{
    struct forward *forward = &list->items[list->count];
    const char *reason;

    if (!forward_parse(text, forward, &reason)) {
        return host->fail(call, BANGER_EINVALID, "invalid published port '%.80s': %s", text,
                          reason);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (forward_clashes(forward, &list->items[i])) {
            return host->fail(call, BANGER_EINVALID,
                              "invalid published port '%s': host port %u/%s is published twice",
                              text, forward->host_port, forward_protocol(forward));
        }
    }
    list->count++;
    return 0;
}

int forward_read_all(const struct banger_host *host, struct banger_call *call,
                     struct forward_list *list)
{
    json_auto_t *publish = banger_json_get(host, call, "vm.publish");

    return forward_read_list(host, call, publish, list);
}

int forward_read_list(const struct banger_host *host, struct banger_call *call,
                      const json_t *publish, struct forward_list *list)
{
    size_t i;
    json_t *entry;

    list->count = 0;
    if (json_array_size(publish) > FORWARDS_MAX) {
        return host->fail(call, BANGER_EINVALID, "%zu ports are published; at most %d can be",
                          json_array_size(publish), FORWARDS_MAX);
    }
    json_array_foreach (publish, i, entry) {
        const char *text = json_string_value(entry);

        if (text == NULL) {
            return host->fail(call, BANGER_EINVALID, "published port %zu is not a string", i + 1);
        }
        if (forward_add(host, call, text, list) < 0) {
            return -1;
        }
    }
    return 0;
}

bool forward_equal(const struct forward *a, const struct forward *b)
{
    return a->udp == b->udp && a->host_port == b->host_port && a->guest_port == b->guest_port &&
           strcmp(a->host_ip, b->host_ip) == 0;
}

/* As a server does (QEMU too): connections in TIME_WAIT do not hold a TCP port, a listener does. For
 * UDP the option would let two sockets share the port. */
int forward_bind(const struct forward *forward)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(forward->host_port)};
    int fd = socket(AF_INET, (forward->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    int on = 1;

    (void)inet_pton(AF_INET, forward->host_ip, &address.sin_addr);
    if (fd >= 0 && !forward->udp) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        (!forward->udp && listen(fd, 0) < 0)) {
        int reason = errno;

        if (fd >= 0) {
            (void)close(fd);
        }
        errno = reason;
        return -1;
    }
    return fd;
}

int forward_refuse(const struct banger_host *host, struct banger_call *call,
                   const struct forward *forward, int reason)
{
    if (reason == EADDRINUSE) {
        host->hint(call,
                   "`ss -ltnup` shows who listens there; publish another host port, as in "
                   "--publish %u:%u",
                   forward->host_port < 64512 ? forward->host_port + 1024u : 8080u,
                   forward->guest_port);
    } else if (reason == EACCES) {
        host->hint(call, "ports below 1024 need root: publish one above, or start bangerd as root");
    } else if (reason == EADDRNOTAVAIL) {
        host->hint(call, "`ip -4 address` lists the addresses of this host");
    }
    return host->fail(call,
                      reason == EADDRINUSE ? BANGER_EBUSY
                      : reason == EACCES   ? BANGER_EPERMISSION
                                           : BANGER_EINVALID,
                      "cannot publish %s:%u/%s: %s", forward->host_ip, forward->host_port,
                      forward_protocol(forward), strerror(reason));
}

int forward_check_free(const struct banger_host *host, struct banger_call *call,
                       const struct forward *forward)
{
    int fd = forward_bind(forward);

    if (fd < 0) {
        return forward_refuse(host, call, forward, errno);
    }
    (void)close(fd);
    return 0;
}

json_t *forward_to_json(const struct forward_list *list)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < list->count; i++) {
        const struct forward *forward = &list->items[i];

        json_array_append_new(rows,
                              json_pack("{s:s, s:s, s:i, s:i}", "proto", forward_protocol(forward),
                                        "host_ip", forward->host_ip, "host_port",
                                        forward->host_port, "guest_port", forward->guest_port));
    }
    return rows;
}
