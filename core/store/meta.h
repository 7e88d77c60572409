/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said once of a store. */
#ifndef STORE_META_H
#define STORE_META_H

#include "store/store.h"

/* 12 hex digits, random, made with the store: the mark of what it has on the host. A new string; NULL
 * on failure. */
char *meta_instance(struct store *store, banger_error *err);

#endif
