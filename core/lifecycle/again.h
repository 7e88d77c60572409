/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What could not be done to a VM (the disk was full, a hook failed) and nobody would ask for again: it is tried in later
 * rounds (rounds.h), less and less often, until it is done. In memory only: a daemon that starts finds out by itself
 * what there is to do.
 */
#ifndef LIFECYCLE_AGAIN_H
#define LIFECYCLE_AGAIN_H

#include "lifecycle/engine.h"

struct again;

struct again *again_new(void);
void again_free(struct again *again); /* NULL is fine */

/* An attempt, which logs why it fails. True: it is done, or there is nothing to do any more. */
typedef bool (*again_fn)(struct engine *engine, const char *vm_id);

/* Any thread; whoever has the VM's lock too. */
void again_later(struct engine *engine, const char *vm_id, again_fn attempt);
/* A round: makes the attempts whose turn it is. */
void again_round(struct engine *engine);

#endif
