/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DAEMON_VMM_USAGE_H
#define DAEMON_VMM_USAGE_H

#include <jansson.h>
#include <sys/types.h>

/* Adds what the host sees of a VMM: "rss_bytes" and "cpu_ms" (user and system), from /proc/PID/stat
 * (proc(5)). Adds nothing when the process has just ended. */
void vmm_usage_add(json_t *stats, pid_t pid);

#endif
