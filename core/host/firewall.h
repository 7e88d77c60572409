/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Our two nft tables for a bridge, both named "banger-BRIDGE": family bridge keeps guests honest
 * and apart, family inet connects them. The rules are fixed and made once (firewall.c reads as the
 * policy); what changes from VM to VM are elements of sets and maps, which nft looks up by hash. So a
 * change is one small transaction whatever the number of VMs, and a rule never has to be searched.
 *
 * No other table is ever touched. A table of that name without our owner set is somebody else's:
 * EBUSY.
 */
#ifndef HOST_FIREWALL_H
#define HOST_FIREWALL_H

#include "host/host.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* -- The tables (firewall.c) ---------------------------------------------------------------------- */

struct firewall_plan {
    const char *bridge;
    const char *prefix;  /* "172.16.0.0/24" */
    const char *prefix6; /* NULL: guests have no IPv6, and send none */
    bool isolate;        /* guests reach one another neither through the bridge nor routed */
};

/* Makes both tables; where ours are there, their rules are replaced in one transaction and what lies
 * in sets and maps stays. `created` (may be NULL): one was not there, so no guest lies in it. */
int firewall_ensure(struct host *host, const struct firewall_plan *plan, bool *created,
                    banger_error *err);
/* EUNSUPPORTED: no nf_tables here; EBUSY: a foreign table has the name. Changes nothing. */
int firewall_check(struct host *host, const char *bridge, banger_error *err);
/* Idempotent. A foreign table is left alone, and is a success: ours is gone. */
int firewall_remove(struct host *host, const char *bridge, banger_error *err);

/* -- One guest (firewall_guest.c) ----------------------------------------------------------------- */

struct firewall_guest {
    const char *bridge;
    const char *tap;
    const char *mac;
    const char *address;
    const char *address6; /* NULL: none */
};

/* Frames from this TAP with these addresses get through from now on, and no others. Idempotent. */
int firewall_admit(struct host *host, const char *vm_id, const struct firewall_guest *guest,
                   banger_error *err);
/* Whatever was admitted for this TAP. Idempotent. */
int firewall_expel(struct host *host, const char *bridge, const char *tap, banger_error *err);

/* -- NAT (firewall_nat.c) ------------------------------------------------------------------------- */

/* Masquerades the guest's /32 towards the uplinks. Idempotent. */
int firewall_nat_on(struct host *host, const char *vm_id, const char *bridge, const char *address,
                    banger_error *err);
/* Takes that back, and makes the kernel forget the guest's connections. Idempotent. */
int firewall_nat_off(struct host *host, const char *bridge, const char *address, banger_error *err);
/* Replaces the set of links that NAT leads to. */
int firewall_set_uplinks(struct host *host, const char *bridge, const char (*names)[16],
                         size_t count, banger_error *err);

/* -- Published ports (firewall_publish.c) --------------------------------------------------------- */

struct firewall_port {
    bool udp;
    char host_ip[16]; /* "0.0.0.0": every address of this host */
    uint16_t host_port;
    uint16_t guest_port;
};

/* Makes `ports` all that lead to this guest (none: takes all back), in one transaction, and ends the
 * connections of those taken back. EBUSY, with the port named, when another guest has one of them. */
int firewall_publish(struct host *host, const char *vm_id, const char *bridge, const char *address,
                     const struct firewall_port *ports, size_t count, banger_error *err);
/* Whether no guest has NAT or a published port any more: then nobody needs forwarding. */
int firewall_is_idle(struct host *host, const char *bridge, bool *idle, banger_error *err);

/* -- Others (firewall_foreign.c) ------------------------------------------------------------------ */

/* Base chains of others that would drop what guests send or get (hook forward with policy drop), as
 * "ip filter FORWARD"; appended to the array. */
int firewall_foreign_drops(struct host *host, json_t *names, banger_error *err);

#endif
