/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that do part of an import or a build (apt-get, mke2fs, mmdebstrap): run to their end
 * with progress, cancellation and a deadline. */
#ifndef IMAGE_COMMAND_H
#define IMAGE_COMMAND_H

#include "context.h"
#include "staging.h"

struct command {
    struct staging *staging; /* where it works; its journal row names the process meanwhile */
    char *const *argv;       /* argv[0] is looked for in PATH */
    const char *package;     /* what to install when the program is missing */
    const char *cwd;         /* NULL: / */
    const char *scratch;     /* where it has its temporary files; NULL: as the daemon */
    int (*in_child)(void);   /* as in struct process_spec */
    int64_t timeout_ms;
    bool verbose;    /* its messages (stderr) are passed on as progress */
    struct buf *out; /* gets its stdout, at most COMMAND_OUT_MAX; NULL: thrown away */
};

#define COMMAND_OUT_MAX ((size_t)1024 * 1024)

/* Fails when the program is missing, ends with another status than 0 (with the end of what it
 * said), runs too long, or the caller cancels. */
int command_run(const struct command *command, banger_error *err);

#endif
