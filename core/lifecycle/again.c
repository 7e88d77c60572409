/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/again.h"

#include "base/name.h"
#include "base/str.h"

#include <pthread.h>

/* Rounds, five minutes as shipped: what fails that long waits for somebody to mend it. */
#define PAUSE_MAX 64

struct entry {
    struct entry *next;
    char id[ID_LENGTH + 1];
    again_fn attempt;
    unsigned pause; /* how many rounds lie between two attempts; doubled with each */
    unsigned left;  /* of them, until the next */
};

struct again {
    pthread_mutex_t mutex;
    struct entry *first;
};

struct again *again_new(void)
{
    struct again *again = xcalloc(1, sizeof(*again));
    (void)pthread_mutex_init(&again->mutex, NULL);
    return again;
}

void again_free(struct again *again)
{
    while (again != NULL && again->first != NULL) {
        struct entry *entry = again->first;
        again->first = entry->next;
        free(entry);
    }
    if (again != NULL) {
        (void)pthread_mutex_destroy(&again->mutex);
        free(again);
    }
}

static void add(struct again *again, struct entry *entry, unsigned pause)
{
    entry->pause = pause;
    entry->left = pause;
    (void)pthread_mutex_lock(&again->mutex);
    entry->next = again->first;
    again->first = entry;
    (void)pthread_mutex_unlock(&again->mutex);
}

void again_later(struct engine *engine, const char *vm_id, again_fn attempt)
{
    struct entry *entry = xcalloc(1, sizeof(*entry));
    (void)snprintf(entry->id, sizeof(entry->id), "%s", vm_id);
    entry->attempt = attempt;
    add(engine->again, entry, 1);
}

/* Counts the round, and takes out of the list those whose turn it is. */
static struct entry *take_due(struct again *again)
{
    struct entry *due = NULL;
    (void)pthread_mutex_lock(&again->mutex);
    for (struct entry **link = &again->first; *link != NULL;) {
        struct entry *entry = *link;
        if (--entry->left > 0) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        entry->next = due;
        due = entry;
    }
    (void)pthread_mutex_unlock(&again->mutex);
    return due;
}

void again_round(struct engine *engine)
{
    struct entry *due = take_due(engine->again);
    while (due != NULL) {
        struct entry *entry = due;
        due = entry->next;
        if (entry->attempt(engine, entry->id)) {
            free(entry);
        } else {
            add(engine->again, entry, entry->pause < PAUSE_MAX ? entry->pause * 2 : PAUSE_MAX);
        }
    }
}
