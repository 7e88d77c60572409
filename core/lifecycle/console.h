/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Explaining a VM that failed: by what its guest wrote on the console, by how its VMM ended. */
#ifndef LIFECYCLE_CONSOLE_H
#define LIFECYCLE_CONSOLE_H

#include "lifecycle/operation.h"

/* Sets the error: BANGER_EGUEST when the VMM has ended, BANGER_ETIMEDOUT otherwise, with the
 * agent's own words if it said any; the console's last lines go to who waits. Returns -1. */
int console_explain(struct operation *op, bool vmm_ended, int64_t timeout_ms, banger_error *err);

/* Why a VMM that ended with this wait status did not end well; NULL when it did, or when the status
 * is not known (-1). A new string. */
char *vmm_end_text(int status);

#endif
