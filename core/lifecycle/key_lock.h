/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks by name, first come first served: "vm:ID" makes operations on one VM follow one another;
 * "image:tiny" makes two runs that need the same image wait for one build. Different keys never
 * wait for one another. Entries exist only while somebody holds or waits.
 */
#ifndef LIFECYCLE_KEY_LOCK_H
#define LIFECYCLE_KEY_LOCK_H

#include <stdint.h>

struct key_locks;
struct key_lock;

struct key_locks *key_locks_new(void);
void key_locks_free(struct key_locks *locks);

struct key_lock *key_lock_take(struct key_locks *locks, const char *kind, const char *name);

/* A place in the queue for a lock: drawn without waiting, and to be used or left. */
struct key_place {
    struct key_lock *lock; /* NULL: used, or left */
    uint64_t ticket;
};

struct key_place key_lock_join(struct key_locks *locks, const char *kind, const char *name);
/* Waits for its turn and takes the lock. NULL for a place that was used, and for none. */
struct key_lock *key_place_use(struct key_place *place);
/* Waits for its turn too: who comes behind it must not come before those in front of it. */
void key_place_leave(struct key_place *place);

void key_lock_release(struct key_lock *lock); /* NULL is fine */
/* How many hold it (one) or wait for it; 0: it is free. */
unsigned key_lock_users(struct key_locks *locks, const char *kind, const char *name);

static inline void cleanup_key_lock(struct key_lock **lock)
{
    key_lock_release(*lock);
}

#define AUTO_KEY_LOCK __attribute__((cleanup(cleanup_key_lock), unused))

#endif
