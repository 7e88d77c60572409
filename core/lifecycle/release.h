/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Releasing what the core itself holds: one function a kind of journal row, each idempotent, each
 * sure that the thing is ours before it touches it. The row goes when the thing has gone. */
#ifndef LIFECYCLE_RELEASE_H
#define LIFECYCLE_RELEASE_H

#include "lifecycle/engine.h"
#include "store/journal.h"

int release_resource(struct engine *engine, const struct resource *row, banger_error *err);

#endif
