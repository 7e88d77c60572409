/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who listens to events live: requests of events.subscribe with follow. */
#ifndef DAEMON_LISTENERS_H
#define DAEMON_LISTENERS_H

#include "rpc/server.h"

#include <pthread.h>

struct listener {
    struct listener *next;
    struct rpc_request *request;
    int64_t after; /* the last event's id that it got */
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
/* Sends an event row (borrowed) to everyone that has not got it. */
void listeners_publish(struct listeners *listeners, const json_t *event);
/* The same to one, e.g. rows of the past. */
void listeners_send(struct listeners *listeners, struct listener *listener, const json_t *event);

#endif
