/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a capability may be called. Shared by those of one description in successive line-ups, and
 * written with atomics. */
#ifndef CAPABILITY_STANDING_H
#define CAPABILITY_STANDING_H

#include "capability/tally.h"

#include <stdbool.h>

struct standing {
    _Atomic int references;
    _Atomic int stuck; /* hooks of it that have outlived their deadline and not returned */
    _Atomic int streaks[HOOK_COUNT]; /* of each hook: failures since it last succeeded */
    _Atomic bool disabled;           /* for that: nothing is called any more but what gives back */
};

struct standing *standing_new(void);
struct standing *standing_ref(struct standing *standing);
void standing_unref(struct standing *standing);

/* A hook of it has ended. True: that was its one failure too many (`limit` in a row; 0: there is none), and the
 * capability is disabled from now on. Each hook has a row of its own: a check or a cleanup that succeeds
 * says nothing about the prepare between them. */
bool standing_note(struct standing *standing, enum hook hook, bool failed, int limit);
/* False: it was not disabled. */
bool standing_enable(struct standing *standing);

#endif
