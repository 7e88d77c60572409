/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known: the VMs' names and addresses, and the guests' ranges.
 *
 * The zone itself (NAME.ZONE) is ours, and so are the in-addr.arpa and ip6.arpa names of each range,
 * cut at whole labels: 172.16.0.0/24 is 0.16.172.in-addr.arpa, a /20 is sixteen such zones.
 * Any thread may call; hooks write, the server reads.
 */
#ifndef DNS_ZONE_H
#define DNS_ZONE_H

#include "endpoint.h"
#include "message.h"

/* The zone's name server: an underscore is in no VM's name. Its addresses are the gateways. */
#define ZONE_SERVER "_ns"

#define ZONE_GATEWAYS_MAX 8 /* bridges, times two families */
#define ZONE_RECORDS_MAX ZONE_GATEWAYS_MAX
/* "_ns." or the longest label, 63 bytes, must fit before it, and "hostmaster." */
#define ZONE_APEX_MAX (MESSAGE_NAME - 64)

struct zone;

enum zone_place {
    ZONE_OUTSIDE = 0, /* not ours to answer */
    ZONE_MISSING,     /* ours, and there is no such name */
    ZONE_EMPTY,       /* there is such a name, without records: others lie below it */
    ZONE_APEX,
    ZONE_NODE,
};

/* What there is at a name, copied out. */
struct zone_finding {
    enum zone_place place;
    uint8_t apex[MESSAGE_NAME]; /* of the zone that the name lies in, for SOA and NS */
    size_t apex_length;
    uint32_t serial;
    struct address addresses[ZONE_RECORDS_MAX]; /* A and AAAA */
    size_t address_count;
    uint8_t target[MESSAGE_NAME]; /* PTR */
    size_t target_length;         /* 0: none */
};

/* `apex`: a name in lower case, in wire format, at most ZONE_APEX_MAX bytes; `ttl` in seconds. */
struct zone *zone_new(const uint8_t *apex, size_t length, uint32_t ttl);
void zone_free(struct zone *zone);

/* Adds the VM, or replaces what is known of it. Whoever had this name or one of these addresses
 * before has lost it. AF_UNSPEC: no such address. False: `name` is no label, or no memory. */
bool zone_put_host(struct zone *zone, const char *id, const char *name, const struct address *v4,
                   const struct address *v6);
/* Another name of a VM that is there, as long as it is. False: it is no label, or another VM's. */
bool zone_put_alias(struct zone *zone, const char *id, const char *alias);
void zone_remove_host(struct zone *zone, const char *id);
/* A network of guests, by its gateway. The same gateway again changes the prefix. */
bool zone_put_range(struct zone *zone, const struct address *gateway, unsigned prefix);
size_t zone_count(struct zone *zone); /* of hosts */

/* Rises with each change. */
uint64_t zone_generation(const struct zone *zone);
uint32_t zone_ttl(const struct zone *zone);
void zone_apex(const struct zone *zone, const uint8_t **apex, size_t *length);
void zone_find(struct zone *zone, const struct query *query, struct zone_finding *finding);

#endif
