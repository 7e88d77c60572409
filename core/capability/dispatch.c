/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A run is one handover: the steps (hooks) that a helper thread goes through while the operation's
 * thread watches. How the two agree, all of it under the scope's lock:
 *
 * 1. The helper begins a step by setting the call's deadline, and ends it by clearing that.
 * 2. The watcher stays awake for a moment, in which most runs end. Then it sleeps until the earliest
 *    moment a step could be late, then until the deadline it finds. The helper wakes it only for a
 *    deadline before that moment, and at the end.
 * 3. A watcher that finds the deadline passed (by a grace: what a hook waits for has, as a rule, the
 *    hook's own deadline, and then the hook returns a moment later) sets call.over: from then on the call and the run's
 *    memory are the helper's, the rest of the run the watcher's. It waits until no host function is
 *    at work for the call, and goes on with the remaining steps in a run of their own.
 * 4. The helper finds call.over when the hook has returned at last: it takes the capability out of
 *    its stuck state and drops its reference, nothing else.
 */
#include "dispatch.h"

#include "base/awake.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "capability/call.h"
#include "capability/helper.h"
#include "capability/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NEVER CALL_NO_DEADLINE
#define GRACE_MAX_NS (100 * NS_PER_MS)

struct step {
    struct capability *capability;
    banger_hook function;
};

struct run {
    struct banger_call call; /* of the step that runs */
    pthread_cond_t changed;  /* with the scope's lock */
    int references;          /* guarded by it: the watcher's and the helper's */
    atomic_bool done;        /* set with it held; read without it by a watcher that is awake */
    int64_t wake_ns;         /* guarded by it: when the watcher looks next */

    struct scope *scope;
    const char *what;
    enum hook hook;     /* for the statistics; HOOK_COUNT: a provider's function */
    int64_t timeout_ms; /* 0: each capability's own */
    bool undoes;        /* cleanup, deleted: last first */
    bool runs_all;      /* a failure does not end it: what undoes, and reconciled */
    bool obeys_policy;  /* on_error = "warn" counts: hooks, not providers */

    banger_error outcome; /* code 0: no failure up to now */
    size_t next;          /* the step to begin */
    size_t count;
    struct step steps[];
};

/* -- The run's memory ----------------------------------------------------------------------------
 */

static struct run *run_new(struct scope *scope, const char *what, enum hook hook, size_t room)
{
    struct run *run = xcalloc(1, sizeof(*run) + room * sizeof(run->steps[0]));
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&run->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    scope_ref(scope);
    run->references = 1;
    run->scope = scope;
    run->what = what;
    run->hook = hook;
    run->undoes = hook == HOOK_CLEANUP || hook == HOOK_DELETED;
    run->runs_all = run->undoes || hook == HOOK_RECONCILED;
    run->obeys_policy = hook != HOOK_COUNT;
    call_init(&run->call, scope, what, &run->changed);
    return run;
}

static void run_unref(struct run *run)
{
    struct scope *scope = run->scope;
    (void)pthread_mutex_lock(&scope->lock);
    bool last = --run->references == 0;
    (void)pthread_mutex_unlock(&scope->lock);
    if (last) {
        (void)pthread_cond_destroy(&run->changed);
        free(run);
        scope_unref(scope);
    }
}

static void run_add(struct run *run, struct capability *capability, banger_hook function)
{
    run->steps[run->count++] = (struct step){capability, function};
}

static int64_t timeout_of(const struct run *run, const struct capability *capability)
{
    return run->timeout_ms > 0 ? run->timeout_ms : capability->timeout_ms;
}

/* When the step with this deadline is left behind. */
static int64_t late_at(const struct run *run, const struct capability *capability,
                       int64_t deadline_ns)
{
    if (deadline_ns == NEVER) { /* no step runs, and there may be no capability */
        return NEVER;
    }
    int64_t quarter = timeout_of(run, capability) * NS_PER_MS / 4;
    return deadline_ns + (quarter < GRACE_MAX_NS ? quarter : GRACE_MAX_NS);
}

/* -- Results -------------------------------------------------------------------------------------
 */

static void count_call(struct capability *capability, enum hook hook, bool failed, int64_t took_ns)
{
    if (hook != HOOK_COUNT) {
        tally_count(capability->tally, hook, failed, took_ns);
    }
}

static void tell_disabled(const struct run *run, const struct capability *capability)
{
    const struct scope *scope = run->scope;
    const char *name = capability->plugin->name;
    AUTO_JSON json_t *data = json_pack("{s:s, s:s, s:i}", "capability", name, "hook", run->what,
                                       "failures", capability->disable_after);
    log_warn("capability '%s' is disabled: its %s has failed %d times in a row", name, run->what,
             capability->disable_after);
    if (scope->services.emit != NULL) {
        scope->services.emit(scope->context, "capability.disabled", data);
    }
}

/* Counts a hook that was called, or was to be. About the host (in doctor) a failure is an answer: it is
 * held against nobody. */
static void settle(const struct run *run, struct capability *capability, bool failed,
                   int64_t took_ns)
{
    count_call(capability, run->hook, failed, took_ns);
    if (run->hook != HOOK_COUNT && run->scope->vm_id[0] != '\0' &&
        standing_note(capability->standing, run->hook, failed, capability->disable_after)) {
        tell_disabled(run, capability);
    }
}

/* Applies the policy to a failure. True: the run goes on. */
static bool run_judge(struct run *run, const struct capability *capability,
                      const banger_error *problem)
{
    const struct scope_services *services = &run->scope->services;
    if (run->obeys_policy && capability->on_error == ON_ERROR_WARN) {
        if (services->warn != NULL) {
            services->warn(run->scope->context, problem->message);
        } else {
            log_warn("%s", problem->message);
        }
        return true;
    }
    error_join(&run->outcome, problem);
    return run->runs_all;
}

static void stuck_error(const struct run *run, const struct capability *capability,
                        banger_error *err)
{
    const char *name = capability->plugin->name;
    (void)error_set(err, BANGER_EBUSY,
                    "capability '%s': %s: it is stuck: an earlier hook of it has outlived its "
                    "deadline and not returned",
                    name, run->what);
    (void)error_hint(err, "'banger daemon stop' ends it; running VMs go on");
}

static void broken_error(const struct capability *capability, banger_error *err)
{
    *err = *capability->broken;
    (void)error_prefix(err, "capability '%s' is broken: ", capability->plugin->name);
}

static void timeout_error(const struct run *run, const struct capability *capability,
                          banger_error *err)
{
    const char *name = capability->plugin->name;
    int64_t ms = timeout_of(run, capability);
    bool whole = ms % 1000 == 0;
    (void)error_set(err, BANGER_ETIMEDOUT, "capability '%s' did not finish %s within %" PRId64 "%s",
                    name, run->what, whole ? ms / 1000 : ms, whole ? "s" : "ms");
    if (run->timeout_ms == 0) {
        (void)error_hint(err, "plugins.%s.timeout in config.lua allows it more", name);
    }
}

/* -- The helper's side ---------------------------------------------------------------------------
 */

/* Whether the capability cannot be called at all, with the reason. */
static bool is_out_of_use(const struct run *run, const struct capability *capability,
                          banger_error *why)
{
    if (capability->broken != NULL) {
        broken_error(capability, why);
        return true;
    }
    if (atomic_load(&capability->standing->stuck) != 0) {
        stuck_error(run, capability, why);
        return true;
    }
    return false;
}

/* Begins the next step at `now`; NULL when there is none. */
static const struct step *run_begin(struct run *run, int64_t now)
{
    while (run->next < run->count) {
        const struct step *step = &run->steps[run->next++];
        banger_error problem = BANGER_ERROR_INIT;
        if (is_out_of_use(run, step->capability, &problem)) {
            settle(run, step->capability, true, 0);
            if (!run_judge(run, step->capability, &problem)) {
                return NULL;
            }
            continue;
        }
        int64_t deadline_ns = now + timeout_of(run, step->capability) * NS_PER_MS;
        (void)pthread_mutex_lock(&run->scope->lock);
        call_begin(&run->call, step->capability, deadline_ns);
        if (late_at(run, step->capability, deadline_ns) < run->wake_ns) {
            (void)pthread_cond_signal(&run->changed);
        }
        (void)pthread_mutex_unlock(&run->scope->lock);
        return step;
    }
    return NULL;
}

/* True: the step is over in time, and the watcher will not touch the run until the next begins. */
static bool run_end_step(struct run *run)
{
    (void)pthread_mutex_lock(&run->scope->lock);
    bool in_time = !run->call.over;
    run->call.deadline_ns = NEVER;
    (void)pthread_mutex_unlock(&run->scope->lock);
    call_release(&run->call);
    return in_time;
}

/* In our process, or in one of its own. */
static int step_call(const struct step *step, struct banger_call *call)
{
    const struct banger_host *host = record_host_for(call);
    struct isolate *isolate = capability_isolate(step->capability);
    return isolate != NULL ? isolate_call(isolate, step->function, host, call)
                           : step->function(host, call);
}

/* Runs steps until there is none, one fails for good, or one was abandoned (false). */
static bool run_steps(struct run *run)
{
    int64_t now = clock_mono_ns();
    const struct step *step = NULL;
    while ((step = run_begin(run, now)) != NULL) {
        struct capability *capability = step->capability;
        int64_t began = now;
        int result = step_call(step, &run->call);
        if (!run_end_step(run)) {
            record_drop(&run->call);
            (void)atomic_fetch_sub(&capability->standing->stuck, 1);
            return false;
        }
        record_end(&run->call, result);
        now = clock_mono_ns();
        settle(run, capability, result != 0, now - began);
        banger_error problem = BANGER_ERROR_INIT;
        if (result != 0 && call_outcome(&run->call, result, &problem) < 0 &&
            !run_judge(run, capability, &problem)) {
            break;
        }
    }
    return true;
}

static void run_main(void *context)
{
    struct run *run = context;
    if (run_steps(run)) {
        (void)pthread_mutex_lock(&run->scope->lock);
        run->done = true;
        (void)pthread_cond_signal(&run->changed);
        (void)pthread_mutex_unlock(&run->scope->lock);
    }
    run_unref(run);
}

/* -- The watcher's side --------------------------------------------------------------------------
 */

/* The earliest moment at which any step could be late. */
static int64_t earliest_deadline(const struct run *run)
{
    int64_t least = INT64_MAX / NS_PER_MS / 2;
    for (size_t i = run->next; i < run->count; i++) {
        int64_t timeout = timeout_of(run, run->steps[i].capability);
        least = timeout < least ? timeout : least;
    }
    return clock_mono_ns() + least * NS_PER_MS;
}

static void wait_until(struct run *run, int64_t when_ns)
{
    if (when_ns == NEVER) {
        (void)pthread_cond_wait(&run->changed, &run->scope->lock);
        return;
    }
    struct timespec until = {.tv_sec = when_ns / 1000000000, .tv_nsec = when_ns % 1000000000};
    (void)pthread_cond_timedwait(&run->changed, &run->scope->lock, &until);
}

static void run_abandon(struct run *run)
{
    run->call.over = true;
    (void)atomic_fetch_add(&run->call.capability->standing->stuck, 1);
    while (run->call.inside > 0) {
        (void)pthread_cond_wait(&run->changed, &run->scope->lock);
    }
}

/* True: the helper is through. False: it was abandoned in the step before run->next. */
static bool run_watch(struct run *run)
{
    int64_t end = awake_end();
    while (!atomic_load(&run->done) && awake(end)) {
    }
    (void)pthread_mutex_lock(&run->scope->lock);
    while (!run->done) {
        wait_until(run, run->wake_ns);
        int64_t late_ns = late_at(run, run->call.capability, run->call.deadline_ns);
        if (!run->done && late_ns <= clock_mono_ns()) {
            run_abandon(run);
            break;
        }
        run->wake_ns = late_ns;
    }
    bool done = run->done;
    (void)pthread_mutex_unlock(&run->scope->lock);
    return done;
}

/* Hands the run to a helper and watches it. -1: no thread could be had. */
static int run_hand_over(struct run *run, bool *done, banger_error *err)
{
    run->wake_ns = earliest_deadline(run);
    run->references++; /* the helper's; nobody else knows of the run yet */
    if (helper_run(run_main, run, err) < 0) {
        run->references--;
        return -1;
    }
    *done = run_watch(run);
    return 0;
}

/* What an abandoned run leaves to do, with its outcome up to now; NULL: nothing. */
static struct run *run_remainder(struct run *run)
{
    struct capability *late = run->steps[run->next - 1].capability;
    banger_error problem = BANGER_ERROR_INIT;
    timeout_error(run, late, &problem);
    log_warn("%s; it is left behind", problem.message);
    settle(run, late, true, timeout_of(run, late) * NS_PER_MS);
    if (!run_judge(run, late, &problem) || run->next == run->count) {
        return NULL;
    }
    struct run *rest = run_new(run->scope, run->what, run->hook, run->count - run->next);
    rest->timeout_ms = run->timeout_ms;
    rest->outcome = run->outcome;
    for (size_t i = run->next; i < run->count; i++) {
        run_add(rest, run->steps[i].capability, run->steps[i].function);
    }
    return rest;
}

static int run_outcome(const struct run *run, banger_error *err)
{
    if (run->outcome.code == 0) {
        return 0;
    }
    if (err != NULL) {
        *err = run->outcome;
    }
    return -1;
}

/* Runs all steps; consumes the watcher's reference. */
static int run_all(struct run *run, banger_error *err)
{
    int result = 0;
    while (run != NULL && run->count > 0) {
        bool done = false;
        if (run_hand_over(run, &done, err) < 0) {
            result = -1;
            break;
        }
        struct run *rest = done ? NULL : run_remainder(run);
        if (rest == NULL) {
            result = run_outcome(run, err);
            break;
        }
        run_unref(run);
        run = rest;
    }
    run_unref(run);
    return result;
}

/* -- Dispatch ------------------------------------------------------------------------------------
 */

/* Adds the capability's hook, if it has it. A broken one has a check, which is never called; one that is
 * disabled still gives back what it holds. */
static void run_add_hook(struct run *run, struct capability *capability)
{
    banger_hook function = hook_of(capability->plugin, run->hook);
    bool is_broken = capability->broken != NULL && run->hook == HOOK_CHECK;
    bool is_off = atomic_load(&capability->standing->disabled) && !run->undoes;
    if (is_broken || (function != NULL && !is_off)) {
        run_add(run, capability, function);
    }
}

int dispatch_hook(struct scope *scope, enum hook hook, banger_error *err)
{
    size_t count = lineup_count(scope->lineup);
    struct run *run = run_new(scope, hook_name(hook), hook, count);
    for (size_t i = 0; i < count; i++) {
        size_t index = run->undoes ? count - 1 - i : i;
        run_add_hook(run, lineup_at(scope->lineup, index));
    }
    return run_all(run, err);
}

int dispatch_hook_of(struct scope *scope, struct capability *capability, enum hook hook,
                     banger_error *err)
{
    struct run *run = run_new(scope, hook_name(hook), hook, 1);
    run_add_hook(run, capability);
    return run_all(run, err);
}

int dispatch_provider(struct scope *scope, struct capability *capability, const char *name,
                      banger_hook function, int64_t timeout_ms, banger_error *err)
{
    struct run *run = run_new(scope, name, HOOK_COUNT, 1);
    run->timeout_ms = timeout_ms;
    if (function != NULL) {
        run_add(run, capability, function);
    }
    return run_all(run, err);
}
