/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/end_reason.h"

#include "base/json.h"
#include "base/str.h"

#define KEY "core.end_reason" /* null: it ended well */

void end_reason_keep(struct operation *op, const char *reason)
{
    json_put(op->vm.runtime, KEY, reason != NULL ? json_string(reason) : json_null());
}

bool end_reason_recall(struct operation *op)
{
    const json_t *kept = json_at(op->vm.runtime, KEY);
    if (kept == NULL) {
        return false;
    }
    free(op->end_reason);
    op->end_reason = json_is_string(kept) ? xstrdup(json_string_value(kept)) : NULL;
    return true;
}
