/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks by name, first come first served: "vm:ID" makes operations on one VM follow one another;
 * "image:tiny" makes two runs that need the same image wait for one build. Different keys never
 * wait for one another. Entries exist only while somebody holds or waits.
 */
#ifndef LIFECYCLE_KEY_LOCK_H
#define LIFECYCLE_KEY_LOCK_H

struct key_locks;
struct key_lock;

struct key_locks *key_locks_new(void);
void key_locks_free(struct key_locks *locks);

struct key_lock *key_lock_take(struct key_locks *locks, const char *kind, const char *name);
void key_lock_release(struct key_lock *lock); /* NULL is fine */
/* How many hold it (one) or wait for it; 0: it is free. */
unsigned key_lock_users(struct key_locks *locks, const char *kind, const char *name);

static inline void cleanup_key_lock(struct key_lock **lock)
{
    key_lock_release(*lock);
}

#define AUTO_KEY_LOCK __attribute__((cleanup(cleanup_key_lock), unused))

#endif
