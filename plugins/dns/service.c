/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service.h"

#include "resolved.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <pthread.h>
#include <string.h>

/* What a start is held up by a systemd-resolved that hangs, at most. */
#define RESOLVED_MS 1000
#define LINKS_MAX (ZONE_GATEWAYS_MAX / 2)

/* The ranges taken for a gateway whose prefix cannot be seen, because its bridge has no address yet:
 * those that the bridge has unless configured otherwise. */
#define PREFIX_V4 24
#define PREFIX_V6 64
#define PREFIX_MIN 8 /* no network of guests is larger than 10.0.0.0/8 */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* covers zone and server */
static struct zone *zone;
static struct server *server;

/* Links that systemd-resolved has been told of. A link that is made anew has another index. */
static pthread_mutex_t links_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned links[LINKS_MAX];
static size_t link_count;

static int ensure_server(const struct settings *settings)
{
    if (server != NULL) {
        return 0;
    }
    zone = zone_new(settings->apex, settings->apex_length, settings->ttl);
    server = zone == NULL ? NULL : server_new(zone, &settings->server);
    if (server == NULL) {
        int reason = zone == NULL ? ENOMEM : errno;

        zone_free(zone);
        zone = NULL;
        return -reason;
    }
    return 0;
}

/* -- Ranges ---------------------------------------------------------------------------------------- */

static unsigned count_bits(const struct sockaddr *mask)
{
    bool is_v4 = mask->sa_family == AF_INET;
    const uint8_t *bytes =
        is_v4 ? (const uint8_t *)&((const struct sockaddr_in *)(const void *)mask)->sin_addr
              : (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr;
    unsigned bits = 0;

    for (size_t i = 0; i < (is_v4 ? 4u : 16u); i++) {
        bits += (unsigned)__builtin_popcount(bytes[i]);
    }
    return bits;
}

/* Of the host's interface that has this address. */
static unsigned prefix_of(const struct address *gateway)
{
    unsigned prefix = gateway->family == AF_INET ? PREFIX_V4 : PREFIX_V6;
    struct ifaddrs *all = NULL;
    struct endpoint wanted;

    endpoint_make(gateway, 0, &wanted);
    if (getifaddrs(&all) < 0) {
        return prefix;
    }
    for (struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        struct endpoint found = {.length = wanted.length};

        if (at->ifa_addr == NULL || at->ifa_netmask == NULL ||
            at->ifa_addr->sa_family != gateway->family) {
            continue;
        }
        memcpy(&found.storage, at->ifa_addr, wanted.length);
        struct address address = endpoint_address(&found);

        if (address_equal(&address, gateway)) {
            prefix = count_bits(at->ifa_netmask);
        }
    }
    freeifaddrs(all);
    return prefix < PREFIX_MIN ? PREFIX_MIN : prefix;
}

/* The range is known even where nobody can be heard there: this host's names do not hang on it. */
static int open_gateway(const struct address *gateway, struct endpoint *failed)
{
    if (gateway->family == AF_UNSPEC) {
        return 0;
    }
    endpoint_make(gateway, DNS_PORT, failed);
    if (!zone_put_range(zone, gateway, prefix_of(gateway))) {
        return -ENOSPC;
    }
    return server_listen(server, failed, ANSWER_GUEST, NULL);
}

int service_open_gateways(const struct settings *settings, const struct guest *guest,
                          struct endpoint *failed)
{
    int result;

    endpoint_make(&guest->gateway4, DNS_PORT, failed);
    (void)pthread_mutex_lock(&lock);
    result = ensure_server(settings);
    if (result == 0) {
        result = open_gateway(&guest->gateway4, failed);
    }
    if (result == 0) {
        result = open_gateway(&guest->gateway6, failed);
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

int service_open_local(const struct settings *settings)
{
    int result;

    if (!settings->local) {
        return 0;
    }
    (void)pthread_mutex_lock(&lock);
    result = ensure_server(settings);
    if (result == 0) {
        result = server_listen(server, &settings->listen, ANSWER_LOCAL, NULL);
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

/* -- Names ------------------------------------------------------------------------------------------ */

int service_add(const struct settings *settings, const struct guest *guest)
{
    int result;

    (void)pthread_mutex_lock(&lock);
    result = ensure_server(settings);
    if (result == 0 && !zone_put_host(zone, guest->id, guest->name, &guest->v4, &guest->v6)) {
        result = -ENOMEM;
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

bool service_add_alias(const char *id, const char *alias)
{
    bool done;

    (void)pthread_mutex_lock(&lock);
    done = zone != NULL && zone_put_alias(zone, id, alias);
    (void)pthread_mutex_unlock(&lock);
    return done;
}

void service_remove(const char *id)
{
    (void)pthread_mutex_lock(&lock);
    if (zone != NULL) {
        zone_remove_host(zone, id);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* -- systemd-resolved ----------------------------------------------------------------------------------
 */

static bool is_told(unsigned index)
{
    for (size_t i = 0; i < link_count; i++) {
        if (links[i] == index) {
            return true;
        }
    }
    return false;
}

/* The oldest gives way: it is a link that has gone, of a bridge that was made anew. */
static void remember(unsigned index)
{
    if (link_count == LINKS_MAX) {
        memmove(links, links + 1, (LINKS_MAX - 1) * sizeof(links[0]));
        link_count--;
    }
    links[link_count++] = index;
}

bool service_tell(const struct settings *settings, const struct guest *guest, char *reason,
                  size_t size)
{
    unsigned index = if_nametoindex(guest->link);
    struct resolved_link link = {.index = (int)index,
                                 .domain = settings->zone,
                                 .servers = {guest->gateway4, guest->gateway6}};
    enum resolved_result result = RESOLVED_DONE;

    if (index == 0) {
        return true;
    }
    (void)pthread_mutex_lock(&links_lock);
    if (!is_told(index)) {
        result = resolved_set_link(&link, RESOLVED_MS, reason, size);
        if (result == RESOLVED_DONE) {
            remember(index);
        }
    }
    (void)pthread_mutex_unlock(&links_lock);
    return result != RESOLVED_FAILED;
}

/* -- All of it -------------------------------------------------------------------------------------- */

void service_status(const struct settings *settings, struct service_status *status)
{
    memset(status, 0, sizeof(*status));
    (void)pthread_mutex_lock(&lock);
    if (server != NULL) {
        status->serving = true;
        status->local = settings->local && server_listens(server, &settings->listen);
        status->names = zone_count(zone);
    }
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_mutex_lock(&links_lock);
    status->told_links = link_count;
    (void)pthread_mutex_unlock(&links_lock);
}

static void untell(void)
{
    char reason[128];

    (void)pthread_mutex_lock(&links_lock);
    while (link_count > 0) {
        (void)resolved_revert_link((int)links[--link_count], RESOLVED_MS, reason, sizeof(reason));
    }
    (void)pthread_mutex_unlock(&links_lock);
}

void service_close(void)
{
    untell();
    (void)pthread_mutex_lock(&lock);
    server_free(server);
    zone_free(zone);
    server = NULL;
    zone = NULL;
    (void)pthread_mutex_unlock(&lock);
}
