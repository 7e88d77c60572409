/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CAPABILITY_ORDER_H
#define CAPABILITY_ORDER_H

#include "capability/registry.h"

/* Sorts `items` by after/before, then by configured order, then by name. On failure (a cycle, a
 * name that is not there) they stay as they were. */
int order_resolve(struct capability **items, size_t count, banger_error *err);

#endif
