/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running a program in the guest to its end, for hooks. */
#ifndef LIFECYCLE_GUEST_RUN_H
#define LIFECYCLE_GUEST_RUN_H

#include "lifecycle/engine.h"

/* `request` and `*result` (a new reference) as host->guest_exec has them (banger/host.h). */
int guest_run(struct engine *engine, const char *vm_id, const json_t *request, int64_t timeout_ms,
              json_t **result, banger_error *err);

#endif
