/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/rounds.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "lifecycle/again.h"
#include "lifecycle/health.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/live.h"
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

static void look_at(struct engine *engine, const char *vm_id)
{
    if (is_at_work(engine, vm_id)) {
        return;
    }
    if (live_is_running(engine, vm_id)) {
        health_ask(engine, vm_id);
    } else {
        lifecycle_vm_ended(engine, vm_id); /* again: the first attempt was in vain */
    }
}

static bool is_stopped(const atomic_bool *stopped)
{
    return stopped != NULL && atomic_load(stopped);
}

static void look_at_live_ones(struct engine *engine, const atomic_bool *stopped)
{
    AUTO_JSON json_t *ids = live_ids(engine);
    size_t i = 0;
    json_t *id = NULL;
    json_array_foreach (ids, i, id) {
        if (is_stopped(stopped)) {
            return;
        }
        look_at(engine, json_string_value(id));
    }
}

static void take_up_lost_ones(struct engine *engine, const atomic_bool *stopped)
{
    struct vm_list running = {0};
    if (vm_list_running(engine->store, &running, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < running.count && !is_stopped(stopped); i++) {
        const char *id = running.items[i].id;
        if (!live_is_known(engine, id) && !is_at_work(engine, id)) {
            lifecycle_vm_lost(engine, id);
        }
    }
    vm_list_free(&running);
}

static void make_one(struct engine *engine, const atomic_bool *stopped)
{
    look_at_live_ones(engine, stopped);
    take_up_lost_ones(engine, stopped);
    if (!is_stopped(stopped)) {
        again_round(engine);
    }
}

void rounds_make_one(struct engine *engine)
{
    make_one(engine, NULL);
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
    if (rounds->timer != NULL) {
        loop_timer_cancel(STEAL(rounds->timer));
    }
}

void rounds_free(struct rounds *rounds)
{
    free(rounds);
}
