/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plugin's table of the configuration: how the core is to treat it (the keys below), and the
 * plugin's own declared keys beside them.
 *
 *   enabled = false             not loaded at all
 *   on_error = "abort" | "warn" what a failed hook means for the operation
 *   timeout = "10s"             how long one hook may take
 *   order = 10                  its place among plugins that after/before leave free
 *   disable_after = 3           how many failures of a hook in a row disable it; 0: none do
 *   isolate = true | false      run it in processes of its own; what it is without that word is the loader's
 *                               to say
 *   process_memory = "512M"     what one of those may have
 */
#ifndef CAPABILITY_POLICY_H
#define CAPABILITY_POLICY_H

#include "capability/capability.h"

/* Whether the table switches the plugin off. */
bool policy_disables(const json_t *policy);
/* Whether it, or else `unless_said`, has the plugin run in processes of its own. */
bool policy_isolates(const json_t *policy, bool unless_said);

/* Checks the plugin's declared keys and the table, and sets the capability's on_error, timeout_ms,
 * order and config. `policy` may be NULL. */
int policy_apply(struct capability *capability, const json_t *policy, int64_t default_timeout_ms,
                 banger_error *err);
/* The same of a broken one, whose own keys nobody knows: what does not concern the core is passed
 * over. */
int policy_apply_broken(struct capability *capability, const json_t *policy,
                        int64_t default_timeout_ms, banger_error *err);

#endif
