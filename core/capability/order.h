/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CAPABILITY_ORDER_H
#define CAPABILITY_ORDER_H

#include "capability/capability.h"

/* Sorts `items` by after/before, then by configured order, then by name. What broken ones wish, or others
 * of them, does not count. A stranger that is in the way (who names what is not there; of a circle the last
 * of them by name) is broken for it, and it is tried again. On failure (only ours are in the way) the
 * items stay as they were. */
int order_resolve(struct capability **items, size_t count, banger_error *err);

#endif
