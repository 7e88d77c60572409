/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a capability's hooks have done, from the daemon's start on: counted with atomics, by whoever calls
 * them. */
#ifndef CAPABILITY_TALLY_H
#define CAPABILITY_TALLY_H

#include "capability/histogram.h"

#include <stdbool.h>
#include <stdint.h>

enum hook {
    HOOK_CHECK,
    HOOK_PREPARE,
    HOOK_CONTRIBUTE,
    HOOK_POST_START,
    HOOK_CLEANUP,
    HOOK_CONFIGURE,
    HOOK_DELETED,
    HOOK_RECONCILED,
    HOOK_COUNT,
};

struct hook_stats {
    uint64_t calls;
    uint64_t failures;
    uint64_t total_ns;
    uint64_t max_ns;
    struct histogram *times; /* NULL: never called */
};

/* What has been counted, of one hook or of all. The percentiles are to within a sixteenth. */
struct hook_report {
    uint64_t calls;
    uint64_t failures;
    uint64_t mean_ns;
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t max_ns;
};

struct tally {
    _Atomic int references;
    struct hook_stats hooks[HOOK_COUNT];
};

struct tally *tally_new(void);
struct tally *tally_ref(struct tally *tally);
void tally_unref(struct tally *tally);

void tally_count(struct tally *tally, enum hook hook, bool failed, int64_t took_ns);
struct hook_report tally_report(const struct tally *tally, enum hook hook);
struct hook_report tally_report_all(const struct tally *tally);

#endif
