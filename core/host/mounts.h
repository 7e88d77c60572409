/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a program mounts while it works for us. */
#ifndef HOST_MOUNTS_H
#define HOST_MOUNTS_H

/* Gives the calling process mounts of its own: what it mounts from here on nobody else sees, and it goes with the
 * last of its processes, however that ends. For a child between fork and exec (process_spec.in_child): system calls
 * only. Needs CAP_SYS_ADMIN. -1: errno says why. */
int mounts_make_own(void);

#endif
