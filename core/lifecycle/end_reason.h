/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a run ended, for as long as what it held is not given back: it is one of the run's values, so that a later attempt
 * at the cleanup, of a later daemon too, still records it, and goes with them.
 */
#ifndef LIFECYCLE_END_REASON_H
#define LIFECYCLE_END_REASON_H

#include "lifecycle/operation.h"

/* `reason` NULL: it ended well. Of op->vm, which the caller saves. */
void end_reason_keep(struct operation *op, const char *reason);
/* Into op->end_reason, if an earlier attempt has kept it; false: none has. */
bool end_reason_recall(struct operation *op);

#endif
