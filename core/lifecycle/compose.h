/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Composing the machine document: for a start and, without side effects, for a plan. */
#ifndef LIFECYCLE_COMPOSE_H
#define LIFECYCLE_COMPOSE_H

#include "lifecycle/operation.h"

/* Chooses op's providers as its specification asks. The disk is made once, by one provider: the
 * choice for it is written into the specification (saved with the next save). */
int compose_choose(struct operation *op, banger_error *err);

/* The core's own part, then the providers', then the capabilities'. */
int compose_machine(struct operation *op, banger_error *err);

#endif
