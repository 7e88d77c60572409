/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one round of the agent's loop waits for. Built anew each round from what everyone wants now,
 * so that there is no interest to forget; one thread. */
#ifndef AGENT_POLLSET_H
#define AGENT_POLLSET_H

#include <poll.h>
#include <stddef.h>

#define POLLSET_NONE (-1)

struct pollset {
    struct pollfd *fds;
    size_t count;
    size_t capacity;
};

/* The place of the descriptor, for pollset_ready; POLLSET_NONE when memory is out. */
int pollset_add(struct pollset *set, int fd, short events);
short pollset_ready(const struct pollset *set, int place); /* 0 for POLLSET_NONE */

#endif
