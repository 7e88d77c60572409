/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Composing the machine document: for a start and, without side effects, for a plan. */
#ifndef LIFECYCLE_COMPOSE_H
#define LIFECYCLE_COMPOSE_H

#include "lifecycle/operation.h"

/* Where the specification keeps which provider has made the VM's disk, once one has: the disk is made
 * once, and whatever `rootfs` says later, it stays that provider's. */
#define SPEC_DISK_BY "disk_by"

/* Chooses op's providers as its specification asks. */
int compose_choose(struct operation *op, banger_error *err);

/* The core's own part, then the providers', then the capabilities'. */
int compose_machine(struct operation *op, banger_error *err);

#endif
