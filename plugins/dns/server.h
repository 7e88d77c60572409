/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server: one thread, one epoll, UDP and TCP on each address.
 *
 * server_listen may be called from any thread; everything else that is served is the thread's own.
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include "answer.h"
#include "endpoint.h"

#define SERVER_UPSTREAMS_MAX 4 /* resolv.conf(5) knows three */
#define SERVER_LISTENERS_MAX (1 + ZONE_GATEWAYS_MAX)

#define SERVER_IDLE_MS 10000 /* RFC 7766, 6.2.3: "of the order of a few seconds" */

struct server;

struct server_options {
    struct endpoint upstreams[SERVER_UPSTREAMS_MAX];
    size_t upstream_count;   /* 0: those of resolv_conf */
    int64_t idle_ms;         /* how long a silent stream stays open; 0: SERVER_IDLE_MS */
    const char *resolv_conf; /* borrowed, as long as the server; resolv.conf(5) */
};

/* NULL and errno. The zone is borrowed and must outlive the server. */
struct server *server_new(struct zone *zone, const struct server_options *options);
/* Ends the thread, closes everything. NULL is allowed. */
void server_free(struct server *server);
/* Listens there by UDP and TCP; once, a second call finds it done. The address need not exist yet
 * (IP_FREEBIND). Port 0: any, the same for both. `bound` (may be NULL) gets the address. 0, or a
 * negative errno. */
int server_listen(struct server *server, const struct endpoint *endpoint, enum answer_view view,
                  struct endpoint *bound);
bool server_listens(struct server *server, const struct endpoint *endpoint);

#endif
