/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One cgroup v2 a VM, /sys/fs/cgroup/banger/ID: limits for the VMM and an end for whatever it left.
 * Only where the unified hierarchy is mounted, we may write to it, and it has, or can be given, the
 * controllers cpu, memory and pids.
 */
#ifndef HOST_CGROUP_H
#define HOST_CGROUP_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

bool cgroup_available(void);
/* The folder's path for a VM; a new string. */
char *cgroup_path(const char *vm_id);
/* Makes it and writes the limits: {"memory.max": 629145600, "pids.max": 64}. File names are those
 * of cgroup-v2.rst; anything that is not CONTROLLER.NAME in lower case is refused. */
int cgroup_create(const char *path, const json_t *limits, banger_error *err);
int cgroup_enter(const char *path, pid_t pid, banger_error *err);
/* Kills what is left in it and removes it. Fine when it is not there; refuses any other path. */
int cgroup_remove(const char *path, banger_error *err);

#endif
