/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reserve.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reservation {
    struct reservation *next;
    char vm_id[33];   /* 32 hex digits */
    char vm_name[64]; /* a DNS label */
    struct forward forward;
    int fd;
    bool wanted; /* by the set that is being made */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reservation *all;

/* Another VM's that stands in the way. */
static const struct reservation *find_clash(const char *vm_id, const struct forward *forward)
{
    const struct reservation *held = all;

    while (held != NULL &&
           (strcmp(held->vm_id, vm_id) == 0 || !forward_clashes(&held->forward, forward))) {
        held = held->next;
    }
    return held;
}

static struct reservation *find(const char *vm_id, const struct forward *forward)
{
    struct reservation *held = all;

    while (held != NULL &&
           (strcmp(held->vm_id, vm_id) != 0 || !forward_equal(&held->forward, forward))) {
        held = held->next;
    }
    return held;
}

/* Those of the VM (of every VM: NULL) that are, or are not, wanted. */
static void drop(const char *vm_id, bool wanted)
{
    struct reservation **link = &all;

    while (*link != NULL) {
        struct reservation *held = *link;

        if ((vm_id == NULL || strcmp(held->vm_id, vm_id) == 0) && held->wanted == wanted) {
            *link = held->next;
            (void)close(held->fd);
            free(held);
        } else {
            link = &held->next;
        }
    }
}

/* What is held by the VM stays unwanted until a set asks for it. */
static void settle(const char *vm_id)
{
    for (struct reservation *held = all; held != NULL; held = held->next) {
        if (strcmp(held->vm_id, vm_id) == 0) {
            held->wanted = false;
        }
    }
}

/* 0 or an errno. */
static int take(const char *vm_id, const char *vm_name, const struct forward *forward)
{
    int fd = forward_bind(forward);

    if (fd < 0) {
        return errno;
    }
    struct reservation *held = calloc(1, sizeof(*held));
    if (held == NULL) {
        (void)close(fd);
        return ENOMEM;
    }
    (void)strncpy(held->vm_id, vm_id, sizeof(held->vm_id) - 1);
    (void)strncpy(held->vm_name, vm_name, sizeof(held->vm_name) - 1);
    held->forward = *forward;
    held->fd = fd;
    held->wanted = true;
    held->next = all;
    all = held;
    return 0;
}

/* The first that cannot be had, with its errno in `reason`; NULL: all are held. New ones are marked as
 * wanted at once, so that a failure can drop just these. */
static const struct forward *take_new(const char *vm_id, const char *vm_name,
                                      const struct forward_list *list, int *reason)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct forward *forward = &list->items[i];

        if (find(vm_id, forward) == NULL && (*reason = take(vm_id, vm_name, forward)) != 0) {
            return forward;
        }
    }
    return NULL;
}

int reserve_set(const struct banger_host *host, struct banger_call *call, const char *vm_id,
                const struct forward_list *list)
{
    int reason = 0;

    (void)pthread_mutex_lock(&lock);
    const struct forward *missing =
        take_new(vm_id, host->get_string(call, "vm.name", ""), list, &reason);
    if (missing != NULL) {
        drop(vm_id, true);
    } else {
        for (size_t i = 0; i < list->count; i++) {
            find(vm_id, &list->items[i])->wanted = true;
        }
        drop(vm_id, false);
    }
    settle(vm_id);
    (void)pthread_mutex_unlock(&lock);
    return missing != NULL ? forward_refuse(host, call, missing, reason) : 0;
}

void reserve_drop(const char *vm_id)
{
    (void)pthread_mutex_lock(&lock);
    drop(vm_id, false);
    (void)pthread_mutex_unlock(&lock);
}

int reserve_check(const struct banger_host *host, struct banger_call *call, const char *vm_id,
                  const struct forward_list *list)
{
    int result = 0;

    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < list->count && result == 0; i++) {
        const struct forward *forward = &list->items[i];
        const struct reservation *other = find_clash(vm_id, forward);

        if (other != NULL) {
            result = host->fail(call, BANGER_EBUSY, "cannot publish port %u: the VM '%s' has it",
                                forward->host_port, other->vm_name);
        } else if (find(vm_id, forward) == NULL) {
            result = forward_check_free(host, call, forward);
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

void reserve_drop_all(void)
{
    (void)pthread_mutex_lock(&lock);
    drop(NULL, false);
    (void)pthread_mutex_unlock(&lock);
}
