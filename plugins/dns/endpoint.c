/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

bool address_parse(const char *text, struct address *address)
{
    memset(address, 0, sizeof(*address));
    if (text == NULL || *text == '\0') {
        return true;
    }
    address->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(address->family, text, address->bytes) == 1;
}

size_t address_size(int family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, address_size(a->family)) == 0;
}

/* 1 to 65535 in plain decimal. */
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

/* Cuts `text` into the address and the port (NULL: none said). */
static bool split(char *text, char **host, char **port)
{
    char *colon = strchr(text, ':');

    *host = text;
    *port = NULL;
    if (text[0] == '[') {
        char *end = strchr(text, ']');

        if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
            return false;
        }
        *host = text + 1;
        *port = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
        return strchr(*host, ':') != NULL;
    }
    if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0';
        *port = colon + 1;
    }
    return true;
}

bool endpoint_parse(const char *text, uint16_t default_port, struct endpoint *endpoint)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    char copy[ENDPOINT_TEXT_SIZE];
    char *host;
    char *port_text;
    uint16_t port = default_port;
    struct address strict;

    memset(endpoint, 0, sizeof(*endpoint));
    if (strlen(text) >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, strlen(text) + 1);
    if (!split(copy, &host, &port_text) || (port_text != NULL && !parse_port(port_text, &port)) ||
        port == 0 || *host == '\0') {
        return false;
    }
    /* getaddrinfo alone knows scopes (fe80::1%eth0), but takes "1" for 0.0.0.1 too. */
    if ((strchr(host, '%') == NULL && !address_parse(host, &strict)) ||
        getaddrinfo(host, NULL, &hints, &found) != 0) {
        return false;
    }
    memcpy(&endpoint->storage, found->ai_addr, found->ai_addrlen);
    endpoint->length = found->ai_addrlen;
    freeaddrinfo(found);
    if (endpoint->any.sa_family == AF_INET) {
        endpoint->v4.sin_port = htons(port);
    } else {
        endpoint->v6.sin6_port = htons(port);
    }
    return true;
}

void endpoint_make(const struct address *address, uint16_t port, struct endpoint *endpoint)
{
    memset(endpoint, 0, sizeof(*endpoint));
    if (address->family == AF_INET) {
        endpoint->v4.sin_family = AF_INET;
        endpoint->v4.sin_port = htons(port);
        memcpy(&endpoint->v4.sin_addr, address->bytes, 4);
        endpoint->length = sizeof(endpoint->v4);
    } else {
        endpoint->v6.sin6_family = AF_INET6;
        endpoint->v6.sin6_port = htons(port);
        memcpy(&endpoint->v6.sin6_addr, address->bytes, 16);
        endpoint->length = sizeof(endpoint->v6);
    }
}

struct address endpoint_address(const struct endpoint *endpoint)
{
    struct address address = {.family = endpoint->any.sa_family};

    if (address.family == AF_INET) {
        memcpy(address.bytes, &endpoint->v4.sin_addr, 4);
    } else if (address.family == AF_INET6) {
        memcpy(address.bytes, &endpoint->v6.sin6_addr, 16);
    }
    return address;
}

uint16_t endpoint_port(const struct endpoint *endpoint)
{
    return ntohs(endpoint->any.sa_family == AF_INET ? endpoint->v4.sin_port
                                                    : endpoint->v6.sin6_port);
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    struct address left = endpoint_address(a);
    struct address right = endpoint_address(b);

    return address_equal(&left, &right) && endpoint_port(a) == endpoint_port(b);
}

bool endpoint_is_wildcard(const struct endpoint *endpoint)
{
    static const uint8_t zero[16];
    struct address address = endpoint_address(endpoint);

    return memcmp(address.bytes, zero, sizeof(zero)) == 0;
}

void endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE])
{
    char host[64];

    if (getnameinfo(&endpoint->any, endpoint->length, host, sizeof(host), NULL, 0,
                    NI_NUMERICHOST) != 0) {
        (void)snprintf(host, sizeof(host), "?");
    }
    (void)snprintf(text, ENDPOINT_TEXT_SIZE, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
                   endpoint_port(endpoint));
}
