/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the VMs of a network share, when it had to be made anew under those that run. */
#ifndef LIFECYCLE_NETWORK_H
#define LIFECYCLE_NETWORK_H

#include "lifecycle/operation.h"

/* After a network's `ensure`: where it says that it has made something anew, every other VM that runs in
 * that network is told (`reconciled`), each under its own lock, by workers. */
void network_tell_others(const struct operation *op);

#endif
