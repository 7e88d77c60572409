/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network links, by rtnetlink (libnl-route-3). Names are checked by whoever calls. */
#ifndef HOST_LINK_H
#define HOST_LINK_H

#include "host/host.h"

#include <net/if.h>
#include <stddef.h>

#define ALIAS_MAX 256 /* IFALIASZ, linux/if.h */
#define MAC_LENGTH 6  /* ETH_ALEN, linux/if_ether.h */

struct link {
    int index;
    char name[IFNAMSIZ];
    char kind[16];         /* "bridge", "tun"; "": a device without a kind */
    char alias[ALIAS_MAX]; /* "": none */
    int master;            /* index of the bridge it is a port of; 0: none */
    bool up;
    bool carrier;   /* of a TAP: a program has it open */
    unsigned group; /* 0: the kernel's default, which all have that were not marked */
    unsigned char mac[MAC_LENGTH]; /* zeros: none of that length */
};

/* ENOTFOUND where there is none. */
int link_find(const char *name, struct link *link, banger_error *err);
/* Every link whose alias begins with `prefix` ("": every link); `*links` is the caller's to free. */
int link_list(const char *prefix, struct link **links, size_t *count, banger_error *err);
/* Idempotent: one that is gone is a success. */
int link_delete(const struct link *link, banger_error *err);

/* What is to become of a link, in one request, which the kernel works off in one system call and in
 * this order. When it fails in the middle, what came before stays done. */
struct link_change {
    const char *name;  /* NULL: as it is; the link must be down */
    const char *alias; /* NULL: as it is */
    int master;        /* index; -1: as it is; 0: no longer a port */
    bool raise;        /* false: as it is */
    bool lower;        /* likewise */
    unsigned group;    /* 0: as it is */
};
int link_change(const struct link *link, const struct link_change *change, banger_error *err);

#endif
