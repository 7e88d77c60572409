/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plugin's configuration, checked. */
#ifndef DNS_SETTINGS_H
#define DNS_SETTINGS_H

#include "endpoint.h"
#include "server.h"

#include <banger/host.h>

struct settings {
    char zone[MESSAGE_NAME]; /* in lower case, without a dot at its end */
    uint8_t apex[MESSAGE_NAME];
    size_t apex_length;
    uint32_t ttl; /* seconds */
    bool local;   /* listens for this host, at: */
    struct endpoint listen;
    struct server_options server;
};

/* <0: host->fail has been called. */
int settings_read(const struct banger_host *host, struct banger_call *call,
                  struct settings *settings);

#endif
