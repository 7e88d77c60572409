/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Published ports: "[IP:]HOST:GUEST[/tcp|/udp]". */
#ifndef COMMON_FORWARD_H
#define COMMON_FORWARD_H

#include <banger/host.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>

/* Published ports are reachable from this machine only, unless an address says otherwise. */
#define FORWARD_DEFAULT_IP "127.0.0.1"
#define FORWARDS_MAX 64 /* a bound on QEMU's command line, and on what one VM takes of the host */

struct forward {
    bool udp;
    char host_ip[INET_ADDRSTRLEN];
    uint16_t host_port;
    uint16_t guest_port;
};

struct forward_list {
    struct forward items[FORWARDS_MAX];
    size_t count;
};

/* Parses one; false: `reason` (static text) says which rule it breaks. */
bool forward_parse(const char *text, struct forward *forward, const char **reason);
/* The VM's vm.publish, with duplicates refused; <0: host->fail has been called. */
int forward_read_all(const struct banger_host *host, struct banger_call *call,
                     struct forward_list *list);
/* The same of any list of texts, with `publish` borrowed. */
int forward_read_list(const struct banger_host *host, struct banger_call *call,
                      const json_t *publish, struct forward_list *list);
/* Takes the host port: the socket, or -1 with errno. As long as it is open nobody else gets the port,
 * and `ss` shows who has it. */
int forward_bind(const struct forward *forward);
/* Why forward_bind did not get it (`reason` is its errno), with what to do about it. Returns -1. */
int forward_refuse(const struct banger_host *host, struct banger_call *call,
                   const struct forward *forward, int reason);
/* Refuses a host port that cannot be bound now. */
int forward_check_free(const struct banger_host *host, struct banger_call *call,
                       const struct forward *forward);
/* Whether no two of them can be published at once. */
bool forward_clashes(const struct forward *a, const struct forward *b);
bool forward_equal(const struct forward *a, const struct forward *b);
/* As a NIC's "forward" rows of the machine document, and as the host operations take them. */
json_t *forward_to_json(const struct forward_list *list);

#endif
