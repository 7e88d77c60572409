/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/health.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/live.h"
#include "lifecycle/request.h"
#include "lifecycle/stage.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define ASK_TIMEOUT_MS 1000 /* what is asked of is in the kernel's memory */

struct health {
    struct engine *engine;
    struct loop_timer *timer; /* NULL: a round is under way, or there are none */
    atomic_bool stopped;
};

/* -- One VM ----------------------------------------------------------------------------------------- */

/* What hooks keep for the run, what this one just added included. */
static void keep_runtime(struct operation *op)
{
    AUTO_JSON json_t *stored = scope_runtime(op->scope);
    banger_error err = BANGER_ERROR_INIT;
    AUTO_JSON json_t *before = json_deep_copy(op->vm.runtime);
    (void)json_object_update(op->vm.runtime, stored);
    if (!json_equal(before, op->vm.runtime) && operation_save(op, &err) < 0) {
        log_warn("%s: %s", op->vm.name, err.message);
    }
}

static bool is_no_answer(const banger_error *failure)
{
    return failure->code == BANGER_ETIMEDOUT || failure->code == BANGER_EBUSY;
}

/* <0: the provider says that the VM cannot go on. */
static int ask(struct operation *op, banger_error *err)
{
    banger_error failure = BANGER_ERROR_INIT;
    if (op->rootfs == NULL || op->rootfs->plugin->rootfs->health == NULL ||
        !live_is_running(op->engine, op->vm.id)) {
        return 0;
    }
    int result = dispatch_provider(op->scope, op->rootfs, "health",
                                   op->rootfs->plugin->rootfs->health, ASK_TIMEOUT_MS, &failure);
    keep_runtime(op);
    if (result == 0 || is_no_answer(&failure)) {
        return 0;
    }
    error_join(err, &failure);
    return -1;
}

/* Asked again, now as an operation: its log and its event tell why the VM was ended. */
static int body_unwell(struct operation *op, banger_error *err)
{
    banger_error why = BANGER_ERROR_INIT;
    if (ask(op, &why) == 0) {
        return 0;
    }
    op->uncancellable = true;
    op->end_reason =
        why.hint[0] != '\0' ? str_format("%s; %s", why.message, why.hint) : xstrdup(why.message);
    if (stages_run(op, &kill_stages, err) < 0) {
        stages_fail_end(op, err);
        return -1;
    }
    error_join(err, &why);
    return -1;
}

static bool is_well(struct engine *engine, struct vm_record *vm)
{
    struct operation op = {.engine = engine,
                           .caller = &caller_nobody,
                           .kind = "vm.health",
                           .vm = *vm,
                           .is_routine = true};
    if (operation_open(&op, NULL) < 0) {
        return true; /* the store cannot be read: nothing is known */
    }
    bool well = ask(&op, NULL) == 0;
    operation_free(&op);
    return well;
}

static void ask_vm(struct engine *engine, const char *id)
{
    if (key_lock_users(engine->locks, "vm", id) > 0) {
        return;
    }
    if (!live_is_running(engine, id)) {
        lifecycle_vm_ended(engine, id); /* again: the first attempt was in vain */
        return;
    }
    AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(engine->locks, "vm", id);
    struct vm_record vm = {0};
    if (vm_find(engine->store, id, &vm, NULL) < 0) {
        return;
    }
    AUTO_FREE char *name = xstrdup(vm.name);
    if (is_well(engine, &vm)) { /* `vm` moves in */
        return;
    }
    struct request request = {
        .kind = "vm.health", .vm = id, .signal_number = SIGKILL, .body = body_unwell};
    banger_error err = BANGER_ERROR_INIT;
    if (request_run_held(engine, &caller_nobody, &request, &err) < 0) {
        log_error("%s was ended: %s", name, err.message);
    }
}

/* -- Rounds ----------------------------------------------------------------------------------------- */

static void ask_each(struct engine *engine, const atomic_bool *stopped)
{
    AUTO_JSON json_t *ids = live_ids(engine);
    size_t i = 0;
    json_t *id = NULL;
    json_array_foreach (ids, i, id) {
        if (stopped != NULL && atomic_load(stopped)) {
            return;
        }
        ask_vm(engine, json_string_value(id));
    }
}

void health_ask_all(struct engine *engine)
{
    ask_each(engine, NULL);
}

static void set_timer(void *context);

static void run_round(void *argument)
{
    struct health *health = argument;
    ask_each(health->engine, &health->stopped);
    loop_post(health->engine->loop, set_timer, health);
}

static void on_timer(void *context)
{
    struct health *health = context;
    health->timer = NULL;
    health->engine->defer(health->engine->context, run_round, health);
}

static void set_timer(void *context)
{
    struct health *health = context;
    int64_t interval = json_get_int(health->engine->config, "health_interval", 0);
    if (!atomic_load(&health->stopped)) {
        health->timer =
            loop_timer_add(health->engine->loop, deadline_in(interval), on_timer, health);
    }
}

static bool can_ask(const struct engine *engine)
{
    bool any = false;
    for (size_t i = 0; i < registry_count(engine->registry); i++) {
        const struct banger_plugin *plugin = registry_at(engine->registry, i)->plugin;
        any = any || (plugin->rootfs != NULL && plugin->rootfs->health != NULL);
    }
    return any && json_get_int(engine->config, "health_interval", 0) > 0;
}

struct health *health_start(struct engine *engine)
{
    struct health *health = xcalloc(1, sizeof(*health));
    health->engine = engine;
    if (can_ask(engine)) {
        set_timer(health);
    }
    return health;
}

void health_stop(struct health *health)
{
    atomic_store(&health->stopped, true);
    if (health->timer != NULL) {
        loop_timer_cancel(STEAL(health->timer));
    }
}

void health_free(struct health *health)
{
    free(health);
}
