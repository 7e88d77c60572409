/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `banger doctor`: can VMs run here, with which providers, and if not, what to do. */
#ifndef DAEMON_DOCTOR_H
#define DAEMON_DOCTOR_H

#include "capability/dispatch.h"
#include "daemon/daemon.h"

/* {"checks": [{"name","status":"pass|warn|fail","text","hint"?}], "providers": {"vmm","rootfs",
 * "network"}}; a new reference. */
json_t *doctor_examine(struct daemon *daemon);

/* The last thing that a check said about the host ("QEMU 7.2; TCG: ..."), and its failure where that is
 * but a warning. */
struct doctor_said {
    char text[512];
    char warning[ERROR_MESSAGE_MAX];
};

/* A scope about the host, with no VM in it; what hooks say in it is kept in `said`. */
struct scope *doctor_scope(struct daemon *daemon, struct doctor_said *said);

#endif
