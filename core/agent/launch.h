/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting a service's process with its standard descriptors connected to us. */
#ifndef AGENT_LAUNCH_H
#define AGENT_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct launch {
    /* In: what is wanted. */
    bool tty;
    bool with_stdin; /* else /dev/null */
    uint16_t rows, columns;
    /* Out: our ends, non-blocking and close-on-exec; -1: none. With a tty `in` and `out` are the
     * PTY's master and `err` is -1. */
    int in, out, err;
    int why; /* the service's reason, to be read after its end */
};

/* Forks. Returns the child's PID to the caller, 0 in the child (which leads a session and a process
 * group of its own and has nothing open but 0, 1, 2 and SERVICE_WHY_FD), -1 with errno. */
pid_t launch_fork(struct launch *launch);
void launch_close(struct launch *launch);

#endif
