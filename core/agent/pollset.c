/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pollset.h"

#include <stdlib.h>

int pollset_add(struct pollset *set, int fd, short events)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity != 0 ? set->capacity * 2 : 16;
        struct pollfd *fds = realloc(set->fds, capacity * sizeof(*fds));
        if (fds == NULL) {
            return POLLSET_NONE;
        }
        set->fds = fds;
        set->capacity = capacity;
    }
    set->fds[set->count] = (struct pollfd){.fd = fd, .events = events};
    return (int)set->count++;
}

short pollset_ready(const struct pollset *set, int place)
{
    return place == POLLSET_NONE ? 0 : set->fds[place].revents;
}
