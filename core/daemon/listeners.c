/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/listeners.h"

#include "base/json.h"

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

/* Ids grow, so an event that comes both from the past and live is sent once. */
static void send_locked(struct listener *listener, const json_t *event)
{
    int64_t id = json_get_int(event, "id", 0);
    if (id > listener->after) {
        listener->after = id;
        rpc_request_notify(listener->request, "event",
                           json_pack("{s:O}", "event", (json_t *)event));
    }
}

void listeners_publish(struct listeners *listeners, const json_t *event)
{
    (void)pthread_mutex_lock(&listeners->mutex);
    for (struct listener *at = listeners->first; at != NULL; at = at->next) {
        send_locked(at, event);
    }
    (void)pthread_mutex_unlock(&listeners->mutex);
}

void listeners_send(struct listeners *listeners, struct listener *listener, const json_t *event)
{
    (void)pthread_mutex_lock(&listeners->mutex);
    send_locked(listener, event);
    (void)pthread_mutex_unlock(&listeners->mutex);
}
