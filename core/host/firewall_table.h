/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the firewall share: our tables' names, and changes of what lies in them. */
#ifndef HOST_FIREWALL_TABLE_H
#define HOST_FIREWALL_TABLE_H

#include "host/host.h"
#include "host/nft_set.h"

#include <net/if.h>
#include <stddef.h>

enum firewall_family {
    FIREWALL_BRIDGE, /* honest and apart */
    FIREWALL_INET,   /* connected */
};

enum firewall_state {
    FIREWALL_ABSENT,
    FIREWALL_OURS,
    FIREWALL_FOREIGN, /* the name, without our mark of ownership */
};

#define FIREWALL_NAME_MAX 32 /* "banger-" and a link's name, "owner-" and an instance */

const char *firewall_family_name(enum firewall_family family); /* as nft writes it */
void firewall_table_name(const char *bridge, char name[FIREWALL_NAME_MAX]);
void firewall_owner_name(const struct host *host, char name[FIREWALL_NAME_MAX]);

/* Whether the table is there and ours; false also where the kernel cannot be asked. */
bool firewall_is_ours(const struct host *host, enum firewall_family family, const char *bridge);
int firewall_state(struct host *host, enum firewall_family family, const char *bridge,
                   enum firewall_state *state, banger_error *err);
/* Says whose the table is: ENOTFOUND or EBUSY, by its state. Returns -1. */
int firewall_refuse(enum firewall_family family, const char *bridge, enum firewall_state state,
                    banger_error *err);

/* Runs the commands as one transaction, whose first command fails where the table is not ours. */
int firewall_change(struct host *host, enum firewall_family family, const char *bridge,
                    const char *commands, banger_error *err);
/* The same to take something back: without a table of ours nothing is there, which is a success. */
int firewall_retract(struct host *host, enum firewall_family family, const char *bridge,
                     const char *commands, banger_error *err);
/* EBUSY where there is a table of another bridge's of banger's, whoever's: for a kernel on which rules
 * cannot ask by which bridge a frame comes. */
int firewall_check_alone(const char *bridge, banger_error *err);
/* Reads a set; one that is not there is empty. `*list` is the caller's to free. */
int firewall_read(enum firewall_family family, const char *bridge, const char *set,
                  struct nft_element **list, size_t *count, banger_error *err);

/* Everything below goes into the text of a transaction: nothing but these passes. EINVALID. */
int firewall_check_bridge(const char *bridge, banger_error *err);
int firewall_check_tap(const char *tap, banger_error *err);
int firewall_check_mac(const char *mac, banger_error *err);
int firewall_check_address(int family, const char *address, banger_error *err);
int firewall_check_vm(const char *vm_id, banger_error *err);

#endif
