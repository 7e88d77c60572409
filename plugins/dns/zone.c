/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "zone.h"

#include "reverse.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOST_ID_SIZE 64

struct host {
    char id[HOST_ID_SIZE];
    uint8_t label[64]; /* its length, its bytes */
    struct address v4;
    struct address v6;
};

struct range {
    struct address gateway;
    unsigned prefix;
};

struct zone {
    uint8_t apex[MESSAGE_NAME];
    size_t apex_length;
    size_t apex_labels;
    uint32_t ttl;
    uint32_t first_serial; /* the seconds of the epoch: higher than before a restart */
    atomic_uint_fast64_t generation;
    pthread_rwlock_t lock; /* covers what follows */
    struct host *hosts;
    size_t count;
    size_t room;
    struct range ranges[ZONE_GATEWAYS_MAX];
    size_t range_count;
};

struct zone *zone_new(const uint8_t *apex, size_t length, uint32_t ttl)
{
    struct zone *zone = length > ZONE_APEX_MAX ? NULL : calloc(1, sizeof(*zone));

    if (zone == NULL) {
        return NULL;
    }
    memcpy(zone->apex, apex, length);
    zone->apex_length = length;
    for (size_t at = 0; apex[at] != 0; at += 1u + apex[at]) {
        zone->apex_labels++;
    }
    zone->ttl = ttl;
    zone->first_serial = (uint32_t)time(NULL);
    (void)pthread_rwlock_init(&zone->lock, NULL);
    return zone;
}

void zone_free(struct zone *zone)
{
    if (zone != NULL) {
        (void)pthread_rwlock_destroy(&zone->lock);
        free(zone->hosts);
        free(zone);
    }
}

uint64_t zone_generation(const struct zone *zone)
{
    return atomic_load(&zone->generation);
}

uint32_t zone_ttl(const struct zone *zone)
{
    return zone->ttl;
}

void zone_apex(const struct zone *zone, const uint8_t **apex, size_t *length)
{
    *apex = zone->apex;
    *length = zone->apex_length;
}

/* -- Changing it ---------------------------------------------------------------------------------- */

static bool same_address(const struct address *a, const struct address *b)
{
    return a->family != AF_UNSPEC && address_equal(a, b);
}

static bool clashes(const struct host *a, const struct host *b)
{
    return strcmp(a->id, b->id) == 0 || memcmp(a->label, b->label, 1u + a->label[0]) == 0 ||
           same_address(&a->v4, &b->v4) || same_address(&a->v6, &b->v6);
}

/* Keeps the hosts that are not to go. */
static bool remove_hosts(struct zone *zone, const struct host *like,
                         bool (*goes)(const struct host *, const struct host *))
{
    size_t kept = 0;
    size_t before = zone->count;

    for (size_t i = 0; i < before; i++) {
        if (!goes(&zone->hosts[i], like)) {
            zone->hosts[kept++] = zone->hosts[i];
        }
    }
    zone->count = kept;
    return kept != before;
}

static bool reserve(struct zone *zone)
{
    size_t room = zone->room == 0 ? 16 : zone->room * 2;
    struct host *hosts;

    if (zone->count < zone->room) {
        return true;
    }
    hosts = realloc(zone->hosts, room * sizeof(*hosts));
    if (hosts == NULL) {
        return false;
    }
    zone->hosts = hosts;
    zone->room = room;
    return true;
}

static bool make_host(const char *id, const char *name, struct host *host)
{
    size_t length = strlen(name);

    memset(host, 0, sizeof(*host));
    if (strlen(id) >= sizeof(host->id) || length == 0 || length > 63) {
        return false;
    }
    memcpy(host->id, id, strlen(id));
    host->label[0] = (uint8_t)length;
    for (size_t i = 0; i < length; i++) {
        host->label[1 + i] = message_lower((uint8_t)name[i]);
    }
    return true;
}

bool zone_put_host(struct zone *zone, const char *id, const char *name, const struct address *v4,
                   const struct address *v6)
{
    struct host host;
    bool done;

    if (!make_host(id, name, &host)) {
        return false;
    }
    host.v4 = *v4;
    host.v6 = *v6;
    (void)pthread_rwlock_wrlock(&zone->lock);
    (void)remove_hosts(zone, &host, clashes);
    done = reserve(zone);
    if (done) {
        zone->hosts[zone->count++] = host;
    }
    atomic_fetch_add(&zone->generation, 1);
    (void)pthread_rwlock_unlock(&zone->lock);
    return done;
}

static const struct host *find_id(const struct zone *zone, const char *id)
{
    for (size_t i = 0; i < zone->count; i++) {
        if (strcmp(zone->hosts[i].id, id) == 0) {
            return &zone->hosts[i];
        }
    }
    return NULL;
}

static const struct host *find_name(const struct zone *zone, const uint8_t *label)
{
    for (size_t i = 0; i < zone->count; i++) {
        if (memcmp(zone->hosts[i].label, label, 1u + label[0]) == 0) {
            return &zone->hosts[i];
        }
    }
    return NULL;
}

/* Behind the VM's own name: of its names, that is the one which an address leads to. */
static bool add_alias(struct zone *zone, struct host *alias)
{
    const struct host *own = find_id(zone, alias->id);
    const struct host *other = find_name(zone, alias->label);

    if (own == NULL || other != NULL) {
        return own != NULL && strcmp(other->id, alias->id) == 0;
    }
    alias->v4 = own->v4;
    alias->v6 = own->v6;
    if (!reserve(zone)) {
        return false;
    }
    zone->hosts[zone->count++] = *alias;
    atomic_fetch_add(&zone->generation, 1);
    return true;
}

bool zone_put_alias(struct zone *zone, const char *id, const char *alias)
{
    struct host host;
    bool done;

    if (!make_host(id, alias, &host)) {
        return false;
    }
    (void)pthread_rwlock_wrlock(&zone->lock);
    done = add_alias(zone, &host);
    (void)pthread_rwlock_unlock(&zone->lock);
    return done;
}

static bool has_id(const struct host *host, const struct host *like)
{
    return strcmp(host->id, like->id) == 0;
}

void zone_remove_host(struct zone *zone, const char *id)
{
    struct host like;

    if (!make_host(id, "x", &like)) {
        return;
    }
    (void)pthread_rwlock_wrlock(&zone->lock);
    if (remove_hosts(zone, &like, has_id)) {
        atomic_fetch_add(&zone->generation, 1);
    }
    (void)pthread_rwlock_unlock(&zone->lock);
}

static struct range *find_gateway(struct zone *zone, const struct address *gateway)
{
    for (size_t i = 0; i < zone->range_count; i++) {
        if (address_equal(&zone->ranges[i].gateway, gateway)) {
            return &zone->ranges[i];
        }
    }
    return NULL;
}

bool zone_put_range(struct zone *zone, const struct address *gateway, unsigned prefix)
{
    struct range *range;

    (void)pthread_rwlock_wrlock(&zone->lock);
    range = find_gateway(zone, gateway);
    if (range == NULL && zone->range_count < ZONE_GATEWAYS_MAX) {
        range = &zone->ranges[zone->range_count++];
        range->prefix = 0;
    }
    if (range != NULL && range->prefix != prefix) {
        range->gateway = *gateway;
        range->prefix = prefix;
        atomic_fetch_add(&zone->generation, 1);
    }
    (void)pthread_rwlock_unlock(&zone->lock);
    return range != NULL;
}

size_t zone_count(struct zone *zone)
{
    size_t count;

    (void)pthread_rwlock_rdlock(&zone->lock);
    count = zone->count;
    (void)pthread_rwlock_unlock(&zone->lock);
    return count;
}

/* -- Finding: the zone -------------------------------------------------------------------------------
 */

static void find_server(const struct zone *zone, struct zone_finding *finding)
{
    finding->place = ZONE_NODE;
    for (size_t i = 0; i < zone->range_count; i++) {
        finding->addresses[finding->address_count++] = zone->ranges[i].gateway;
    }
}

static void take_addresses(const struct host *host, struct zone_finding *finding)
{
    finding->place = ZONE_NODE;
    if (host->v4.family != AF_UNSPEC) {
        finding->addresses[finding->address_count++] = host->v4;
    }
    if (host->v6.family != AF_UNSPEC) {
        finding->addresses[finding->address_count++] = host->v6;
    }
}

/* A label directly below the apex. Nothing is below a VM: tools that ask for x.web.vm want to hear
 * that it does not exist, as in any zone without wildcards. */
static void find_label(const struct zone *zone, const uint8_t *label, struct zone_finding *finding)
{
    static const uint8_t server[] = "\3" ZONE_SERVER;
    const struct host *host;

    finding->place = ZONE_MISSING;
    if (memcmp(label, server, sizeof(server) - 1) == 0) {
        find_server(zone, finding);
        return;
    }
    host = find_name(zone, label);
    if (host != NULL) {
        take_addresses(host, finding);
    }
}

/* Where the last `labels` labels of the name begin. */
static const uint8_t *tail_of(const struct query *query, size_t labels, size_t *length)
{
    size_t at = labels == 0 ? query->name_length - 1 : query->label_at[query->labels - labels];

    *length = query->name_length - at;
    return query->name + at;
}

static bool find_forward(const struct zone *zone, const struct query *query,
                         struct zone_finding *finding)
{
    size_t length;
    const uint8_t *tail;

    if (query->labels < zone->apex_labels) {
        return false;
    }
    tail = tail_of(query, zone->apex_labels, &length);
    if (length != zone->apex_length || memcmp(tail, zone->apex, length) != 0) {
        return false;
    }
    memcpy(finding->apex, zone->apex, length);
    finding->apex_length = length;
    if (query->labels == zone->apex_labels) {
        finding->place = ZONE_APEX;
    } else if (query->labels == zone->apex_labels + 1) {
        find_label(zone, query->name, finding);
    } else {
        finding->place = ZONE_MISSING;
    }
    return true;
}

/* -- Finding: addresses ------------------------------------------------------------------------------
 */

static const struct address *address_of(const struct host *host, int family)
{
    return family == AF_INET ? &host->v4 : &host->v6;
}

static const struct host *find_address(const struct zone *zone, const struct address *wanted,
                                       unsigned bits)
{
    for (size_t i = 0; i < zone->count; i++) {
        const struct address *address = address_of(&zone->hosts[i], wanted->family);

        if (address->family == wanted->family && reverse_matches(address, wanted, bits)) {
            return &zone->hosts[i];
        }
    }
    return NULL;
}

static const struct range *find_range(const struct zone *zone, const struct reverse *reverse)
{
    for (size_t i = 0; i < zone->range_count; i++) {
        const struct range *range = &zone->ranges[i];

        if (range->gateway.family == reverse->address.family && reverse->bits >= range->prefix &&
            reverse_matches(&range->gateway, &reverse->address, range->prefix)) {
            return range;
        }
    }
    return NULL;
}

static void take_target(const struct zone *zone, const struct host *host,
                        struct zone_finding *finding)
{
    size_t label = 1u + host->label[0];

    finding->place = ZONE_NODE;
    memcpy(finding->target, host->label, label);
    memcpy(finding->target + label, zone->apex, zone->apex_length);
    finding->target_length = label + zone->apex_length;
}

/* A name below in-addr.arpa or ip6.arpa, within a range. */
static void find_in_range(const struct zone *zone, const struct query *query,
                          const struct reverse *reverse, size_t apex_labels,
                          struct zone_finding *finding)
{
    const struct host *host = find_address(zone, &reverse->address, reverse->bits);

    if (query->labels == apex_labels) {
        finding->place = ZONE_APEX;
    } else if (host == NULL || query->labels > reverse->labels) {
        finding->place = ZONE_MISSING;
    } else if (reverse->whole) {
        take_target(zone, host, finding);
    } else {
        finding->place = ZONE_EMPTY;
    }
}

static void find_reverse(const struct zone *zone, const struct query *query,
                         struct zone_finding *finding)
{
    struct reverse reverse;
    const struct range *range;
    size_t apex_labels;
    const uint8_t *tail;

    if (!reverse_parse(query, &reverse)) {
        return;
    }
    range = find_range(zone, &reverse);
    if (range == NULL) {
        return;
    }
    apex_labels = reverse_labels(reverse.address.family, range->prefix);
    tail = tail_of(query, apex_labels, &finding->apex_length);
    memcpy(finding->apex, tail, finding->apex_length);
    find_in_range(zone, query, &reverse, apex_labels, finding);
}

void zone_find(struct zone *zone, const struct query *query, struct zone_finding *finding)
{
    finding->place = ZONE_OUTSIDE;
    finding->address_count = 0;
    finding->target_length = 0;
    (void)pthread_rwlock_rdlock(&zone->lock);
    finding->serial = zone->first_serial + (uint32_t)zone_generation(zone);
    if (!find_forward(zone, query, finding)) {
        find_reverse(zone, query, finding);
    }
    (void)pthread_rwlock_unlock(&zone->lock);
}
