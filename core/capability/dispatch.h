/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dispatch: running hooks for one operation on one VM.
 *
 * 1. All hooks of one dispatch run in order on a helper thread, while the operation's thread waits
 *    with the running capability's deadline. One handover a dispatch, not one a hook: that is what
 *    keeps a hook at a microsecond.
 * 2. When a deadline passes, the helper thread is abandoned: its call is marked over (every host
 *    function then fails), the capability is marked stuck (nothing is dispatched to it until it
 *    returns), and the operation goes on with the failure. A plugin in our process cannot be
 * stopped; it can be left behind. (One in processes of its own has its process ended, just before.)
 * 3. What hooks see and change (the scope) is reference-counted and locked for that reason.
 * 4. A capability may change nothing in `check` and `contributeMachineConfig` (a provider: `check`
 *    and `contribute`): host functions with effects fail there.
 * 5. A broken capability has one hook, `check`, which fails with the reason.
 * 6. Never dispatch inside a store transaction: hooks use the journal from the helper thread, which
 *    would wait for the transaction's end.
 */
#ifndef CAPABILITY_DISPATCH_H
#define CAPABILITY_DISPATCH_H

#include "capability/machine.h"
#include "capability/registry.h"
#include "host/host.h"
#include "store/store.h"

/* What the lifecycle does for a hook. Every function may be called from the helper thread; none is
 * called after dispatch_* has returned. NULL: not offered in this scope (the host function fails).
 */
struct scope_services {
    void (*progress)(void *context, const char *capability, const char *text);
    void (*warn)(void *context, const char *text); /* a failure that on_error = "warn" let pass */
    bool (*cancelled)(void *context);
    int (*spawn)(void *context, const char *capability, const json_t *argv, const json_t *options,
                 banger_error *err);
    int (*guest_exec)(void *context, const json_t *request, int64_t timeout_ms, json_t **result,
                      banger_error *err);
    void (*emit)(void *context, const char *type, const json_t *data);
    int (*guest_copy)(void *context, const json_t *request, int64_t timeout_ms, banger_error *err);
    void (*record)(void *context, const json_t *entry); /* record.h */
};

struct scope;

struct scope_init {
    struct registry *registry; /* whose line-up of this moment the scope keeps */
    struct store *store;       /* for the journal and leases; NULL: none in this scope */
    struct host *host;         /* for host operations; NULL: none in this scope */
    const char *vm_id;         /* NULL: about the host (doctor) */
    json_t *input;   /* copied in: {"vm":{},"image":{},"kernel":{},"change":{}}: what getters see */
    json_t *runtime; /* copied in: {"NAME":{}} */
    const struct scope_services *services; /* copied in; NULL: none */
    void *context;
    bool records; /* what hooks ask and are told goes to the service `record` */
};

struct scope *scope_new(const struct scope_init *init);
void scope_unref(struct scope *scope); /* the helper thread may still hold it */
const struct lineup *scope_lineup(const struct scope *scope); /* the scope's */

void scope_set_input(struct scope *scope, const char *dotted, json_t *value); /* steals value */
/* A machine for contributions; from then on getters see machine.*. Owned by the scope. */
struct machine *scope_compose(struct scope *scope);
struct machine *scope_machine(struct scope *scope); /* NULL before scope_compose */
json_t *scope_runtime(struct scope *scope); /* a copy of what set_json stored; new reference */
void scope_clear_runtime(struct scope *scope);
json_t *
scope_take_provided(struct scope *scope); /* what `expand` has named: an array, the caller's */

/* Runs one hook of every capability that has it: in order, cleanup and deleted in reverse.
 * The first failure of an `abort` capability ends it, except that cleanup and deleted always run
 * all and join their errors. */
int dispatch_hook(struct scope *scope, enum hook hook, banger_error *err);
/* The same of one capability (doctor asks each). */
int dispatch_hook_of(struct scope *scope, struct capability *capability, enum hook hook,
                     banger_error *err);
/* Runs a provider's function, with `name` for logs and errors ("launch"; a literal: a hook that is
 * left behind goes on using it). NULL function: success.
 * `timeout_ms` 0: the capability's own. Policy is always abort. */
int dispatch_provider(struct scope *scope, struct capability *capability, const char *name,
                      banger_hook function, int64_t timeout_ms, banger_error *err);

#endif
