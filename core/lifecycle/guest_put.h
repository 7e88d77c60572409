/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host->guest_copy: a file or folder of the host's, or a text, into a running guest. */
#ifndef LIFECYCLE_GUEST_PUT_H
#define LIFECYCLE_GUEST_PUT_H

#include "lifecycle/engine.h"

/* `request`: {"source" or "content", "path", "mode"?}, checked (banger/host.h). */
int guest_put(struct engine *engine, const char *vm_id, const json_t *request, int64_t timeout_ms,
              banger_error *err);

#endif
