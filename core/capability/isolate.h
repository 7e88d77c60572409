/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plugin in processes of its own: the unchanged .so, which may crash, exit, hang or leak there. The file
 * is never mapped here.
 *
 * 1. A process (libexec/banger-plugin, core/isolate) loads the file and says what it is; that becomes a
 *    descriptor like any other, whose functions are names only and are called by isolate_call.
 * 2. One call is one request to one process. While it runs, the functions of the host that the plugin
 *    calls are served here, on the caller's thread, from whatever table the caller gives.
 * 3. Calls at the same time have a process each. A few idle ones are kept, started again only when one
 *    is missing; one that failed in any way of its own is not used again.
 * 4. A call that outlives its deadline (what host->remaining_ms says when it begins) is ended with its
 *    process, before isolate_call returns. So is one whose process sends nonsense.
 * 5. `start` runs in every process before its first hook. `stop` runs in each when it is let go.
 */
#ifndef CAPABILITY_ISOLATE_H
#define CAPABILITY_ISOLATE_H

#include "base/error.h"

#include <banger/plugin.h>

struct isolate;

#define ISOLATE_MEMORY_DEFAULT (INT64_C(512) * 1024 * 1024)

struct isolate_limits {
    const char *program; /* banger-plugin */
    int64_t memory;      /* address space of a process, bytes; 0: the default */
    int64_t load_ms;     /* until it has said what it is; 0: 10 seconds */
};

/* Loads the file in a first process. The errors are those of a file loaded here. */
struct isolate *isolate_open(const char *path, const struct isolate_limits *limits,
                             banger_error *err);
/* Lets its processes go. No call may be at work. NULL is none. */
void isolate_close(struct isolate *isolate);

/* What it is; lives as long as the isolate. */
const struct banger_plugin *isolate_plugin(const struct isolate *isolate);
/* For processes that are started from now on; those that have started nothing are replaced. */
void isolate_set_memory(struct isolate *isolate, int64_t bytes);

/* Calls a function of isolate_plugin's tables, as if it were here. From any thread. */
int isolate_call(struct isolate *isolate, banger_hook function, const struct banger_host *host,
                 struct banger_call *call);

struct isolate_counts {
    int processes; /* that there are now */
    uint64_t
        ended_badly; /* crashed, ended themselves, were killed for being late or talking nonsense */
};

struct isolate_counts isolate_count(struct isolate *isolate);

#endif
