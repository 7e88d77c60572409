/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a daemon may be killed, and what is then there:
 *
 * 1. In tap_create, before TUNSETPERSIST: nothing; the device ends with its descriptor. After it: a
 *    device with the alias that it was made for.
 * 2. In tap_acquire, before the request that gives a pool's device to the VM: a device of the pool,
 *    which the next daemon adopts (tap_pool.c). After it: the VM's, which its journal knows, and which
 *    the next tap_acquire or tap_release of this VM finds by name and alias.
 * 3. When the kernel does a part of that request and refuses the rest, the device is deleted. Killed
 *    before that it has the alias of the pool or of the VM: (2), or the pool deletes what is not as
 *    the pool makes it.
 * 4. Made anew it is the VM's from the start: (1), and no port yet: the next tap_acquire mends that.
 */
#include "host/tap.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/alias.h"
#include "host/bridge.h"
#include "host/sysctl.h"
#include "host/tap_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

/* -- Make ------------------------------------------------------------------------------------------- */

static int open_failed(int errno_value, const char *name, banger_error *err)
{
    (void)error_sys(err, errno_value, "cannot make the TAP device '%s'", name);
    return errno_value == EPERM || errno_value == EACCES ? error_hint(err, "run bangerd as root")
                                                         : -1;
}

/* A descriptor with which the device comes and goes. */
static int open_device(const char *name, banger_error *err)
{
    struct ifreq request = {.ifr_flags =
                                (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL)};
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    AUTO_CLOSE int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return open_failed(errno, name, err);
    }
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        /* EBUSY: a TAP of that name; EINVALID: another link of that name, or a name that is none. */
        int failure = errno;
        return failure == EBUSY || if_nametoindex(name) != 0
                   ? error_set(err, BANGER_EBUSY, "a network link '%s' exists already", name)
                   : open_failed(failure, name, err);
    }
    return STEAL_FD(fd);
}

/* This host speaks to guests through the bridge; a port needs no addresses of its own, and each one
 * that it makes up costs multicast frames on every start. */
static int disable_ipv6(const char *name, banger_error *err)
{
    AUTO_FREE char *key = str_format("net/ipv6/conf/%s/disable_ipv6", name);
    banger_error failure = BANGER_ERROR_INIT;
    if (sysctl_write(key, 1, &failure) < 0 && failure.code != BANGER_ENOTFOUND) {
        error_join(err, &failure);
        return -1;
    }
    return 0;
}

int tap_create(const char *name, const char *alias, struct link *link, banger_error *err)
{
    const struct link_change change = {.alias = alias, .master = -1};
    AUTO_CLOSE int fd = open_device(name, err);
    if (fd < 0 || link_find(name, link, err) < 0 || link_change(link, &change, err) < 0 ||
        disable_ipv6(name, err) < 0) {
        return -1;
    }
    /* Without an owner anybody who can open /dev/net/tun, by default everybody, could attach to it and
     * be the guest (tun_not_capable, drivers/net/tun.c). */
    if (ioctl(fd, TUNSETOWNER, (unsigned long)geteuid()) < 0 || ioctl(fd, TUNSETPERSIST, 1UL) < 0) {
        return error_sys(err, errno, "cannot make the TAP device '%s' stay", name);
    }
    (void)snprintf(link->alias, sizeof(link->alias), "%s", alias);
    return 0;
}

/* -- Acquire ---------------------------------------------------------------------------------------- */

/* Whether the VM has it already; an error: somebody else has. */
static int find_own(const struct host *host, const char *vm_id, const char *name, struct link *link,
                    bool *found, banger_error *err)
{
    banger_error sought = BANGER_ERROR_INIT;
    *found = link_find(name, link, &sought) == 0;
    if (!*found && sought.code != BANGER_ENOTFOUND) {
        error_join(err, &sought);
        return -1;
    }
    if (*found && !alias_is(host, link, vm_id)) {
        return error_set(err, BANGER_EBUSY, "the network link '%s' exists and is not this VM's",
                         name);
    }
    return 0;
}

/* The one request; a device that is left half-changed is deleted. */
static int hand_over(const struct link *link, const struct link_change *change, banger_error *err)
{
    banger_error failure = BANGER_ERROR_INIT;
    if (link_change(link, change, &failure) == 0) {
        return 0;
    }
    banger_error second = BANGER_ERROR_INIT;
    if (link_delete(link, &second) < 0) {
        error_join(&failure, &second);
    }
    error_join(err, &failure);
    return -1;
}

int tap_acquire(struct host *host, const char *vm_id, const char *bridge, const char *name,
                bool *pooled, banger_error *err)
{
    char alias[ALIAS_MAX];
    struct link port;
    struct link link;
    bool found = false;
    if (pooled != NULL) {
        *pooled = false;
    }
    if (bridge_find(host, bridge, &port, err) < 0 ||
        find_own(host, vm_id, name, &link, &found, err) < 0) {
        return -1;
    }
    alias_format(host, vm_id, alias);
    struct link_change change = {.master = port.index, .raise = true};
    if (found) {
        return link_change(&link, &change, err);
    }
    if (tap_pool_take(host, &link)) {
        const struct link_change all = {
            .name = name, .alias = alias, .master = port.index, .raise = true};
        /* One that somebody has deleted, or taken up, is no reason to fail. */
        if (hand_over(&link, &all, NULL) == 0) {
            if (pooled != NULL) {
                *pooled = true;
            }
            return 0;
        }
    }
    return tap_create(name, alias, &link, err) < 0 ? -1 : hand_over(&link, &change, err);
}

/* The mark (a link's group) of a device that another user may open: it does not go back to the pool,
 * whatever becomes of us. The kernel tells nobody who a TAP's owner is but in sysfs. */
#define GROUP_LENT 0x6c656e74u /* "lent" */

int tap_lend(const struct host *host, const char *vm_id, const char *name, uid_t uid,
             banger_error *err)
{
    const struct link_change mark = {.master = -1, .group = GROUP_LENT};
    struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)};
    struct link link;
    if (link_find(name, &link, err) < 0) {
        return -1;
    }
    if (!alias_is(host, &link, vm_id)) {
        return error_set(err, BANGER_EBUSY, "the network link '%s' is not this VM's", name);
    }
    if (link_change(&link, &mark, err) < 0) {
        return -1;
    }
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    AUTO_CLOSE int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
        ioctl(fd, TUNSETOWNER, (unsigned long)uid) < 0) {
        return error_sys(err, errno, "cannot lend the TAP device '%s'", name);
    }
    return 0;
}

int tap_release(struct host *host, const char *vm_id, const char *name, banger_error *err)
{
    struct link link;
    banger_error sought = BANGER_ERROR_INIT;
    if (link_find(name, &link, &sought) < 0) {
        if (sought.code == BANGER_ENOTFOUND) {
            return 0;
        }
        error_join(err, &sought);
        return -1;
    }
    if (!alias_is(host, &link, vm_id) || (link.group != GROUP_LENT && tap_pool_give(host, &link))) {
        return 0;
    }
    return link_delete(&link, err);
}
