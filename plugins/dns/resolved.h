/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd-resolved, by D-Bus (org.freedesktop.resolve1(5)). It is never started by us. */
#ifndef DNS_RESOLVED_H
#define DNS_RESOLVED_H

#include "endpoint.h"

enum resolved_result {
    RESOLVED_DONE = 0,
    RESOLVED_ABSENT, /* no bus, or it does not run */
    RESOLVED_FAILED, /* `reason` says why */
};

struct resolved_link {
    int index;
    const char *domain;
    struct address servers[2]; /* AF_UNSPEC: none */
};

/* Each ends within `timeout_ms`, whatever the other side does. */
enum resolved_result resolved_probe(int64_t timeout_ms, char *reason, size_t size);
/* Queries for names in the domain, and no others, go to the servers. */
enum resolved_result resolved_set_link(const struct resolved_link *link, int64_t timeout_ms,
                                       char *reason, size_t size);
enum resolved_result resolved_revert_link(int index, int64_t timeout_ms, char *reason, size_t size);

#endif
