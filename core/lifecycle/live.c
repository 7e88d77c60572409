/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. An entry is made by a start (or by the reconcile of a restarted daemon) and taken out by the
 *    cleanup. Both run under the VM's lock; the table's own mutex only guards the lists.
 * 2. The loop watches the pidfd. When it becomes readable the watch goes and a worker is asked to
 *    run lifecycle_vm_ended, which takes the VM's lock and looks again: a stop that was on its way has
 *    then done the work already.
 * 3. Users of a channel hold its entry (live_hold); the last one to let go of a removed entry
 *    closes it. So no call can meet a freed channel.
 */
#include "lifecycle/live.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/name.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/retry.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>

struct live_vm {
    struct live_vm *next;
    struct engine *engine;
    unsigned references; /* the table, the loop's watch, each channel user */
    char id[ID_LENGTH + 1];
    struct process_id process;
    int pidfd;
    struct loop_watch *watch; /* loop's thread only */
    struct channel *channel;
    bool removed;
};

#define BUCKETS 256 /* a list of 1,000 VMs looks each of them up */

struct live_table {
    pthread_mutex_t mutex;
    struct live_vm *buckets[BUCKETS];
};

struct live_table *live_table_new(void)
{
    struct live_table *table = xcalloc(1, sizeof(*table));
    (void)pthread_mutex_init(&table->mutex, NULL);
    return table;
}

/* Where the pointer to the VM is, or the NULL behind the last of its bucket. Ids are random, so that
 * their first two digits spread them well. */
static struct live_vm **find_link(struct live_table *table, const char *vm_id)
{
    const char digits[] = {vm_id[0], vm_id[1], '\0'};
    struct live_vm **link = &table->buckets[strtoul(digits, NULL, 16) % BUCKETS];
    while (*link != NULL && strcmp((*link)->id, vm_id) != 0) {
        link = &(*link)->next;
    }
    return link;
}

static struct live_vm *find(struct live_table *table, const char *vm_id)
{
    return *find_link(table, vm_id);
}

static void entry_free(struct live_vm *vm)
{
    if (vm->channel != NULL) {
        channel_close(vm->channel);
    }
    (void)process_wait(vm->pidfd, deadline_in(0), NULL, NULL); /* no zombie if it ended unasked */
    (void)close(vm->pidfd);
    free(vm);
}

/* Drops one reference; called with the mutex, which it releases. */
static void unref_unlock(struct live_table *table, struct live_vm *vm)
{
    bool last = --vm->references == 0;
    (void)pthread_mutex_unlock(&table->mutex);
    if (last) {
        entry_free(vm);
    }
}

static void unref(struct live_vm *vm)
{
    struct live_table *table = vm->engine->live;
    (void)pthread_mutex_lock(&table->mutex);
    unref_unlock(table, vm);
}

void live_table_free(struct live_table *table)
{
    for (size_t i = 0; table != NULL && i < BUCKETS; i++) {
        while (table->buckets[i] != NULL) {
            struct live_vm *vm = table->buckets[i];
            table->buckets[i] = vm->next;
            loop_watch_remove(vm->watch);
            entry_free(vm);
        }
    }
    if (table != NULL) {
        (void)pthread_mutex_destroy(&table->mutex);
        free(table);
    }
}

static void on_pidfd(void *context, uint32_t events)
{
    (void)events;
    struct live_vm *vm = context;
    loop_watch_remove(STEAL(vm->watch));
    retry_start(vm->engine, vm->id, lifecycle_vm_ended);
    unref(vm);
}

/* On the loop's thread, with the watch's reference already counted. */
static void start_watch(void *context)
{
    struct live_vm *vm = context;
    banger_error err = BANGER_ERROR_INIT;
    (void)pthread_mutex_lock(&vm->engine->live->mutex);
    bool removed = vm->removed;
    (void)pthread_mutex_unlock(&vm->engine->live->mutex);
    if (!removed) {
        vm->watch = loop_watch_add(vm->engine->loop, vm->pidfd, EPOLLIN, on_pidfd, vm, &err);
        if (vm->watch == NULL) {
            log_error("cannot watch the VMM of %.8s: %s", vm->id, err.message);
        }
    }
    if (vm->watch == NULL) {
        unref(vm);
    }
}

static void stop_watch(void *context)
{
    struct live_vm *vm = context;
    if (vm->watch != NULL) {
        loop_watch_remove(STEAL(vm->watch));
        unref(vm); /* the watch's */
    }
    unref(vm); /* this call's */
}

void live_add(struct engine *engine, const char *vm_id, const struct process_id *process, int pidfd)
{
    struct live_vm *vm = xcalloc(1, sizeof(*vm));
    vm->engine = engine;
    (void)snprintf(vm->id, sizeof(vm->id), "%s", vm_id);
    vm->process = *process;
    vm->pidfd = pidfd;
    vm->references = 2; /* the table's and the watch's */
    (void)pthread_mutex_lock(&engine->live->mutex);
    struct live_vm **link = find_link(engine->live, vm_id); /* at the end: it is not there yet */
    vm->next = *link;
    *link = vm;
    (void)pthread_mutex_unlock(&engine->live->mutex);
    loop_post(engine->loop, start_watch, vm);
}

int live_connect(struct engine *engine, const char *vm_id, const json_t *agent, banger_error *err)
{
    AUTO_FREE char *run_dir = layout_vm_run_dir(engine->layout, vm_id);
    banger_error failure = BANGER_ERROR_INIT;
    struct channel *channel = channel_open(engine->loop, run_dir, agent, &failure);
    if (channel == NULL) { /* the provider's mistake, and not what the user asked for */
        return error_set(err, BANGER_EINTERNAL,
                         "the vmm provider says wrongly where its agent is: %s", failure.message);
    }
    (void)pthread_mutex_lock(&engine->live->mutex);
    struct live_vm *vm = find(engine->live, vm_id);
    if (vm != NULL && vm->channel == NULL) {
        vm->channel = STEAL(channel);
    }
    (void)pthread_mutex_unlock(&engine->live->mutex);
    if (channel != NULL) {
        channel_close(channel);
        return error_set(err, BANGER_EINTERNAL, "the VM has no process, or a channel already");
    }
    return 0;
}

void live_remove(struct engine *engine, const char *vm_id)
{
    (void)pthread_mutex_lock(&engine->live->mutex);
    struct live_vm **link = find_link(engine->live, vm_id);
    struct live_vm *vm = *link;
    if (vm == NULL) {
        (void)pthread_mutex_unlock(&engine->live->mutex);
        return;
    }
    *link = vm->next;
    vm->removed = true;
    /* The table's reference goes over to stop_watch. */
    (void)pthread_mutex_unlock(&engine->live->mutex);
    loop_post(engine->loop, stop_watch, vm);
}

bool live_is_running(struct engine *engine, const char *vm_id)
{
    (void)pthread_mutex_lock(&engine->live->mutex);
    struct live_vm *vm = find(engine->live, vm_id);
    bool running = vm != NULL && !process_has_ended(vm->pidfd);
    (void)pthread_mutex_unlock(&engine->live->mutex);
    return running;
}

json_t *live_ids(struct engine *engine)
{
    json_t *ids = json_array();
    (void)pthread_mutex_lock(&engine->live->mutex);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct live_vm *vm = engine->live->buckets[i]; vm != NULL; vm = vm->next) {
            (void)json_array_append_new(ids, json_string(vm->id));
        }
    }
    (void)pthread_mutex_unlock(&engine->live->mutex);
    return ids;
}

bool live_is_known(struct engine *engine, const char *vm_id)
{
    (void)pthread_mutex_lock(&engine->live->mutex);
    bool known = find(engine->live, vm_id) != NULL;
    (void)pthread_mutex_unlock(&engine->live->mutex);
    return known;
}

int live_process(struct engine *engine, const char *vm_id, struct process_id *process, int *pidfd,
                 banger_error *err)
{
    int duplicated = 0;
    (void)pthread_mutex_lock(&engine->live->mutex);
    struct live_vm *vm = find(engine->live, vm_id);
    if (vm != NULL) {
        *process = vm->process;
        if (pidfd != NULL) {
            *pidfd = fcntl(vm->pidfd, F_DUPFD_CLOEXEC, 3);
            duplicated = *pidfd < 0 ? errno : 0;
        }
    }
    (void)pthread_mutex_unlock(&engine->live->mutex);
    if (vm == NULL) {
        return error_set(err, BANGER_ENOTFOUND, "the VM is not running");
    }
    return duplicated == 0 ? 0 : error_sys(err, duplicated, "cannot hold the VMM's process");
}

struct live_vm *live_hold(struct engine *engine, const char *vm_id)
{
    (void)pthread_mutex_lock(&engine->live->mutex);
    struct live_vm *vm = find(engine->live, vm_id);
    if (vm != NULL && vm->channel == NULL) {
        vm = NULL;
    }
    if (vm != NULL) {
        vm->references++;
    }
    (void)pthread_mutex_unlock(&engine->live->mutex);
    return vm;
}

struct channel *live_channel(struct live_vm *vm)
{
    return vm->channel;
}

void live_release(struct live_vm *vm)
{
    if (vm != NULL) {
        unref(vm);
    }
}
