/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "capability/descriptor.h"
#include "capability/expand.h"
#include "capability/helper.h"
#include "capability/order.h"
#include "capability/policy.h"
#include "capability/scope.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_DEFAULT_MS 10000

struct registry {
    /* Of the daemon's start; fixed afterwards. */
    struct capability **items; /* a reference to each */
    size_t count;
    int64_t timeout_ms;
    bool strangers; /* what is added now */
    json_t *policies;
    json_t *input;

    pthread_mutex_t lock;
    /* Guarded by it. */
    struct lineup *lineup;    /* NULL: to be made of the plugins */
    uint64_t done;            /* refreshes: the last ticket that has been served to its end */
    uint64_t awaited;         /* the last ticket of who waits for the thread apart */
    bool is_apart;            /* there is that thread */
    pthread_cond_t refreshed; /* one of these three has changed */

    _Atomic uint64_t asked; /* refreshes that somebody wanted: tickets */
    _Atomic bool asks_all;  /* the next one leaves out no carrier */
    pthread_mutex_t refresh_lock;
    /* Below: guarded by it. */
    uint64_t served; /* of those: how many had been wanted when the last one began */
    struct carrier *carriers;
    size_t carrier_count;
};

struct registry *registry_new(void)
{
    struct registry *registry = xcalloc(1, sizeof(*registry));
    registry->timeout_ms = TIMEOUT_DEFAULT_MS;
    (void)pthread_mutex_init(&registry->lock, NULL);
    (void)pthread_mutex_init(&registry->refresh_lock, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&registry->refreshed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return registry;
}

void registry_set_timeout(struct registry *registry, int64_t timeout_ms)
{
    registry->timeout_ms = timeout_ms;
}

void registry_set_strangers(struct registry *registry, bool strangers)
{
    registry->strangers = strangers;
}

void registry_set_world(struct registry *registry, const json_t *input, const json_t *policies)
{
    json_decref(registry->input);
    json_decref(registry->policies);
    registry->input = json_deep_copy(input);
    registry->policies = json_deep_copy(policies);
}

/* -- Adding and ending --------------------------------------------------------------------------- */

/* `start` and `stop` are about the plugin, not about a VM: no input, no services, no journal. */
static int call_once(struct registry *registry, struct capability *capability, const char *name,
                     banger_hook function, banger_error *err)
{
    const struct scope_init init = {.registry = registry};
    struct scope *scope = scope_new(&init);
    int result = dispatch_provider(scope, capability, name, function, 0, err);
    scope_unref(scope);
    return result;
}

static void stop_all(struct registry *registry)
{
    for (size_t i = registry->count; i-- > 0;) {
        struct capability *capability = registry->items[i];
        banger_error err = BANGER_ERROR_INIT;
        if (call_once(registry, capability, "stop", capability->plugin->stop, &err) < 0) {
            log_warn("%s", err.message);
        }
    }
}

/* Its time limit ends it. */
static void wait_for_apart(struct registry *registry)
{
    (void)pthread_mutex_lock(&registry->lock);
    while (registry->is_apart) {
        (void)pthread_cond_wait(&registry->refreshed, &registry->lock);
    }
    (void)pthread_mutex_unlock(&registry->lock);
}

void registry_free(struct registry *registry)
{
    if (registry == NULL) {
        return;
    }
    wait_for_apart(registry);
    stop_all(registry);
    helper_drain();
    lineup_unref(registry->lineup);
    for (size_t i = 0; i < registry->carrier_count; i++) {
        json_decref(registry->carriers[i].said);
    }
    for (size_t i = 0; i < registry->count; i++) {
        capability_unref(registry->items[i]);
    }
    free(registry->carriers);
    free(registry->items);
    json_decref(registry->policies);
    json_decref(registry->input);
    (void)pthread_cond_destroy(&registry->refreshed);
    (void)pthread_mutex_destroy(&registry->lock);
    (void)pthread_mutex_destroy(&registry->refresh_lock);
    free(registry);
}

static int check_duplicate(const struct registry *registry, const char *name, banger_error *err)
{
    const struct capability *other = registry_find(registry, name);
    if (other == NULL) {
        return 0;
    }
    return error_set(err, BANGER_EEXISTS, "a capability named '%s' is loaded already, from %s",
                     name, other->origin);
}

static void append_carrier(struct registry *registry, struct capability *capability)
{
    size_t size = (registry->carrier_count + 1) * sizeof(*registry->carriers);
    registry->carriers = xrealloc(registry->carriers, size);
    registry->carriers[registry->carrier_count++] = (struct carrier){.capability = capability};
}

/* Takes the reference. */
static void append(struct registry *registry, struct capability *capability)
{
    capability->stranger = registry->strangers;
    registry->items = xrealloc(registry->items, (registry->count + 1) * sizeof(*registry->items));
    registry->items[registry->count++] = capability;
    if (capability->plugin->expand != NULL) {
        append_carrier(registry, capability);
    }
    lineup_unref(STEAL(registry->lineup)); /* another is made when it is asked for */
}

/* Steals `isolate`; NULL: the plugin is in our process. */
static int add(struct registry *registry, const struct banger_plugin *plugin,
               struct isolate *isolate, const char *origin, const json_t *policy, banger_error *err)
{
    struct capability *capability = capability_new(origin);
    capability->isolate = isolate;
    if (capability_adopt(capability, plugin, err) < 0 ||
        check_duplicate(registry, capability->plugin->name, err) < 0 ||
        policy_apply(capability, policy, registry->timeout_ms, err) < 0 ||
        call_once(registry, capability, "start", capability->plugin->start, err) < 0) {
        capability_unref(capability);
        return -1;
    }
    append(registry, capability);
    return 0;
}

int registry_add(struct registry *registry, const struct banger_plugin *plugin, const char *origin,
                 const json_t *policy, banger_error *err)
{
    return policy_disables(policy) ? 0 : add(registry, plugin, NULL, origin, policy, err);
}

int registry_add_isolated(struct registry *registry, struct isolate *isolate, const char *origin,
                          const json_t *policy, banger_error *err)
{
    if (policy_disables(policy)) {
        isolate_close(isolate);
        return 0;
    }
    return add(registry, isolate_plugin(isolate), isolate, origin, policy, err);
}

int registry_add_broken(struct registry *registry, const char *name, const char *origin,
                        const json_t *policy, const banger_error *why, banger_error *err)
{
    if (policy_disables(policy)) {
        return 0;
    }
    if (descriptor_check_name(name, err) < 0 || check_duplicate(registry, name, err) < 0) {
        return -1;
    }
    struct capability *capability = capability_new(origin);
    capability_break(capability, name, why);
    if (policy_apply_broken(capability, policy, registry->timeout_ms, err) < 0) {
        capability_unref(capability);
        return -1;
    }
    append(registry, capability);
    return 0;
}

int registry_resolve(struct registry *registry, banger_error *err)
{
    int result = order_resolve(registry->items, registry->count, ORDER_BLAMES_STRANGERS, err);
    (void)pthread_mutex_lock(&registry->lock);
    lineup_unref(STEAL(registry->lineup));
    (void)pthread_mutex_unlock(&registry->lock);
    return result;
}

/* -- Line-ups ------------------------------------------------------------------------------------ */

struct lineup *registry_lineup(struct registry *registry)
{
    (void)pthread_mutex_lock(&registry->lock);
    if (registry->lineup == NULL) {
        registry->lineup = lineup_new(registry->items, registry->count);
    }
    struct lineup *lineup = lineup_ref(registry->lineup);
    (void)pthread_mutex_unlock(&registry->lock);
    return lineup;
}

/* Operations that hold the earlier one go on with it. */
static void put_lineup(struct registry *registry, struct lineup *lineup)
{
    (void)pthread_mutex_lock(&registry->lock);
    struct lineup *earlier = registry->lineup;
    registry->lineup = lineup;
    (void)pthread_mutex_unlock(&registry->lock);
    lineup_unref(earlier);
}

/* -- Refreshes ----------------------------------------------------------------------------------- */

/* True: it carries something else than before. */
static bool ask_carrier(struct registry *registry, struct carrier *carrier)
{
    const struct scope_init init = {.registry = registry, .input = registry->input};
    struct scope *scope = scope_new(&init);
    struct capability *capability = carrier->capability;
    banger_error failure = BANGER_ERROR_INIT;
    int result =
        dispatch_provider(scope, capability, "expand", capability->plugin->expand, 0, &failure);
    bool is_new =
        carrier_answer(carrier, result == 0 ? scope_take_provided(scope) : NULL, &failure);
    scope_unref(scope);
    return is_new;
}

/* True: any carries something else than before. */
static bool ask_carriers(struct registry *registry, bool all)
{
    bool is_new = false;
    for (size_t i = 0; i < registry->carrier_count; i++) {
        struct carrier *carrier = &registry->carriers[i];
        if (all || carrier_is_due(carrier)) {
            is_new = ask_carrier(registry, carrier) || is_new;
        }
    }
    return is_new;
}

static void refresh(struct registry *registry, bool all)
{
    if (!ask_carriers(registry, all)) {
        return;
    }
    const struct expansion expansion = {
        .plugins = registry->items,
        .plugin_count = registry->count,
        .carriers = registry->carriers,
        .carrier_count = registry->carrier_count,
        .policies = registry->policies,
        .timeout_ms = registry->timeout_ms,
    };
    AUTO_LINEUP struct lineup *earlier = registry_lineup(registry);
    put_lineup(registry, expansion_build(&expansion, earlier));
}

static uint64_t draw_ticket(struct registry *registry)
{
    return atomic_fetch_add(&registry->asked, 1) + 1;
}

/* Has a refresh made that began after the ticket was drawn. */
static void serve(struct registry *registry, uint64_t ticket)
{
    (void)pthread_mutex_lock(&registry->refresh_lock);
    if (registry->served < ticket) {
        registry->served = atomic_load(&registry->asked);
        refresh(registry, atomic_exchange(&registry->asks_all, false));
        (void)pthread_mutex_lock(&registry->lock);
        registry->done = registry->served;
        (void)pthread_cond_broadcast(&registry->refreshed);
        (void)pthread_mutex_unlock(&registry->lock);
    }
    (void)pthread_mutex_unlock(&registry->refresh_lock);
}

void registry_refresh(struct registry *registry)
{
    if (registry->carrier_count > 0) {
        atomic_store(&registry->asks_all,
                     true); /* before the ticket: whoever serves it sees this */
        serve(registry, draw_ticket(registry));
    }
}

/* -- Refreshes that nobody waits for long ----------------------------------------------------------- */

/* Serves those who wait, on a thread of its own, until there are none. */
static void refresh_apart(void *context)
{
    struct registry *registry = context;
    (void)pthread_mutex_lock(&registry->lock);
    while (registry->done < registry->awaited) {
        uint64_t ticket = registry->awaited;
        (void)pthread_mutex_unlock(&registry->lock);
        serve(registry, ticket);
        (void)pthread_mutex_lock(&registry->lock);
    }
    registry->is_apart = false;
    (void)pthread_cond_broadcast(&registry->refreshed);
    (void)pthread_mutex_unlock(&registry->lock);
}

/* With the lock held. False: there is no thread for it. */
static bool send_apart(struct registry *registry)
{
    banger_error err = BANGER_ERROR_INIT;
    if (!registry->is_apart && helper_run(refresh_apart, registry, &err) < 0) {
        log_warn("what is carried is not asked: %s", err.message);
        return false;
    }
    registry->is_apart = true;
    return true;
}

void registry_refresh_briefly(struct registry *registry, int64_t most_ms)
{
    if (registry->carrier_count == 0) {
        return;
    }
    const int64_t until_ns = clock_mono_ns() + most_ms * 1000000;
    const struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
    int waited = 0;
    (void)pthread_mutex_lock(&registry->lock);
    uint64_t ticket = draw_ticket(registry); /* under the lock: `awaited` only grows */
    registry->awaited = ticket;
    if (send_apart(registry)) {
        while (registry->done < ticket && waited != ETIMEDOUT) {
            waited = pthread_cond_timedwait(&registry->refreshed, &registry->lock, &until);
        }
    }
    (void)pthread_mutex_unlock(&registry->lock);
}

/* -- Carriers that failed --------------------------------------------------------------------------- */

static bool any_carrier_failed(struct registry *registry)
{
    bool any = false;
    (void)pthread_mutex_lock(&registry->refresh_lock);
    for (size_t i = 0; i < registry->carrier_count; i++) {
        any = any || registry->carriers[i].failure.code != 0;
    }
    (void)pthread_mutex_unlock(&registry->refresh_lock);
    return any;
}

bool registry_carrier_failure(struct registry *registry, const struct capability *plugin,
                              banger_error *failure)
{
    bool failed = false;
    (void)pthread_mutex_lock(&registry->refresh_lock);
    for (size_t i = 0; i < registry->carrier_count; i++) {
        const struct carrier *carrier = &registry->carriers[i];
        if (carrier->capability == plugin && carrier->failure.code != 0) {
            *failure = carrier->failure;
            failed = true;
        }
    }
    (void)pthread_mutex_unlock(&registry->refresh_lock);
    return failed;
}

/* -- Policies ------------------------------------------------------------------------------------ */

static json_t *strays_among(const struct lineup *lineup, const json_t *policies)
{
    json_t *strays = json_array();
    const char *name = NULL;
    json_t *policy = NULL;
    json_object_foreach ((json_t *)policies, name, policy) {
        if (lineup_find(lineup, name) == NULL && !policy_disables(policy)) {
            (void)json_array_append_new(strays, json_pack("{s:s, s:s?}", "name", name, "nearest",
                                                          lineup_nearest(lineup, name)));
        }
    }
    return strays;
}

json_t *registry_stray_policies(struct registry *registry)
{
    AUTO_LINEUP struct lineup *lineup = registry_lineup(registry);
    return strays_among(lineup, registry->policies);
}

static int unknown_policy(const char *name, const char *nearest, banger_error *err)
{
    (void)error_set(err, BANGER_EINVALID, "plugins.%s: no plugin of that name is loaded", name);
    return error_hint(err, "did you mean 'plugins.%s'?", nearest);
}

static void warn_of_stray(const char *name, const char *nearest)
{
    AUTO_FREE char *hint =
        nearest != NULL ? str_format("; did you mean 'plugins.%s'?", nearest) : xstrdup("");
    log_warn("plugins.%s: no plugin or script of that name is loaded%s", name, hint);
}

static bool has_broken(const struct lineup *lineup)
{
    bool any = false;
    for (size_t i = 0; i < lineup_count(lineup); i++) {
        any = any || lineup_at(lineup, i)->broken != NULL;
    }
    return any;
}

int registry_check_policies(struct registry *registry, const json_t *policies, banger_error *err)
{
    AUTO_LINEUP struct lineup *lineup = registry_lineup(registry);
    AUTO_JSON json_t *strays = strays_among(lineup, policies);
    bool forgives = any_carrier_failed(registry) || has_broken(lineup);
    size_t i = 0;
    json_t *stray = NULL;
    json_array_foreach (strays, i, stray) {
        const char *name = json_get_string(stray, "name", "");
        const char *nearest = json_get_string(stray, "nearest", NULL);
        if (!forgives && nearest != NULL && lineup_find(lineup, nearest)->carrier == NULL) {
            return unknown_policy(name, nearest, err);
        }
        warn_of_stray(name, nearest);
    }
    return 0;
}

/* -- The plugins --------------------------------------------------------------------------------- */

size_t registry_count(const struct registry *registry)
{
    return registry->count;
}

struct capability *registry_at(const struct registry *registry, size_t index)
{
    return index < registry->count ? registry->items[index] : NULL;
}

struct capability *registry_find(const struct registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->count; i++) {
        if (strcmp(registry->items[i]->plugin->name, name) == 0) {
            return registry->items[i];
        }
    }
    return NULL;
}
