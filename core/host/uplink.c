/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. The socket is subscribed before the routes are first read: what changes after that is an event.
 * 2. A new default route comes as RTM_NEWROUTE. One that goes because its link or its last address
 *    went is taken away without a word (fib_sync_down_dev, net/ipv4/fib_semantics.c): so events of the
 *    links that are uplinks now count too. All others, those of every TAP among them, are passed over.
 * 3. Events come in bursts. After one that counts the thread waits until it is quiet for SETTLE_MS, at
 *    most BURST_MS, reads the routes once, and writes the sets of those bridges whose uplinks differ.
 * 4. A set that could not be written stays `stale`, and is tried again every RETRY_MS.
 * 5. An eventfd ends the thread.
 */
#include "host/uplink.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "host/firewall.h"
#include "host/link.h"
#include "host/netlink.h"
#include "host/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define UPLINKS_MAX 16
#define SETTLE_MS 20
#define BURST_MS 200
#define RETRY_MS 5000

struct uplinks {
    char names[UPLINKS_MAX][IFNAMSIZ];
    unsigned indexes[UPLINKS_MAX]; /* 0: gone while we looked */
    size_t count;
};

struct followed {
    struct followed *next;
    char bridge[IFNAMSIZ];
    bool follow; /* false: a configured link */
    bool stale;  /* its set is not as `current` is */
};

struct uplink_watch {
    struct host *host;
    pthread_t thread;
    bool started;
    int stop_fd;
    struct nl_sock *events; /* thread's only, once it runs */

    pthread_mutex_t mutex; /* also while routes are read and sets written: the newest is the last */
    struct followed *bridges;
    struct uplinks current;
};

/* -- Check ------------------------------------------------------------------------------------------ */

static int hint_nearest(const char *uplink, banger_error *err)
{
    AUTO_FREE struct link *links = NULL;
    size_t count = 0;
    if (link_list("", &links, &count, NULL) < 0) {
        return -1;
    }
    AUTO_FREE const char **names = xcalloc(count + 1, sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        names[i] = links[i].name;
    }
    const char *nearest = str_nearest(uplink, names, count);
    return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest)
                           : error_hint(err, "use \"" UPLINK_AUTO "\" to follow the default route");
}

int uplink_check(const char *uplink, banger_error *err)
{
    struct link link;
    banger_error sought = BANGER_ERROR_INIT;
    if (strcmp(uplink, UPLINK_AUTO) == 0 || link_find(uplink, &link, &sought) == 0) {
        return 0;
    }
    error_join(err, &sought);
    return sought.code == BANGER_ENOTFOUND ? hint_nearest(uplink, err) : -1;
}

/* -- Sets: under `mutex` ---------------------------------------------------------------------------- */

static int read_uplinks(struct uplinks *uplinks, banger_error *err)
{
    banger_error failure = BANGER_ERROR_INIT;
    *uplinks = (struct uplinks){0};
    if (route_uplinks(uplinks->names, UPLINKS_MAX, &uplinks->count, &failure) < 0 &&
        failure.code != BANGER_ENOTFOUND) { /* none is an answer too */
        error_join(err, &failure);
        return -1;
    }
    for (size_t i = 0; i < uplinks->count; i++) {
        uplinks->indexes[i] = if_nametoindex(uplinks->names[i]);
    }
    return 0;
}

static bool same_names(const struct uplinks *a, const struct uplinks *b)
{
    return a->count == b->count && memcmp(a->names, b->names, sizeof(a->names)) == 0;
}

/* (3): reads the routes again; whoever follows them and has others is stale. */
static int look_again(struct uplink_watch *watch, banger_error *err)
{
    struct uplinks now;
    if (read_uplinks(&now, err) < 0) {
        return -1;
    }
    bool same = same_names(&watch->current, &now);
    watch->current = now;
    for (struct followed *at = watch->bridges; at != NULL; at = at->next) {
        at->stale = at->follow && (at->stale || !same);
    }
    return 0;
}

static int write_set(struct uplink_watch *watch, struct followed *entry, banger_error *err)
{
    const struct uplinks *current = &watch->current;
    if (firewall_set_uplinks(watch->host, entry->bridge, (const char(*)[16])current->names,
                             current->count, err) < 0) {
        return -1;
    }
    entry->stale = false;
    return 0;
}

/* Once for each change; the retries of (4) are quiet. */
static void follow_routes(struct uplink_watch *watch, bool retry)
{
    banger_error err = BANGER_ERROR_INIT;
    if (look_again(watch, &err) < 0 && !retry) {
        log_warn("cannot follow the default route: %s", err.message);
    }
    for (struct followed *at = watch->bridges; at != NULL; at = at->next) {
        err = BANGER_ERROR_INIT;
        if (at->stale && write_set(watch, at, &err) < 0 && !retry) {
            log_warn("the NAT of '%s' does not follow the default route: %s", at->bridge,
                     err.message);
        }
    }
}

static bool needs_retry(struct uplink_watch *watch)
{
    bool needed = false;
    (void)pthread_mutex_lock(&watch->mutex);
    for (size_t i = 0; i < watch->current.count; i++) {
        needed = needed || watch->current.indexes[i] == 0;
    }
    for (const struct followed *at = watch->bridges; at != NULL; at = at->next) {
        needed = needed || at->stale;
    }
    (void)pthread_mutex_unlock(&watch->mutex);
    return needed;
}

/* -- Events ----------------------------------------------------------------------------------------- */

static bool is_uplink(struct uplink_watch *watch, unsigned index)
{
    bool found = false;
    (void)pthread_mutex_lock(&watch->mutex);
    for (size_t i = 0; i < watch->current.count; i++) {
        found = found || watch->current.indexes[i] == index;
    }
    (void)pthread_mutex_unlock(&watch->mutex);
    return found;
}

/* (2) */
static bool counts(struct uplink_watch *watch, const struct nlmsghdr *header)
{
    const void *body = NLMSG_DATA(header);
    const struct rtmsg *route = body;
    const struct ifinfomsg *link = body;
    const struct ifaddrmsg *address = body;
    size_t length = NLMSG_PAYLOAD(header, 0);
    switch (header->nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return length >= sizeof(*route) && route->rtm_table == RT_TABLE_MAIN &&
               route_is_default(route->rtm_family, route->rtm_dst_len);
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return length >= sizeof(*link) && is_uplink(watch, (unsigned)link->ifi_index);
    case RTM_DELADDR:
        return length >= sizeof(*address) && is_uplink(watch, address->ifa_index);
    default:
        return false;
    }
}

/* Takes in all that has come; whether any of it counts. What was lost (ENOBUFS) or cut may have. */
static bool drain(struct uplink_watch *watch)
{
    _Alignas(struct nlmsghdr) char buffer[16384]; /* the kernel's largest are of some KiB */
    bool any = false;
    for (;;) {
        ssize_t got =
            recv(nl_socket_get_fd(watch->events), buffer, sizeof(buffer), MSG_DONTWAIT | MSG_TRUNC);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno != ENOBUFS) {
            return any;
        }
        if (got < 0 || (size_t)got > sizeof(buffer)) {
            any = true;
            continue;
        }
        unsigned left = (unsigned)got;
        for (const struct nlmsghdr *at = (const void *)buffer; NLMSG_OK(at, left);
             at = NLMSG_NEXT(at, left)) {
            any = counts(watch, at) || any;
        }
    }
}

enum wake { WAKE_STOP, WAKE_EVENT, WAKE_TIMEOUT };

static enum wake await(const struct uplink_watch *watch, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = watch->stop_fd, .events = POLLIN},
        {.fd = nl_socket_get_fd(watch->events), .events = POLLIN},
    };
    int ready = poll(fds, COUNT_OF(fds), timeout_ms);
    if (ready > 0 && fds[0].revents != 0) {
        return WAKE_STOP;
    }
    return ready == 0 ? WAKE_TIMEOUT : WAKE_EVENT;
}

/* (3) */
static enum wake settle(struct uplink_watch *watch)
{
    deadline until = deadline_in(BURST_MS);
    enum wake wake = WAKE_EVENT;
    while (wake == WAKE_EVENT && deadline_left_ms(until) > 0) {
        wake = await(watch, SETTLE_MS);
        if (wake == WAKE_EVENT) {
            (void)drain(watch);
        }
    }
    return wake;
}

static void *thread_main(void *context)
{
    struct uplink_watch *watch = context;
    for (;;) {
        enum wake wake = await(watch, needs_retry(watch) ? RETRY_MS : -1);
        bool retry = wake == WAKE_TIMEOUT;
        if (wake == WAKE_EVENT) {
            if (!drain(watch)) {
                continue;
            }
            wake = settle(watch);
        }
        if (wake == WAKE_STOP) {
            return NULL;
        }
        (void)pthread_mutex_lock(&watch->mutex);
        follow_routes(watch, retry);
        (void)pthread_mutex_unlock(&watch->mutex);
    }
}

/* -- Start and close -------------------------------------------------------------------------------- */

static int subscribe(struct uplink_watch *watch, banger_error *err)
{
    if (watch->stop_fd < 0) {
        watch->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    if (watch->stop_fd < 0) {
        return error_sys(err, errno, "cannot make an eventfd");
    }
    if (watch->events == NULL) {
        watch->events = netlink_open(err);
    }
    if (watch->events == NULL) {
        return -1;
    }
    int result = nl_socket_add_memberships(watch->events, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
                                           RTNLGRP_IPV4_ROUTE, RTNLGRP_NONE);
    return result < 0 ? netlink_error(err, result, "cannot listen to changes of routes") : 0;
}

/* (1), under `mutex`. */
static int start(struct uplink_watch *watch, banger_error *err)
{
    if (watch->started) {
        return 0;
    }
    if (subscribe(watch, err) < 0) {
        return -1;
    }
    int failure = pthread_create(&watch->thread, NULL, thread_main, watch);
    if (failure != 0) {
        return error_sys(err, failure, "cannot start the thread that follows the default route");
    }
    watch->started = true;
    return 0;
}

static struct uplink_watch *watch_of(struct host *host)
{
    (void)pthread_mutex_lock(&host->lock);
    if (host->uplink == NULL) {
        host->uplink = xcalloc(1, sizeof(*host->uplink));
        host->uplink->host = host;
        host->uplink->stop_fd = -1;
        (void)pthread_mutex_init(&host->uplink->mutex, NULL);
    }
    struct uplink_watch *watch = host->uplink;
    (void)pthread_mutex_unlock(&host->lock);
    return watch;
}

static struct followed *entry_of(struct uplink_watch *watch, const char *bridge)
{
    struct followed *at = watch->bridges;
    while (at != NULL && strcmp(at->bridge, bridge) != 0) {
        at = at->next;
    }
    if (at == NULL) {
        at = xcalloc(1, sizeof(*at));
        (void)snprintf(at->bridge, sizeof(at->bridge), "%s", bridge);
        at->next = watch->bridges;
        watch->bridges = at;
    }
    return at;
}

static int apply_auto(struct uplink_watch *watch, const char *bridge, banger_error *err)
{
    if (start(watch, err) < 0) {
        return -1;
    }
    struct followed *entry = entry_of(watch, bridge);
    entry->follow = true;
    entry->stale = true; /* until it is written, whatever fails */
    return look_again(watch, err) < 0 ? -1 : write_set(watch, entry, err);
}

static int apply_configured(struct uplink_watch *watch, const char *bridge, const char *uplink,
                            banger_error *err)
{
    char name[1][IFNAMSIZ];
    struct followed *entry = entry_of(watch, bridge);
    entry->follow = false;
    entry->stale = false;
    (void)snprintf(name[0], sizeof(name[0]), "%s", uplink);
    return firewall_set_uplinks(watch->host, bridge, (const char(*)[16])name, 1, err);
}

int uplink_apply(struct host *host, const char *bridge, const char *uplink, banger_error *err)
{
    struct uplink_watch *watch = watch_of(host);
    (void)pthread_mutex_lock(&watch->mutex);
    int result = strcmp(uplink, UPLINK_AUTO) == 0 ? apply_auto(watch, bridge, err)
                                                  : apply_configured(watch, bridge, uplink, err);
    (void)pthread_mutex_unlock(&watch->mutex);
    return result;
}

void uplink_close(struct host *host)
{
    struct uplink_watch *watch = host->uplink;
    if (watch == NULL) {
        return;
    }
    if (watch->started) {
        (void)eventfd_write(watch->stop_fd, 1);
        (void)pthread_join(watch->thread, NULL);
    }
    while (watch->bridges != NULL) {
        struct followed *entry = watch->bridges;
        watch->bridges = entry->next;
        free(entry);
    }
    nl_socket_free(watch->events);
    cleanup_close(&watch->stop_fd);
    (void)pthread_mutex_destroy(&watch->mutex);
    host->uplink = NULL;
    free(watch);
}
