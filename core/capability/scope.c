/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scope.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdio.h>

/* The scope's own copy: an abandoned hook may still be reading when the caller changes its own. */
static json_t *copy_object(const json_t *json)
{
    return json_is_object(json) ? json_deep_copy(json) : json_object();
}

struct scope *scope_new(const struct scope_init *init)
{
    struct scope *scope = xcalloc(1, sizeof(*scope));
    atomic_init(&scope->references, 1);
    (void)pthread_mutex_init(&scope->lock, NULL);
    scope->lineup = registry_lineup(init->registry);
    scope->provided = json_array();
    scope->store = init->store;
    scope->host = init->host;
    (void)snprintf(scope->vm_id, sizeof(scope->vm_id), "%s", str_or(init->vm_id, ""));
    if (init->services != NULL) {
        scope->services = *init->services;
    }
    scope->context = init->context;
    scope->records = init->records && scope->services.record != NULL;
    scope->input = copy_object(init->input);
    scope->runtime = copy_object(init->runtime);
    return scope;
}

void scope_ref(struct scope *scope)
{
    (void)atomic_fetch_add(&scope->references, 1);
}

void scope_unref(struct scope *scope)
{
    if (scope == NULL || atomic_fetch_sub(&scope->references, 1) != 1) {
        return;
    }
    json_decref(scope->input);
    json_decref(scope->runtime);
    json_decref(scope->provided);
    machine_free(scope->machine);
    lineup_unref(scope->lineup);
    (void)pthread_mutex_destroy(&scope->lock);
    free(scope);
}

const struct lineup *scope_lineup(const struct scope *scope)
{
    return scope->lineup;
}

void scope_set_input(struct scope *scope, const char *dotted, json_t *value)
{
    (void)pthread_mutex_lock(&scope->lock);
    json_put(scope->input, dotted, value);
    (void)pthread_mutex_unlock(&scope->lock);
}

struct machine *scope_compose(struct scope *scope)
{
    struct machine *machine = machine_new();
    (void)pthread_mutex_lock(&scope->lock);
    machine_free(scope->machine);
    scope->machine = machine;
    (void)pthread_mutex_unlock(&scope->lock);
    return machine;
}

struct machine *scope_machine(struct scope *scope)
{
    (void)pthread_mutex_lock(&scope->lock);
    struct machine *machine = scope->machine;
    (void)pthread_mutex_unlock(&scope->lock);
    return machine;
}

json_t *scope_runtime(struct scope *scope)
{
    (void)pthread_mutex_lock(&scope->lock);
    json_t *copy = json_deep_copy(scope->runtime);
    (void)pthread_mutex_unlock(&scope->lock);
    return copy;
}

void scope_clear_runtime(struct scope *scope)
{
    (void)pthread_mutex_lock(&scope->lock);
    (void)json_object_clear(scope->runtime);
    (void)pthread_mutex_unlock(&scope->lock);
}

/* Moved, not shared: jansson looks at a reference count before it counts down, and the helper may let go of
 * the scope at that moment. */
json_t *scope_take_provided(struct scope *scope)
{
    (void)pthread_mutex_lock(&scope->lock);
    json_t *provided = STEAL(scope->provided);
    (void)pthread_mutex_unlock(&scope->lock);
    return provided;
}
