/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM whose processors stand still. Its state stays `running`, since it has its process, its memory and
 * everything on the host; its record says `paused` beside it.
 */
#ifndef LIFECYCLE_PAUSE_H
#define LIFECYCLE_PAUSE_H

#include "lifecycle/operation.h"

bool pause_is_on(const struct vm_record *vm);
/* For a stop: lets the guest run again, so that it can be asked to end. Fine when it does. */
int pause_lift(struct operation *op, banger_error *err);

/* Both succeed when it is so already. EBUSY: it is not running. EUNSUPPORTED: its vmm cannot. */
int lifecycle_pause(struct engine *engine, const struct caller *caller, const char *vm,
                    json_t **result, banger_error *err);
int lifecycle_resume(struct engine *engine, const struct caller *caller, const char *vm,
                     json_t **result, banger_error *err);

#endif
