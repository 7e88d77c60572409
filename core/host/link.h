/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network links, by rtnetlink (libnl-route-3). Names are checked by whoever calls. */
#ifndef HOST_LINK_H
#define HOST_LINK_H

#include "host/host.h"

#include <net/if.h>

#define ALIAS_MAX 256 /* IFALIASZ, linux/if.h */

struct link {
    int index;
    char name[IFNAMSIZ];
    char kind[16];         /* "bridge", "tun"; "": a device without a kind */
    char alias[ALIAS_MAX]; /* "": none */
    int master;            /* index of the bridge it is a port of; 0: none */
    bool up;
};

/* ENOTFOUND where there is none. */
int link_find(const char *name, struct link *link, banger_error *err);
/* Every link whose alias begins with `prefix`; `*links` is the caller's to free. */
int link_list(const char *prefix, struct link **links, size_t *count, banger_error *err);
/* Idempotent: one that is gone is a success. */
int link_delete(const struct link *link, banger_error *err);

/* What is to become of a link, in one request: the kernel applies all of it in one go. */
struct link_change {
    const char *name;  /* NULL: as it is; the link must be down */
    const char *alias; /* NULL: as it is */
    int master;        /* index; -1: as it is; 0: no longer a port */
    bool raise;
};
int link_change(const struct link *link, const struct link_change *change, banger_error *err);

#endif
