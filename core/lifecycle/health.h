/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking a VM that runs whether it still can: the function `health` of its rootfs provider. A VM whose provider says no
 * is ended, with that as its last error. A provider that does not answer in time has not said no.
 */
#ifndef LIFECYCLE_HEALTH_H
#define LIFECYCLE_HEALTH_H

#include "lifecycle/engine.h"

/* Takes the VM's lock. */
void health_ask(struct engine *engine, const char *vm_id);

#endif
