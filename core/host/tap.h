/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TAP devices.
 *
 * One is made non-persistent, gets its alias, and becomes persistent last: a daemon that is killed in
 * between leaves nothing, since the kernel takes the device away with its descriptor. IFF_TUN_EXCL
 * keeps a foreign device of the same name from being taken for ours.
 */
#ifndef HOST_TAP_H
#define HOST_TAP_H

#include "host/link.h"

#define TAP_PREFIX "tap-fc-" /* and a short id: the 15 bytes of an interface's name */

/* A new one: down, no port of anything, IPv6 off. Only our user (and CAP_NET_ADMIN) can open it.
 * EBUSY: a link of that name exists. */
int tap_create(const char *name, const char *alias, struct link *link, banger_error *err);

/* This VM's TAP as a port of the bridge, up: a warm one out of the pool, or made anew. One that is
 * already there as this VM's is a success. EBUSY: a link of that name is not this VM's. `pooled` may
 * be NULL. */
int tap_acquire(struct host *host, const char *vm_id, const char *bridge, const char *name,
                bool *pooled, banger_error *err);
/* Lets a user other than ours open this VM's TAP; its release deletes it. Idempotent. */
int tap_lend(const struct host *host, const char *vm_id, const char *name, uid_t uid,
             banger_error *err);
/* Goes back to the pool, or is deleted. Idempotent. A link of that name that is not this VM's is left
 * alone, and is a success: ours is gone. */
int tap_release(struct host *host, const char *vm_id, const char *name, banger_error *err);

#endif
