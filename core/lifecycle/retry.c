/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One entry for a VM and an attempt, in the table from when it is asked for until it is done. A job has its entry to
 * itself while that is under way: whoever asks meanwhile has it attempted once more, since the job may have looked
 * at the VM already.
 */
#include "lifecycle/retry.h"

#include "base/name.h"
#include "base/str.h"

#include <pthread.h>
#include <string.h>

/* Rounds, five minutes as shipped: what fails that long waits for somebody to mend it. */
#define PAUSE_MAX 64

enum progress {
    WAITS,
    UNDER_WAY,
    ASKED_AGAIN, /* under way, and once more behind it */
};

struct entry {
    struct entry *next;
    struct engine *engine;
    char id[ID_LENGTH + 1];
    retry_fn attempt;
    enum progress progress;
    unsigned pause; /* rounds between two attempts; 0: none has failed yet */
    unsigned left;  /* of them, until the next */
};

struct retry_table {
    pthread_mutex_t mutex;
    struct entry *first;
    bool stopped;
};

struct retry_table *retry_table_new(void)
{
    struct retry_table *table = xcalloc(1, sizeof(*table));
    (void)pthread_mutex_init(&table->mutex, NULL);
    return table;
}

void retry_table_free(struct retry_table *table)
{
    while (table != NULL && table->first != NULL) {
        struct entry *entry = table->first;
        table->first = entry->next;
        free(entry);
    }
    if (table != NULL) {
        (void)pthread_mutex_destroy(&table->mutex);
        free(table);
    }
}

/* -- Entries: with the table's mutex ------------------------------------------------------------------ */

static struct entry **find(struct retry_table *table, const char *vm_id, retry_fn attempt)
{
    struct entry **link = &table->first;
    while (*link != NULL && ((*link)->attempt != attempt || strcmp((*link)->id, vm_id) != 0)) {
        link = &(*link)->next;
    }
    return link;
}

static struct entry *add(struct engine *engine, const char *vm_id, retry_fn attempt)
{
    struct entry *entry = xcalloc(1, sizeof(*entry));
    entry->engine = engine;
    (void)snprintf(entry->id, sizeof(entry->id), "%s", vm_id);
    entry->attempt = attempt;
    entry->next = engine->retries->first;
    engine->retries->first = entry;
    return entry;
}

static void wait_longer(struct entry *entry)
{
    unsigned longer = entry->pause == 0 ? 1 : entry->pause * 2;
    entry->pause = longer < PAUSE_MAX ? longer : PAUSE_MAX;
    entry->left = entry->pause;
    entry->progress = WAITS;
}

/* -- Attempts ---------------------------------------------------------------------------------------- */

static bool may_begin(struct retry_table *table, const struct entry *entry)
{
    (void)pthread_mutex_lock(&table->mutex);
    bool may = entry->pause == 0 || !table->stopped;
    (void)pthread_mutex_unlock(&table->mutex);
    return may;
}

/* Whether it is to be attempted once more at once. The entry may be gone then. */
static bool settle(struct retry_table *table, struct entry *entry, bool done)
{
    (void)pthread_mutex_lock(&table->mutex);
    bool once_more = entry->progress == ASKED_AGAIN;
    if (once_more) {
        entry->progress = UNDER_WAY;
    } else if (done) {
        *find(table, entry->id, entry->attempt) = entry->next;
        free(entry);
    } else {
        wait_longer(entry);
    }
    (void)pthread_mutex_unlock(&table->mutex);
    return once_more;
}

static void run(void *argument)
{
    struct entry *entry = argument;
    struct retry_table *table = entry->engine->retries;
    bool once_more = true;
    while (once_more) {
        bool done = may_begin(table, entry) && entry->attempt(entry->engine, entry->id);
        once_more = settle(table, entry, done);
    }
}

static void start(struct entry *entry)
{
    entry->engine->defer(entry->engine->context, run, entry);
}

/* -- What is asked for ------------------------------------------------------------------------------- */

void retry_start(struct engine *engine, const char *vm_id, retry_fn attempt)
{
    struct retry_table *table = engine->retries;
    (void)pthread_mutex_lock(&table->mutex);
    struct entry *entry = *find(table, vm_id, attempt);
    bool under_way = entry != NULL && entry->progress != WAITS;
    if (entry == NULL) {
        entry = add(engine, vm_id, attempt);
    }
    entry->progress = under_way ? ASKED_AGAIN : UNDER_WAY;
    entry->pause = 0;
    (void)pthread_mutex_unlock(&table->mutex);
    if (!under_way) {
        start(entry);
    }
}

void retry_ensure(struct engine *engine, const char *vm_id, retry_fn attempt)
{
    struct retry_table *table = engine->retries;
    (void)pthread_mutex_lock(&table->mutex);
    struct entry *entry = *find(table, vm_id, attempt) == NULL ? add(engine, vm_id, attempt) : NULL;
    if (entry != NULL) {
        entry->progress = UNDER_WAY;
    }
    (void)pthread_mutex_unlock(&table->mutex);
    if (entry != NULL) {
        start(entry);
    }
}

void retry_later(struct engine *engine, const char *vm_id, retry_fn attempt)
{
    struct retry_table *table = engine->retries;
    (void)pthread_mutex_lock(&table->mutex);
    if (*find(table, vm_id, attempt) == NULL) {
        wait_longer(add(engine, vm_id, attempt));
    }
    (void)pthread_mutex_unlock(&table->mutex);
}

/* -- Rounds ------------------------------------------------------------------------------------------ */

/* One whose turn it is and whose VM nobody is at work on, now under way; NULL: there is none (any more). */
static struct entry *take_due(struct retry_table *table)
{
    (void)pthread_mutex_lock(&table->mutex);
    struct entry *entry = table->first;
    while (entry != NULL && (entry->progress != WAITS || entry->left > 0 ||
                             key_lock_users(entry->engine->locks, "vm", entry->id) > 0)) {
        entry = entry->next;
    }
    if (entry != NULL) {
        entry->progress = UNDER_WAY;
    }
    (void)pthread_mutex_unlock(&table->mutex);
    return entry;
}

static void count_round(struct retry_table *table)
{
    (void)pthread_mutex_lock(&table->mutex);
    for (struct entry *entry = table->first; entry != NULL; entry = entry->next) {
        entry->left -= entry->left > 0;
    }
    (void)pthread_mutex_unlock(&table->mutex);
}

void retry_round(struct engine *engine)
{
    struct entry *entry = NULL;
    count_round(engine->retries);
    while ((entry = take_due(engine->retries)) != NULL) {
        start(entry);
    }
}

void retry_stop(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->retries->mutex);
    engine->retries->stopped = true;
    (void)pthread_mutex_unlock(&engine->retries->mutex);
}
