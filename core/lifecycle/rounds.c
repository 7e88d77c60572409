/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/rounds.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "lifecycle/health.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/live.h"
#include "lifecycle/retry.h"
#include "store/vm_table.h"

#include <stdatomic.h>

struct rounds {
    struct engine *engine;
    struct loop_timer *timer; /* NULL: a round is under way, or there are none */
    atomic_bool stopped;
};

/* -- A round ---------------------------------------------------------------------------------------- */

static bool is_at_work(struct engine *engine, const char *vm_id)
{
    return key_lock_users(engine->locks, "vm", vm_id) > 0;
}

static void look_at_live_ones(struct engine *engine, const atomic_bool *stopped)
{
    AUTO_JSON json_t *ids = live_ids(engine);
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (ids, i, item) {
        const char *id = json_string_value(item);
        if (atomic_load(stopped)) {
            return;
        }
        if (is_at_work(engine, id)) {
            continue;
        }
        if (live_is_running(engine, id)) {
            health_ask(engine, id);
        } else {
            retry_ensure(engine, id, lifecycle_give_back);
        }
    }
}

static void take_up_lost_ones(struct engine *engine, const atomic_bool *stopped)
{
    banger_error err = BANGER_ERROR_INIT;
    AUTO_JSON json_t *ids = vm_running_ids(engine->store, &err);
    if (ids == NULL) {
        log_error("cannot look for VMs that nobody knows: %s", err.message);
    }
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (ids, i, item) {
        const char *id = json_string_value(item);
        if (!live_is_known(engine, id) && !is_at_work(engine, id) && !atomic_load(stopped)) {
            retry_ensure(engine, id, lifecycle_take_up);
        }
    }
}

static void make_one(struct engine *engine, const atomic_bool *stopped)
{
    look_at_live_ones(engine, stopped);
    take_up_lost_ones(engine, stopped);
    retry_round(engine);
}

void rounds_make_one(struct engine *engine)
{
    const atomic_bool never = false;
    make_one(engine, &never);
}

/* -- The timer -------------------------------------------------------------------------------------- */

static void set_timer(void *context);

static void run_round(void *argument)
{
    struct rounds *rounds = argument;
    make_one(rounds->engine, &rounds->stopped);
    rounds_begin(rounds);
}

static void on_timer(void *context)
{
    struct rounds *rounds = context;
    rounds->timer = NULL;
    rounds->engine->defer(rounds->engine->context, run_round, rounds);
}

static void set_timer(void *context)
{
    struct rounds *rounds = context;
    int64_t interval = json_get_int(rounds->engine->config, "health_interval", 0);
    if (interval > 0 && !atomic_load(&rounds->stopped)) {
        rounds->timer =
            loop_timer_add(rounds->engine->loop, deadline_in(interval), on_timer, rounds);
    }
}

void rounds_begin(struct rounds *rounds)
{
    loop_post(rounds->engine->loop, set_timer, rounds);
}

struct rounds *rounds_new(struct engine *engine)
{
    struct rounds *rounds = xcalloc(1, sizeof(*rounds));
    rounds->engine = engine;
    return rounds;
}

void rounds_stop(struct rounds *rounds)
{
    atomic_store(&rounds->stopped, true);
    retry_stop(rounds->engine);
    if (rounds->timer != NULL) {
        loop_timer_cancel(STEAL(rounds->timer));
    }
}

void rounds_free(struct rounds *rounds)
{
    free(rounds);
}
