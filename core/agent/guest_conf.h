/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest configuration: how the host tells the agent what to set up. It is a cpio archive
 * appended to the initramfs, so that the kernel unpacks it and no parser is needed in the guest:
 *
 *   /banger/modules        the modules to load, one path a line, in dependency order (per kernel)
 *   /banger/guest.conf     KEY=VALUE lines, the keys below (per VM)
 *   /banger/overlay/...    files and folders that are copied over the root file system, with their
 *                          modes and owners (per VM): etc/hostname, etc/hosts, root/.ssh/...
 *
 * A kernel without an initramfs (direct boot) finds the same files on its root, with the agent beside them.
 *
 * Keys of guest.conf; unknown ones are ignored, values run to the end of the line:
 *   root=/dev/vda          the root's block device        root_type=ext4     root_flags=rw
 *   init=auto|agent|PATH   auto: /sbin/init when the image has a working one, else the agent itself
 *   hostname=web
 *   interface=MAC ADDRESS/PREFIX GATEWAY   a static IPv4 or IPv6 address for the NIC with that MAC
 *                                          ("-": no gateway); may be given more than once
 *   mount=DEVICE POINT TYPE FLAGS [grow]   another disk, mounted before the overlay is copied, its file
 *                                          system grown to its device; up to 8 times
 *   env=NAME=VALUE         environment of every exec; may be given more than once
 *   clock=NANOSECONDS      set the clock at boot when the guest's is more than a second off
 */
#ifndef AGENT_GUEST_CONF_H
#define AGENT_GUEST_CONF_H

#define GUEST_CONF_DIR "/banger"
#define GUEST_CONF_MODULES GUEST_CONF_DIR "/modules"
#define GUEST_CONF_FILE GUEST_CONF_DIR "/guest.conf"
#define GUEST_CONF_AGENT GUEST_CONF_DIR "/agent" /* direct boot only: in an initramfs it is /init */
#define GUEST_CONF_OVERLAY GUEST_CONF_DIR "/overlay"

/* What the agent prints on the console before it hands over or gives up; the host looks for it to
 * explain a boot that failed. */
#define GUEST_CONSOLE_PREFIX "banger-agent: "

#endif
