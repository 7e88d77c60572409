/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of a scope, for call_*.c and dispatch.c.
 *
 * One lock guards all of it, and with it the states of the calls made in it: so that a call which
 * is declared over while it sits in a host function cannot see half of anything. It is never held
 * while foreign code runs (a hook, a service, the store).
 */
#ifndef CAPABILITY_SCOPE_H
#define CAPABILITY_SCOPE_H

#include "base/name.h"
#include "capability/dispatch.h"

#include <pthread.h>

struct scope {
    _Atomic int references; /* the operation's, and one for each run */
    /* Fixed while the scope lives. */
    struct lineup *lineup;
    struct store *store;
    struct host *host;
    char vm_id[ID_LENGTH + 1];      /* "": about the host */
    struct scope_services services; /* a copy: an abandoned hook may look after the operation */
    void *context;
    bool records; /* record.h */

    pthread_mutex_t lock;
    /* Below: guarded by the lock. */
    json_t *input;
    json_t *runtime;
    struct machine *machine; /* NULL until scope_compose */
    json_t *provided;        /* an array; NULL: it was taken */
};

void scope_ref(struct scope *scope);

#endif
