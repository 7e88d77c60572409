/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who listens to events live: requests of events.subscribe with follow. They are only woken: each
 * reads the event log from where it stands, so that whatever is written at the same time, it gets
 * every event once and in order.
 */
#ifndef DAEMON_LISTENERS_H
#define DAEMON_LISTENERS_H

#include "rpc/server.h"

#include <pthread.h>

struct listener {
    struct listener *next;
    struct rpc_request *request;
};

struct listeners {
    pthread_mutex_t mutex;
    struct listener *first;
};

void listeners_init(struct listeners *listeners);
void listeners_destroy(struct listeners *listeners);
/* The listener lives on the caller's stack, between these two calls. */
void listeners_add(struct listeners *listeners, struct listener *listener);
void listeners_remove(struct listeners *listeners, struct listener *listener);
/* There is something new to read. Any thread. */
void listeners_wake(struct listeners *listeners);

#endif
