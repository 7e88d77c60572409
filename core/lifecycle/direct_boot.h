/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Direct boot: a kernel that brings no initramfs, since all that guests need is built into it.
 *
 * 1. It mounts the root drive itself, and sets up the first interface (`ip=`), so that there is a network
 *    whatever becomes of the rest.
 * 2. It starts the agent as `init=`, from the VM's own disk, where guest_config has put it with the guest's
 *    configuration (image/guest_disk.h); never from the image, which all VMs share.
 * 3. From there on all is as with an initramfs: the agent applies the configuration and hands over to the
 *    image's init.
 */
#ifndef LIFECYCLE_DIRECT_BOOT_H
#define LIFECYCLE_DIRECT_BOOT_H

#include "lifecycle/operation.h"

/* The boot arguments that follow from nothing but its being a direct boot. New reference. */
json_t *direct_boot_args(void);
/* "ip=..." for the document's first IPv4 interface; a new string, NULL where there is none. */
char *direct_boot_ip(const json_t *document);
/* Completes what a daemon was killed in while it changed the VM's disk; before anything else uses it. */
int direct_boot_finish(const struct operation *op, banger_error *err);
/* Puts `guest` (guest_content.h) and the agent onto the document's root drive. */
int direct_boot_write(struct operation *op, const json_t *document, const json_t *guest,
                      banger_error *err);

#endif
