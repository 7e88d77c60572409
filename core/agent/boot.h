/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the kernel's hand-over to a served guest.
 *
 * 1. Mounts /proc, /sys and /dev, takes the console, loads the modules (boot_modules).
 * 2. Reads guest.conf; waits for the root device, by event, and mounts it (boot_root).
 * 3. Mounts the other disks (boot_mounts), copies the overlay over all of it (boot_overlay), sets hostname,
 *    clock, interfaces (boot_net).
 * 4. Leaves the initramfs for the root, and frees it.
 * 5. A real init: forks the agent, which stays beside it, and executes the init. None: prepares
 * what programs expect of a system (init.h) and serves as PID 1.
 *
 * What only hurts a part of the guest is said on the console and passed over; without a root the
 * machine is restarted, which ends the VMM. Never a kernel panic.
 *
 * Without an initramfs (direct boot) the kernel has mounted the root and starts the agent from it, with the
 * same files in the same places: no `root` in guest.conf then, and the waiting of 2 and all of 4 fall
 * away.
 */
#ifndef AGENT_BOOT_H
#define AGENT_BOOT_H

#include "conf.h"

#include <stdbool.h>

/* As PID 1. Returns (in the process that is to serve) when the guest is up. */
void boot_run(void);

void boot_modules(void);
/* Mounts conf->root on BOOT_NEW_ROOT; does not return when that cannot be done. */
void boot_root_mount(const struct conf *conf, int uevents);
/* Makes BOOT_NEW_ROOT the root and empties the initramfs. */
void boot_root_enter(void);
/* Mounts conf->mounts below `root`; does not return when one cannot be. */
void boot_mounts(const struct conf *conf, const char *root, int uevents);
void boot_overlay(const char *overlay, const char *root);
void boot_net(const struct conf *conf, int uevents);

#define BOOT_NEW_ROOT "/banger/root"

#define BOOT_FLAGS_MAX 256
/* Takes the generic flags out of "rw,noatime,data=journal" and leaves the file system's own in `data`. */
unsigned long boot_split_flags(const char *flags, char data[BOOT_FLAGS_MAX]);
bool boot_wait_device(int uevents, const char *device);

#endif
