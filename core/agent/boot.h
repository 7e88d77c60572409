/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the kernel's hand-over to a served guest.
 *
 * 1. Mounts /proc, /sys and /dev, takes the console, loads the modules (boot_modules).
 * 2. Reads guest.conf; waits for the root device, by event, and mounts it (boot_root).
 * 3. Copies the overlay onto the root (boot_overlay), sets hostname, clock, interfaces (boot_net).
 * 4. Leaves the initramfs for the root, and frees it.
 * 5. A real init: forks the agent, which stays beside it, and executes the init. None: prepares
 * what programs expect of a system (init.h) and serves as PID 1.
 *
 * What only hurts a part of the guest is said on the console and passed over; without a root the
 * machine is restarted, which ends the VMM. Never a kernel panic.
 */
#ifndef AGENT_BOOT_H
#define AGENT_BOOT_H

#include "conf.h"

/* As PID 1. Returns (in the process that is to serve) when the guest is up. */
void boot_run(void);

void boot_modules(void);
/* Mounts conf->root on BOOT_NEW_ROOT; does not return when that cannot be done. */
void boot_root_mount(const struct conf *conf, int uevents);
/* Makes BOOT_NEW_ROOT the root and empties the initramfs. */
void boot_root_enter(void);
void boot_overlay(const char *overlay, const char *root);
void boot_net(const struct conf *conf, int uevents);

#define BOOT_NEW_ROOT "/banger/root"

#endif
