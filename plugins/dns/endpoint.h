/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses: of a host alone, and with a port. */
#ifndef DNS_ENDPOINT_H
#define DNS_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define DNS_PORT 53 /* IANA's service "domain" */

/* "[v6%interface]:port" and its end. */
#define ENDPOINT_TEXT_SIZE 80

struct address {
    int family; /* AF_INET, AF_INET6; AF_UNSPEC: none */
    uint8_t bytes[16];
};

struct endpoint {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage storage;
    };
    socklen_t length;
};

/* Numbers only, no name is looked up. NULL or "" gives AF_UNSPEC, and is no error. */
bool address_parse(const char *text, struct address *address);
bool address_equal(const struct address *a, const struct address *b);
/* Bytes of an address of this family. */
size_t address_size(int family);

/* "IP", "IP:PORT", "[IPv6]:PORT". `default_port` 0: the port must be said. */
bool endpoint_parse(const char *text, uint16_t default_port, struct endpoint *endpoint);
void endpoint_make(const struct address *address, uint16_t port, struct endpoint *endpoint);
struct address endpoint_address(const struct endpoint *endpoint);
uint16_t endpoint_port(const struct endpoint *endpoint);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool endpoint_is_wildcard(const struct endpoint *endpoint);
void endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE]);

#endif
