/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Providers: what a VM needs exactly one of. A plugin offers one by pointing its descriptor at a
 * table below. Functions have the shape and the rules of a hook; those marked "optional" may be
 * NULL.
 *
 * `auto` takes, among the providers whose `check` accepts this host, the one of the highest `rank`
 * that works with the ones chosen so far (`needs`).
 */
#ifndef BANGER_PROVIDER_H
#define BANGER_PROVIDER_H

#include "hooks.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the machine. */
struct banger_vmm {
    uint32_t size; /* sizeof(struct banger_vmm) */
    int32_t rank;  /* higher is preferred by `auto`; ours: firecracker 200, qemu 100, stub 0 */
    /* NULL-terminated: what it can be given: "drive:file", "drive:block", "nic:user", "nic:tap",
     * "vsock", "initramfs". A network or rootfs provider names what it needs of these. */
    const char *const *features;

    banger_hook check;
    /* Optional. Boot arguments and devices that this VMM needs of every guest. Pure. */
    banger_hook contribute;
    /* Starts the machine that `machine` describes, by exactly one host->spawn of role "vmm", and
     * returns when the guest's processors run. Stores {"transport":"unix","path":"..."} or
     * {"transport":"vsock-uds","path":"...","port":N} or {"transport":"vsock","cid":N,"port":N}
     * under the key "agent": how the agent is reached (paths below vm.run_dir). A VM whose VMM stores
     * none has no agent: none is waited for, and exec says so. */
    banger_hook launch;
    /* Asks the guest to end, as Ctrl-Alt-Del or the power button would; does not wait. */
    banger_hook request_stop;
    /* Optional. */
    banger_hook pause;
    banger_hook resume;
    /* Optional. After the daemon's restart: does this VM's process answer, and is it this VM? */
    banger_hook verify;
    /* Optional. Sockets and files left by a process that has ended. Idempotent. */
    banger_hook cleanup;
};

/* Gives the VM its root disk. */
struct banger_rootfs {
    uint32_t size;            /* sizeof(struct banger_rootfs) */
    int32_t rank;             /* ours: dm-snapshot 200, reflink 100, copy 0 */
    const char *const *needs; /* NULL-terminated: features of the vmm, e.g. "drive:file" */

    banger_hook check;
    /* Makes the VM's own layer over image.path below vm.dir, once; a second call finds it done. */
    banger_hook create;
    /* Optional. Makes it usable for a start: loop and device-mapper devices, journaled. */
    banger_hook attach;
    /* The root drive. Pure; before attach ran it says what attach would give. */
    banger_hook contribute;
    /* Optional. Undoes attach. Idempotent. */
    banger_hook cleanup;
    /* Optional. Grows the VM's disk to vm.disk_mib; the VM is stopped. */
    banger_hook resize;
    /* Optional; since ABI 1.1. Asked of a running VM every health_interval: can its disk be used? A
     * failure ends the VM, whose last error it is. Never called while another operation is at work on
     * the VM; has a second. */
    banger_hook health;
};

/* Connects the VM. */
struct banger_network {
    uint32_t size;            /* sizeof(struct banger_network) */
    int32_t rank;             /* ours: bridge 100, user 0 */
    const char *const *needs; /* NULL-terminated: features of the vmm, e.g. "nic:user" */

    banger_hook check;
    /* Optional. What all VMs share, e.g. the bridge. What capabilities need to know of the VM's addresses
     * in `prepare` is stored here (set_json). Where it stores `made` as true it has made that anew, and
     * VMs that run have lost their place in it: the hook `reconciled` is called for each of them. */
    banger_hook ensure;
    /* Optional. What this VM alone has, e.g. its TAP, journaled. */
    banger_hook acquire;
    /* The NIC and the guest's addresses. Pure. */
    banger_hook contribute;
    /* Optional. Undoes acquire. Idempotent. */
    banger_hook cleanup;
    /* Optional; since ABI 1.1. Undoes ensure, for the host: `banger network remove`. Refuses while a VM
     * uses it. Idempotent. */
    banger_hook remove;
};

#ifdef __cplusplus
}
#endif

#endif
