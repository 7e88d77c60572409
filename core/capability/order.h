/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CAPABILITY_ORDER_H
#define CAPABILITY_ORDER_H

#include "capability/capability.h"

/* Who may be broken for being in the way. */
enum order_blame {
    ORDER_BLAMES_STRANGERS, /* while the daemon starts: none of them is in a line-up yet */
    ORDER_BLAMES_CARRIED, /* in a refresh: what is carried is new, whereas plugins stand in line-ups that
                             * operations are reading */
};

/* Sorts `items` by after/before, then by configured order, then by name. What broken ones wish, or others
 * of them, does not count. One that may be broken and is in the way (who names what is not there; of a
 * circle the last of them by name) is broken for it, and it is tried again. On failure (only others are in
 * the way) the items stay as they were. */
int order_resolve(struct capability **items, size_t count, enum order_blame blame,
                  banger_error *err);

#endif
