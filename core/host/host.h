/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's side of a VM: everything here needs privilege, and everything that needs privilege is
 * here. Plugins reach it by one table only (ops.h); nothing else opens netlink, nft or /dev/net/tun.
 *
 *   netlink  link  alias      sockets, dumps, links and whose they are
 *   address                   IP addresses, their prefixes, and those of links
 *   bridge  tap  tap_pool     the devices
 *   route  uplink             what the host's routes say
 *   nft  netfilter  firewall  our tables and what lies in them
 *   forwarding  sysctl        the kernel's switches, and how they were found
 *   conntrack                 connections that the kernel remembers
 *   cgroup  signal            limits and ends of processes
 *   loop_device  dm  snapshot block devices over files, and root disks made of them
 *
 * Whose is it? Each link that we make carries the alias "banger:INSTANCE:OWNER", each nft table a
 * set named "owner-INSTANCE", each device-mapper device the UUID "BANGER-INSTANCE-VM". INSTANCE is
 * the store's own random number, so that two bangers on one host, and whatever else has a name like
 * ours, are neither adopted nor taken away.
 *
 * Threads: any thread may call any function; what is shared (the pool, the nft context) has a lock
 * of its own.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#define INSTANCE_LENGTH 12 /* hex digits: 48 random bits */

#define HOST_BASES 16 /* images whose loop device is remembered */

/* Where the shared loop device of a file was last; loop_device.c believes nothing of it. */
struct loop_memo {
    dev_t device;
    ino_t inode; /* 0: none */
    int number;
};

struct firewall_seal;
struct nft_ctx;
struct tap_pool;
struct uplink_watch;

struct host {
    char instance[INSTANCE_LENGTH + 1];
    char *run_dir;   /* of the daemon; ends with the boot, as what it tells of does */
    char *state_dir; /* of the daemon: what devices are made of lies below it */

    pthread_mutex_t nft_lock; /* libnftables' contexts are used by one thread at a time */
    struct nft_ctx *nft;      /* NULL until it is first needed */

    struct tap_pool *pool;       /* NULL until a size is set */
    struct uplink_watch *uplink; /* NULL until NAT follows the default route */
    struct firewall_seal *seal;  /* NULL: our tables have to be written */
    struct loop_memo bases[HOST_BASES];
    pthread_mutex_t lock; /* guards these three pointers and `bases` */
};

/* Opens nothing yet: a daemon without privilege has a host too, whose operations fail one by one. */
struct host *host_new(const char *instance, const char *run_dir, const char *state_dir);
/* Ends the threads. Devices, tables and the pool stay: VMs outlive the daemon. */
void host_free(struct host *host);

#endif
