/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a PID 1 owes its programs, where the image has no init of its own. */
#ifndef AGENT_INIT_H
#define AGENT_INIT_H

void init_mount_kernel(void); /* /proc, /sys, /dev */
void init_prepare(void);      /* the other usual mounts; Ctrl-Alt-Del becomes a signal to us */

#endif
