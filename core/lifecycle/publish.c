/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/publish.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

struct publish {
    in_addr_t address; /* INADDR_ANY: every one of the host's */
    int64_t host_port;
    bool udp;
};

/* Cuts "/tcp" or "/udp" off the end. */
static int take_protocol(const char *whole, char *text, struct publish *publish, banger_error *err)
{
    char *protocol = strchr(text, '/');
    if (protocol == NULL) {
        return 0;
    }
    *protocol++ = '\0';
    publish->udp = strcmp(protocol, "udp") == 0;
    if (publish->udp || strcmp(protocol, "tcp") == 0) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID, "invalid protocol '%.32s' in '%.64s': use tcp or udp",
                     protocol, whole);
}

static int take_address(const char *whole, const char *text, struct publish *publish,
                        banger_error *err)
{
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1) {
        return error_set(err, BANGER_EINVALID,
                         "invalid address '%.64s' in '%.64s': use an IPv4 address of this host",
                         text, whole);
    }
    publish->address = address.s_addr;
    return 0;
}

static int publish_parse(const char *text, struct publish *publish, banger_error *err)
{
    AUTO_FREE char *copy = xstrdup(text);
    int64_t guest_port = 0;
    *publish = (struct publish){.address = htonl(INADDR_LOOPBACK)};
    if (take_protocol(text, copy, publish, err) < 0) {
        return -1;
    }
    char *guest = strrchr(copy, ':');
    if (guest == NULL) {
        return error_set(err, BANGER_EINVALID,
                         "invalid port '%.64s': use [HOST-IP:]HOST-PORT:GUEST-PORT[/udp]", text);
    }
    *guest++ = '\0';
    char *host = strrchr(copy, ':');
    if (host != NULL) {
        *host++ = '\0';
        if (take_address(text, copy, publish, err) < 0) {
            return -1;
        }
    }
    if (number_parse("host port", host != NULL ? host : copy, 1, 65535, &publish->host_port, err) <
        0) {
        return -1;
    }
    return number_parse("guest port", guest, 1, 65535, &guest_port, err);
}

int publish_check(const char *text, banger_error *err)
{
    struct publish publish;
    return publish_parse(text, &publish, err);
}

static bool is_clash(const struct publish *a, const struct publish *b)
{
    return a->udp == b->udp && a->host_port == b->host_port &&
           (a->address == b->address || a->address == INADDR_ANY || b->address == INADDR_ANY);
}

int publish_check_clashes(const json_t *list, banger_error *err)
{
    for (size_t i = 1; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        struct publish one;
        if (publish_parse(text, &one, err) < 0) {
            return -1;
        }
        for (size_t j = 0; j < i; j++) {
            const char *before = json_string_value(json_array_get(list, j));
            struct publish other;
            if (publish_parse(before, &other, NULL) == 0 && is_clash(&one, &other)) {
                return error_set(err, BANGER_EINVALID,
                                 "invalid publish '%.64s': '%.64s' takes port %" PRId64
                                 " of the host; each can be published once",
                                 text, before, one.host_port);
            }
        }
    }
    return 0;
}
