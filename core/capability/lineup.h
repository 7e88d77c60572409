/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line-up: the capabilities of a moment, in the order in which their hooks are called. Never changed
 * once it is made, so that who holds a reference walks it without a lock; an operation holds one from its
 * beginning to its end, whatever comes and goes meanwhile.
 */
#ifndef CAPABILITY_LINEUP_H
#define CAPABILITY_LINEUP_H

#include "capability/capability.h"

struct lineup;

/* Of these, in this order, with a reference to each. One reference, the caller's. */
struct lineup *lineup_new(struct capability *const *items, size_t count);
struct lineup *lineup_ref(struct lineup *lineup);
void lineup_unref(struct lineup *lineup);

size_t lineup_count(const struct lineup *lineup);
struct capability *lineup_at(const struct lineup *lineup, size_t index); /* NULL: there is none */
/* Of two of one name the one that is not broken for it. lineup_place: its index; the count when there is
 * none. */
size_t lineup_place(const struct lineup *lineup, const char *name);
struct capability *lineup_find(const struct lineup *lineup, const char *name);
/* The name that was probably meant; NULL: none is near. */
const char *lineup_nearest(const struct lineup *lineup, const char *name);

static inline void cleanup_lineup(struct lineup **lineup)
{
    lineup_unref(*lineup);
}
#define AUTO_LINEUP __attribute__((cleanup(cleanup_lineup)))

#endif
