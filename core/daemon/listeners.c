/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/listeners.h"

void listeners_init(struct listeners *listeners)
{
    (void)pthread_mutex_init(&listeners->mutex, NULL);
    listeners->first = NULL;
}

void listeners_destroy(struct listeners *listeners)
{
    (void)pthread_mutex_destroy(&listeners->mutex);
}

void listeners_add(struct listeners *listeners, struct listener *listener)
{
    (void)pthread_mutex_lock(&listeners->mutex);
    listener->next = listeners->first;
    listeners->first = listener;
    (void)pthread_mutex_unlock(&listeners->mutex);
}

void listeners_remove(struct listeners *listeners, struct listener *listener)
{
    (void)pthread_mutex_lock(&listeners->mutex);
    struct listener **link = &listeners->first;
    while (*link != listener) {
        link = &(*link)->next;
    }
    *link = listener->next;
    (void)pthread_mutex_unlock(&listeners->mutex);
}

void listeners_wake(struct listeners *listeners)
{
    (void)pthread_mutex_lock(&listeners->mutex);
    for (struct listener *at = listeners->first; at != NULL; at = at->next) {
        rpc_request_wake(at->request);
    }
    (void)pthread_mutex_unlock(&listeners->mutex);
}
