/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CAPABILITY_ORDER_H
#define CAPABILITY_ORDER_H

#include "capability/capability.h"

/* Sorts `items` by after/before, then by configured order, then by name. What broken ones wish, or others
 * of them, does not count. On failure (a cycle, a name that is not there) they stay as they were, and
 * `blamed` is whom it can do without: who named what is not there, or of a cycle the last by name that
 * is carried by a plugin; NULL: nobody. */
int order_resolve(struct capability **items, size_t count, struct capability **blamed,
                  banger_error *err);

#endif
