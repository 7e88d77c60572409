/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "expand.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "capability/carried.h"
#include "capability/order.h"
#include "capability/policy.h"

#include <string.h>

/* Nobody knows what it carries: one that is broken stands for it, or VMs would start without what their site
 * wants of them. */
static json_t *unknown_of(const struct carrier *carrier, const banger_error *failure)
{
    AUTO_FREE char *name = str_format("%.20s-unknown", carrier->capability->plugin->name);
    return json_pack("[{s:s, s:{s:s, s:s}}]", "name", name, "error", "message", failure->message,
                     "hint", failure->hint);
}

bool carrier_is_due(const struct carrier *carrier)
{
    return deadline_left_ms(carrier->rests_until) == 0;
}

static void rest(struct carrier *carrier)
{
    int64_t pause_ms = carrier->pause_ms > 0 ? carrier->pause_ms : CARRIER_PAUSE_FIRST_MS;
    carrier->rests_until = deadline_in(pause_ms);
    carrier->pause_ms = pause_ms < CARRIER_PAUSE_MAX_MS / 2 ? pause_ms * 2 : CARRIER_PAUSE_MAX_MS;
}

bool carrier_answer(struct carrier *carrier, json_t *said, const banger_error *failure)
{
    if (said == NULL) {
        rest(carrier);
        if (strcmp(carrier->failure.message, failure->message) != 0) {
            log_warn("%s; what it carried before stays", failure->message);
        }
        carrier->failure = *failure;
        if (carrier->answered) {
            return false;
        }
        said = unknown_of(carrier, failure);
    } else {
        carrier->failure = BANGER_ERROR_INIT;
        carrier->pause_ms = 0;
        carrier->rests_until = 0;
        carrier->answered = true;
    }
    bool is_new = !json_equal(said, carrier->said);
    json_decref(carrier->said);
    carrier->said = said;
    return is_new;
}

/* -- Building a line-up -------------------------------------------------------------------------- */

struct builder {
    const struct expansion *expansion;
    const struct lineup *earlier;
    struct capability **items; /* a reference to each */
    size_t count;
};

static struct capability *find(const struct builder *builder, const char *name)
{
    for (size_t i = 0; i < builder->count; i++) {
        if (strcmp(builder->items[i]->plugin->name, name) == 0) {
            return builder->items[i];
        }
    }
    return NULL;
}

static void break_with(struct capability *capability, const banger_error *why)
{
    capability_break(capability, capability->plugin->name, why);
}

static void apply_policy(const struct builder *builder, struct capability *capability,
                         const json_t *policy)
{
    int64_t timeout_ms = builder->expansion->timeout_ms;
    banger_error err = BANGER_ERROR_INIT;
    if (capability->broken == NULL && policy_apply(capability, policy, timeout_ms, &err) < 0) {
        break_with(capability, &err);
    }
    if (capability->broken != NULL &&
        policy_apply_broken(capability, policy, timeout_ms, &err) < 0) {
        break_with(capability, &err);
    }
}

static void refuse_duplicate(struct capability *capability, const struct capability *other)
{
    banger_error err = BANGER_ERROR_INIT;
    (void)error_set(&err, BANGER_EEXISTS, "a capability of that name is there already, from %s",
                    other->origin);
    (void)error_hint(&err, "give the one of %s another name", capability->origin);
    break_with(capability, &err);
}

static void add_carried(struct builder *builder, struct capability *carrier, json_t *said)
{
    const char *name = json_string_value(json_object_get(said, "name"));
    const json_t *policy = json_object_get(builder->expansion->policies, name);
    if (policy_disables(policy)) {
        return;
    }
    struct capability *capability = carried_new(carrier, said);
    const struct capability *other = find(builder, name);
    const struct capability *before =
        builder->earlier != NULL ? lineup_find(builder->earlier, name) : NULL;
    if (other != NULL) {
        refuse_duplicate(capability, other);
    } else if (before != NULL) {
        capability_succeed(capability, before);
    }
    apply_policy(builder, capability, policy);
    builder->items[builder->count++] = capability;
}

static size_t room_needed(const struct expansion *expansion)
{
    size_t room = expansion->plugin_count;
    for (size_t i = 0; i < expansion->carrier_count; i++) {
        room += json_array_size(expansion->carriers[i].said);
    }
    return room;
}

static void gather(struct builder *builder)
{
    const struct expansion *expansion = builder->expansion;
    for (size_t i = 0; i < expansion->plugin_count; i++) {
        builder->items[builder->count++] = capability_ref(expansion->plugins[i]);
    }
    for (size_t i = 0; i < expansion->carrier_count; i++) {
        size_t j = 0;
        json_t *said = NULL;
        json_array_foreach (expansion->carriers[i].said, j, said) {
            add_carried(builder, expansion->carriers[i].capability, said);
        }
    }
}

struct lineup *expansion_build(const struct expansion *expansion, const struct lineup *earlier)
{
    size_t room = room_needed(expansion);
    AUTO_FREE struct capability **items = xcalloc(room > 0 ? room : 1, sizeof(struct capability *));
    struct builder builder = {.expansion = expansion, .earlier = earlier, .items = items};
    gather(&builder);
    banger_error err = BANGER_ERROR_INIT;
    if (order_resolve(items, builder.count, ORDER_BLAMES_CARRIED, &err) <
        0) { /* the plugins alone have an order */
        log_error("%s", err.message);
    }
    struct lineup *lineup = lineup_new(items, builder.count);
    for (size_t i = 0; i < builder.count; i++) {
        capability_unref(items[i]);
    }
    return lineup;
}
