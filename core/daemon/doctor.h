/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `banger doctor`: can VMs run here, with which providers, and if not, what to do. */
#ifndef DAEMON_DOCTOR_H
#define DAEMON_DOCTOR_H

#include "daemon/daemon.h"

/* {"checks": [{"name","status":"pass|warn|fail","text","hint"?}], "providers": {"vmm","rootfs",
 * "network"}}; a new reference. */
json_t *doctor_examine(struct daemon *daemon);

#endif
