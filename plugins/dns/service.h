/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one server of this process, as the hooks see it. Any thread may call.
 *
 * It comes with the first VM that has a bridge, and stays until the daemon ends: a daemon without such
 * VMs opens no port, and does not care who has it.
 */
#ifndef DNS_SERVICE_H
#define DNS_SERVICE_H

#include "settings.h"

#include <net/if.h>

/* What the network provider stored for a VM. */
struct guest {
    const char *id;
    const char *name;
    const char *link; /* the bridge */
    struct address v4;
    struct address v6; /* AF_UNSPEC: none; so are the gateways */
    struct address gateway4;
    struct address gateway6;
};

struct service_status {
    bool serving; /* there is a server */
    bool local;   /* and it listens for this host */
    size_t names;
    size_t told_links; /* systemd-resolved knows them */
};

/* Each: 0, or a negative errno. A second call finds it done. */

/* Adds the VM's names. */
int service_add(const struct settings *settings, const struct guest *guest);
/* Listens for this host, if it is to. */
int service_open_local(const struct settings *settings);
/* Listens for the guests; `failed` gets the address that an error is about. */
int service_open_gateways(const struct settings *settings, const struct guest *guest,
                          struct endpoint *failed);

/* Another name of a VM that has been added; false as in zone_put_alias. */
bool service_add_alias(const char *id, const char *alias);
void service_remove(const char *id);
/* Tells systemd-resolved of the guest's bridge, unless that has been done. False: it refused. */
bool service_tell(const struct settings *settings, const struct guest *guest, char *reason,
                  size_t size);
void service_status(const struct settings *settings, struct service_status *status);
/* Takes everything back. */
void service_close(void);

#endif
