/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "subnet.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BITS_MIN 8  /* the largest private range, 10.0.0.0/8 (RFC 1918) */
#define BITS_MAX 30 /* a gateway and one guest */

static uint32_t mask_of(int bits)
{
    return UINT32_MAX << (32 - bits);
}

/* Splits "ADDRESS/BITS". */
static bool parse_parts(const char *text, struct in_addr *address, int *bits)
{
    char copy[INET_ADDRSTRLEN + 4];
    char *end = NULL;
    const char *slash = strchr(text, '/');

    if (slash == NULL || strlen(text) >= sizeof(copy) || strspn(slash + 1, "0123456789") == 0) {
        return false;
    }
    memcpy(copy, text, strlen(text) + 1);
    copy[slash - text] = '\0';
    *bits = (int)strtol(slash + 1, &end, 10);
    return *end == '\0' && inet_pton(AF_INET, copy, address) == 1;
}

bool subnet_parse(const char *text, struct subnet *subnet, const char **reason)
{
    struct in_addr address;

    *reason = "it must be an IPv4 prefix such as 172.16.0.0/24";
    if (!parse_parts(text, &address, &subnet->bits)) {
        return false;
    }
    *reason = "its length must be 8 to 30";
    if (subnet->bits < BITS_MIN || subnet->bits > BITS_MAX) {
        return false;
    }
    subnet->network = ntohl(address.s_addr);
    *reason = "it has bits behind its length: write the network's own address";
    if ((subnet->network & ~mask_of(subnet->bits)) != 0) {
        return false;
    }
    /* "This network", loopback, link-local, multicast and what lies above (RFC 6890). */
    *reason = "guests cannot have these addresses";
    return subnet->network >> 24 != 0 && subnet->network >> 24 != 127 &&
           subnet->network >> 16 != 0xa9fe && subnet->network >> 28 < 0xe;
}

uint32_t subnet_last(const struct subnet *subnet)
{
    return ~mask_of(subnet->bits) - 1;
}

void subnet_address(const struct subnet *subnet, uint32_t number, char text[INET_ADDRSTRLEN])
{
    const struct in_addr address = {htonl(subnet->network + number)};

    (void)inet_ntop(AF_INET, &address, text, INET_ADDRSTRLEN);
}

void subnet_mac(const struct subnet *subnet, uint32_t number, char text[MAC_TEXT_SIZE])
{
    uint32_t address = subnet->network + number;

    (void)snprintf(text, MAC_TEXT_SIZE, "02:fc:%02x:%02x:%02x:%02x", address >> 24,
                   address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
}

uint32_t subnet_cid(const struct subnet *subnet, uint32_t number)
{
    return subnet->network + number;
}

void subnet_address6(const char *instance, uint32_t number, char text[INET6_ADDRSTRLEN])
{
    char given[INET6_ADDRSTRLEN];
    struct in6_addr address;

    (void)snprintf(given, sizeof(given), "fd%.2s:%.4s:%.4s::%x:%x", instance, instance + 2,
                   instance + 6, number >> 16, number & 0xffff);
    if (inet_pton(AF_INET6, given, &address) == 1) {
        (void)inet_ntop(AF_INET6, &address, text, INET6_ADDRSTRLEN);
    } else {
        text[0] = '\0';
    }
}
