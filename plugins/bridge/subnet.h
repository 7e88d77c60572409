/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arithmetic of the bridge's range: a guest's number gives its address, MAC and vsock cid. */
#ifndef BRIDGE_SUBNET_H
#define BRIDGE_SUBNET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define SUBNET_GATEWAY 1 /* the first address is the bridge's own */
#define MAC_TEXT_SIZE sizeof("02:fc:00:00:00:00")

struct subnet {
    uint32_t network; /* host byte order */
    int bits;
};

/* "172.16.0.0/24"; false: `reason` (static text) says what is wrong. */
bool subnet_parse(const char *text, struct subnet *subnet, const char **reason);
/* The last number that a guest can have: below the broadcast address. */
uint32_t subnet_last(const struct subnet *subnet);

void subnet_address(const struct subnet *subnet, uint32_t number, char text[INET_ADDRSTRLEN]);
/* A guest's MAC: locally administered (02, IEEE 802 8.2.2), then the address itself, so that equal
 * addresses have equal MACs and no ARP cache is ever wrong. */
void subnet_mac(const struct subnet *subnet, uint32_t number, char text[MAC_TEXT_SIZE]);
/* A guest's vsock cid: its address as a number. 0 to 2 and the highest are taken (vsock(7)); no
 * guest's address is among them. */
uint32_t subnet_cid(const struct subnet *subnet, uint32_t number);
/* fdXX:XXXX:XXXX::NUMBER: a unique local address (RFC 4193) whose global ID is the first 40 bits of
 * the instance, which is random. */
void subnet_address6(const char *instance, uint32_t number, char text[INET6_ADDRSTRLEN]);

#endif
