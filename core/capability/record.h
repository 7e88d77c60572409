/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A recording: what each hook of an operation could see, what it asked of the host, and what it was told.
 * With it a script's hooks can be run again, elsewhere and without a VM (`banger hook test`).
 *
 * 1. A scope that records gives its hooks another table of host functions (record_host). Each calls the
 *    real one and writes down its arguments and its result. A scope that does not record pays one branch a
 *    hook.
 * 2. When the hook has returned in time, the entry is handed to the scope's service `record`:
 *      {"capability","hook","input": all that getters answer from: {"vm","image","kernel","host","config",
 *       "runtime","machine"?,"resources",...}, "calls": [{"call","args",("result"|"error")?}],
 *       "result", "error": {"code","message","hint"}?, "cut": true?}
 *    One that is left behind leaves no entry.
 * 3. What would make the entry longer than RECORD_MAX is written down without its result, and where that is
 *    too long too, not at all; the entry is then called "cut". So an entry always fits a notification.
 */
#ifndef CAPABILITY_RECORD_H
#define CAPABILITY_RECORD_H

#include "capability/call.h"

#define RECORD_MAX ((size_t)1024 * 1024)

extern const struct banger_host record_host;

/* Begins the hook's entry. On the hook's thread, as is all of this. */
void record_begin(struct banger_call *call);
/* The hook has returned in time with this: hands the entry out. */
void record_end(struct banger_call *call, int result);
/* It has not: forgets the entry. */
void record_drop(struct banger_call *call);

/* The table for a hook that is about to be called. */
static inline const struct banger_host *record_host_for(struct banger_call *call)
{
    if (!call->scope->records) {
        return &call_host;
    }
    record_begin(call);
    return &record_host;
}

#endif
