/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a plugin says to host->provide (include/banger/host.h has the form) to a capability. */
#ifndef CAPABILITY_CARRIED_H
#define CAPABILITY_CARRIED_H

#include "capability/capability.h"

/* It needs an object with a name that can be one: all else that is wrong with it breaks the capability,
 * which by then can be called by its name. */
int carried_check(const json_t *said, banger_error *err);

/* The capability that a carrier has described so. Never NULL; what the description has wrong, or says
 * itself (`error`), makes it a broken one. */
struct capability *carried_new(struct capability *carrier, json_t *said);

#endif
