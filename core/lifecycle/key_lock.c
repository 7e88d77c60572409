/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/key_lock.h"

#include "base/str.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct key_lock {
    struct key_locks *owner;
    struct key_lock *next;
    char *key;
    uint64_t next_ticket; /* drawn by the next to come */
    uint64_t serving;     /* who may go */
    unsigned users;       /* holder and waiters */
    pthread_cond_t turn;
};

struct key_locks {
    pthread_mutex_t mutex;
    struct key_lock *first;
};

struct key_locks *key_locks_new(void)
{
    struct key_locks *locks = xcalloc(1, sizeof(*locks));
    (void)pthread_mutex_init(&locks->mutex, NULL);
    return locks;
}

void key_locks_free(struct key_locks *locks)
{
    if (locks != NULL) {
        (void)pthread_mutex_destroy(&locks->mutex);
        free(locks);
    }
}

static struct key_lock *find(struct key_locks *locks, const char *key)
{
    struct key_lock *lock = locks->first;
    while (lock != NULL && strcmp(lock->key, key) != 0) {
        lock = lock->next;
    }
    return lock;
}

static struct key_lock *add(struct key_locks *locks, const char *key)
{
    struct key_lock *lock = xcalloc(1, sizeof(*lock));
    lock->owner = locks;
    lock->key = xstrdup(key);
    (void)pthread_cond_init(&lock->turn, NULL);
    lock->next = locks->first;
    locks->first = lock;
    return lock;
}

static void drop(struct key_lock *lock)
{
    struct key_lock **link = &lock->owner->first;
    while (*link != lock) {
        link = &(*link)->next;
    }
    *link = lock->next;
    (void)pthread_cond_destroy(&lock->turn);
    free(lock->key);
    free(lock);
}

struct key_place key_lock_join(struct key_locks *locks, const char *kind, const char *name)
{
    char *key = str_format("%s:%s", kind, name);
    (void)pthread_mutex_lock(&locks->mutex);
    struct key_lock *lock = find(locks, key);
    if (lock == NULL) {
        lock = add(locks, key);
    }
    lock->users++;
    struct key_place place = {.lock = lock, .ticket = lock->next_ticket++};
    (void)pthread_mutex_unlock(&locks->mutex);
    free(key);
    return place;
}

struct key_lock *key_place_use(struct key_place *place)
{
    if (place == NULL || place->lock == NULL) {
        return NULL;
    }
    struct key_lock *lock = place->lock;
    place->lock = NULL;
    (void)pthread_mutex_lock(&lock->owner->mutex);
    while (lock->serving != place->ticket) {
        (void)pthread_cond_wait(&lock->turn, &lock->owner->mutex);
    }
    (void)pthread_mutex_unlock(&lock->owner->mutex);
    return lock;
}

void key_place_leave(struct key_place *place)
{
    key_lock_release(key_place_use(place));
}

struct key_lock *key_lock_take(struct key_locks *locks, const char *kind, const char *name)
{
    struct key_place place = key_lock_join(locks, kind, name);
    return key_place_use(&place);
}

void key_lock_release(struct key_lock *lock)
{
    if (lock == NULL) {
        return;
    }
    struct key_locks *locks = lock->owner;
    (void)pthread_mutex_lock(&locks->mutex);
    lock->serving++;
    lock->users--;
    if (lock->users == 0) {
        drop(lock);
    } else {
        (void)pthread_cond_broadcast(&lock->turn);
    }
    (void)pthread_mutex_unlock(&locks->mutex);
}

unsigned key_lock_users(struct key_locks *locks, const char *kind, const char *name)
{
    char *key = str_format("%s:%s", kind, name);
    (void)pthread_mutex_lock(&locks->mutex);
    const struct key_lock *lock = find(locks, key);
    unsigned users = lock != NULL ? lock->users : 0;
    (void)pthread_mutex_unlock(&locks->mutex);
    free(key);
    return users;
}
