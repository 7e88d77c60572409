/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "isolate.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "capability/isolate_describe.h"
#include "capability/isolate_keeper.h"
#include "capability/isolate_process.h"
#include "capability/isolate_serve.h"
#include "capability/isolate_wire.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define LOAD_MS 10000
#define IDLE_MAX 4       /* as many as idle helpers */
#define PROCESSES_MAX 64 /* more calls at once wait for one to return */
#define END_WAIT_MS 1000 /* between the end of a process's socket and its own */

struct isolate {
    char *path;
    char *program;
    struct isolate_description *description;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Guarded by the lock. */
    int64_t memory;
    struct isolate_process *idle;
    int idle_count;
    struct isolate_counts counts;
};

/* One isolate_call. */
struct task {
    struct isolate *isolate;
    const struct banger_host *host;
    struct banger_call *call;
    deadline until;
};

/* -- Processes ------------------------------------------------------------------------------------ */

struct birth {
    const char *path;
    struct isolate_limits limits;
    struct isolate_process *process;
    banger_error *err;
};

static void give_birth(void *context)
{
    struct birth *birth = context;
    birth->process = isolate_process_new(birth->path, &birth->limits, birth->err);
}

static void count(struct isolate *isolate, int processes, int badly)
{
    (void)pthread_mutex_lock(&isolate->lock);
    isolate->counts.processes += processes;
    isolate->counts.ended_badly += (uint64_t)badly;
    (void)pthread_cond_signal(&isolate->changed);
    (void)pthread_mutex_unlock(&isolate->lock);
}

static void explain_end(int status, const char *said, banger_error *err)
{
    AUTO_FREE char *last = said[0] != '\0' ? str_format(" (it printed: %s)", said) : xstrdup("");
    if (status >= 0 && WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        (void)error_set(err, BANGER_EINTERNAL, "its process was ended by signal %d (SIG%s)%s",
                        WTERMSIG(status), str_or(name, "?"), last);
    } else if (status >= 0) {
        (void)error_set(err, BANGER_EINTERNAL, "its process ended itself with status %d%s",
                        WEXITSTATUS(status), last);
    } else {
        (void)error_set(err, BANGER_EINTERNAL, "its process closed its connection%s", last);
    }
}

/* Ends a process that did not do what it should, and says why. Frees it. */
static void worker_fail(struct isolate *isolate, struct isolate_process *process,
                        const struct isolate_sink *sink, enum isolate_event event, deadline until,
                        banger_error *err)
{
    int64_t left = deadline_left_ms(until);
    int64_t patience = event == ISOLATE_ENDED ? (left < END_WAIT_MS ? left : END_WAIT_MS) : 0;
    int status = isolate_process_finish(process, sink, patience);
    if (event == ISOLATE_LATE) {
        (void)error_set(err, BANGER_ETIMEDOUT, "it did not finish in time, and was ended");
    } else if (event == ISOLATE_BROKEN) {
        (void)error_set(err, BANGER_EINTERNAL, "its process broke the protocol, and was ended");
    } else {
        explain_end(status, process->said, err);
    }
    isolate_process_free(process);
    count(isolate, -1, 1);
}

static void let_go(struct isolate *isolate, struct isolate_process *process)
{
    isolate_process_dismiss(process);
    count(isolate, -1, 0);
}

/* The first description is what the daemon goes by; a file that was replaced meanwhile has another. */
static int remember(struct isolate *isolate, struct isolate_description *found, banger_error *err)
{
    if (isolate->description == NULL) {
        isolate->description = found;
        return 0;
    }
    bool same = isolate_description_equal(isolate->description, found);
    isolate_description_free(found);
    if (!same) {
        (void)error_set(err, BANGER_EUNSUPPORTED, "%s is not what it was when it was loaded",
                        isolate->path);
        (void)error_hint(err, "'banger daemon stop': the next start loads it anew");
    }
    return same ? 0 : -1;
}

/* A new process that has loaded the plugin, for which there is room in the count. NULL: it failed, and
 * is gone, and so is the room. */
static struct isolate_process *worker_open(struct isolate *isolate, int64_t memory, deadline until,
                                           banger_error *err)
{
    struct birth birth = {isolate->path, {isolate->program, memory, 0}, NULL, err};
    keeper_run(give_birth, &birth);
    if (birth.process == NULL) {
        count(isolate, -1, 0);
        return NULL;
    }
    static const struct isolate_sink nobody;
    AUTO_JSON json_t *message = NULL;
    enum isolate_event event = isolate_process_receive(birth.process, &nobody, until, &message);
    if (event != ISOLATE_MESSAGE) {
        worker_fail(isolate, birth.process, &nobody, event, until, err);
        (void)error_prefix(err, "it cannot be loaded: ");
        return NULL;
    }
    struct isolate_description *found = isolate_description_new(message, err);
    if (found == NULL || remember(isolate, found, err) < 0) {
        let_go(isolate, birth.process);
        return NULL;
    }
    return birth.process;
}

/* -- The pool ------------------------------------------------------------------------------------- */

/* With the lock held; NULL: none that is fit for a call. Others are let go. */
static struct isolate_process *idle_pop(struct isolate *isolate)
{
    while (isolate->idle != NULL) {
        struct isolate_process *process = isolate->idle;
        isolate->idle = process->next;
        isolate->idle_count--;
        if (isolate_process_is_calm(process)) {
            return process;
        }
        isolate->counts.processes--;
        isolate->counts.ended_badly++;
        isolate_process_dismiss(process);
    }
    return NULL;
}

/* An idle process, or room for another (NULL, 0). -1: too many are at work until the deadline. */
static int pool_take(struct task *task, struct isolate_process **process, banger_error *err)
{
    struct isolate *isolate = task->isolate;
    struct timespec when = {.tv_sec = task->until / 1000, .tv_nsec = task->until % 1000 * 1000000};
    (void)pthread_mutex_lock(&isolate->lock);
    int late = 0;
    while ((*process = idle_pop(isolate)) == NULL && late == 0 &&
           isolate->counts.processes >= PROCESSES_MAX) {
        late = pthread_cond_timedwait(&isolate->changed, &isolate->lock, &when);
    }
    bool room = *process != NULL || isolate->counts.processes < PROCESSES_MAX;
    isolate->counts.processes += *process == NULL && room;
    (void)pthread_mutex_unlock(&isolate->lock);
    return room ? 0
                : error_set(err, BANGER_EBUSY, "all its %d processes are at work", PROCESSES_MAX);
}

static struct isolate_process *take(struct task *task, banger_error *err)
{
    struct isolate_process *process = NULL;
    if (pool_take(task, &process, err) < 0) {
        return NULL;
    }
    if (process == NULL) {
        (void)pthread_mutex_lock(&task->isolate->lock);
        int64_t memory = task->isolate->memory;
        (void)pthread_mutex_unlock(&task->isolate->lock);
        process = worker_open(task->isolate, memory, task->until, err);
    }
    return process;
}

static void give_back(struct isolate *isolate, struct isolate_process *process, bool tired)
{
    (void)pthread_mutex_lock(&isolate->lock);
    bool kept = !tired && isolate->idle_count < IDLE_MAX;
    if (kept) {
        process->next = isolate->idle;
        isolate->idle = process;
        isolate->idle_count++;
        (void)pthread_cond_signal(&isolate->changed);
    }
    (void)pthread_mutex_unlock(&isolate->lock);
    if (!kept) {
        let_go(isolate, process);
    }
}

/* -- Calls ---------------------------------------------------------------------------------------- */

/* Whether the message is ["return", RESULT, TIRED]. */
static bool is_return(const json_t *message, int *result, bool *tired)
{
    const char *word = json_string_value(json_array_get(message, 0));
    const json_t *number = json_array_get(message, 1);
    if (word == NULL || strcmp(word, "return") != 0 || json_array_size(message) != 3 ||
        !json_is_integer(number)) {
        return false;
    }
    json_int_t value = json_integer_value(number);
    *result = value == 0 ? 0 : value < 0 ? -1 : value > INT32_MAX ? INT32_MAX : (int)value;
    *tired = json_is_true(json_array_get(message, 2));
    return true;
}

/* Has one function run in the process, and serves it meanwhile. */
static enum isolate_event converse(struct task *task, struct isolate_process *process,
                                   enum wire_function function, bool about_plugin, int *result,
                                   bool *tired, banger_error *err)
{
    const struct isolate_service service = {task->host, task->call, about_plugin};
    const struct isolate_sink sink = {task->host, task->call};
    AUTO_JSON json_t *order = json_pack("[s]", wire_function_name(function));
    enum isolate_event event = isolate_process_send(process, order, task->until);
    while (event == ISOLATE_MESSAGE) {
        AUTO_JSON json_t *message = NULL;
        event = isolate_process_receive(process, &sink, task->until, &message);
        if (event != ISOLATE_MESSAGE || is_return(message, result, tired)) {
            return event;
        }
        AUTO_JSON json_t *answer = NULL;
        if (isolate_serve(&service, message, &answer, err) < 0) {
            return ISOLATE_BROKEN;
        }
        if (answer != NULL) {
            event = isolate_process_send(process, answer, task->until);
        }
    }
    return event;
}

/* Gives the reason to the call, with what the user can do about it. */
static int tell(const struct task *task, const char *what, const banger_error *problem)
{
    const char *name = isolate_plugin(task->isolate)->name;
    (void)task->host->fail(task->call, (int)problem->code, "%s%s", what, problem->message);
    if (problem->hint[0] != '\0') {
        task->host->hint(task->call, "%s", problem->hint);
    } else if (problem->code == BANGER_ETIMEDOUT &&
               task->host->get_string(task->call, "call.hint", NULL) ==
                   NULL) { /* the plugin's own */
        task->host->hint(task->call, "plugins.%s.timeout in config.lua allows it more", name);
    }
    return -1;
}

/* Runs one function; the process is gone (NULL) when that went wrong in a way of its own. */
static int run(struct task *task, struct isolate_process **process, enum wire_function function,
               bool about_plugin, bool *tired)
{
    int result = 0;
    banger_error problem = BANGER_ERROR_INIT;
    isolate_process_begin(*process);
    enum isolate_event event =
        converse(task, *process, function, about_plugin, &result, tired, &problem);
    if (event == ISOLATE_MESSAGE) {
        return result;
    }
    const struct isolate_sink sink = {task->host, task->call};
    banger_error end = BANGER_ERROR_INIT;
    worker_fail(task->isolate, STEAL(*process), &sink, event, task->until, &end);
    task->host->log(task->call, BANGER_LOG_WARN, "%s", end.message);
    if (event == ISOLATE_ENDED) {
        (void)error_hint(&end,
                         "a defect of the plugin, or its memory limit (plugins.%s.process_memory); "
                         "the daemon's log has what it printed",
                         isolate_plugin(task->isolate)->name);
    }
    return tell(task, about_plugin ? "start: " : "", problem.code != 0 ? &problem : &end);
}

static banger_hook function_of(const struct isolate *isolate, enum wire_function function)
{
    return *wire_function_place((struct banger_plugin *)isolate_plugin(isolate), function);
}

/* `start`, where it has one and it has not run here. */
static int run_start(struct task *task, struct isolate_process **process)
{
    bool tired = false;
    if ((*process)->started || function_of(task->isolate, WIRE_plugin_start) == NULL) {
        return 0;
    }
    int result = run(task, process, WIRE_plugin_start, true, &tired);
    if (*process != NULL && result == 0) {
        (*process)->started = true;
    } else if (*process != NULL) {
        let_go(task->isolate, STEAL(*process));
    }
    return result;
}

/* The last call: in each of those that are idle, and so in all. */
static int run_stop(struct task *task)
{
    struct isolate *isolate = task->isolate;
    int result = 0;
    for (;;) {
        (void)pthread_mutex_lock(&isolate->lock);
        struct isolate_process *process = idle_pop(isolate);
        (void)pthread_mutex_unlock(&isolate->lock);
        if (process == NULL) {
            return result;
        }
        bool tired = false;
        int one = process->started || function_of(isolate, WIRE_plugin_start) == NULL
                      ? run(task, &process, WIRE_plugin_stop, false, &tired)
                      : 0;
        result = result != 0 ? result : one;
        if (process != NULL) {
            let_go(isolate, process);
        }
    }
}

int isolate_call(struct isolate *isolate, banger_hook function, const struct banger_host *host,
                 struct banger_call *call)
{
    int64_t left = host->remaining_ms(call);
    struct task task = {isolate, host, call, left < 0 ? DEADLINE_NONE : deadline_in(left)};
    int known = isolate_function(function);
    if (known < 0) {
        return host->fail(call, BANGER_EINTERNAL, "not a function of an isolated plugin");
    }
    if (known == WIRE_plugin_stop) {
        return run_stop(&task);
    }
    banger_error problem = BANGER_ERROR_INIT;
    struct isolate_process *process = take(&task, &problem);
    if (process == NULL) {
        return tell(&task, "", &problem);
    }
    if (known != WIRE_plugin_start) {
        int started = run_start(&task, &process);
        if (started != 0) {
            return started;
        }
    }
    bool tired = false;
    int result = run(&task, &process, (enum wire_function)known, false, &tired);
    if (process != NULL) {
        process->started = process->started || (known == WIRE_plugin_start && result == 0);
        give_back(isolate, process, tired);
    }
    return result;
}

/* -- The isolate ---------------------------------------------------------------------------------- */

static void isolate_free(struct isolate *isolate)
{
    isolate_description_free(isolate->description);
    (void)pthread_cond_destroy(&isolate->changed);
    (void)pthread_mutex_destroy(&isolate->lock);
    free(isolate->program);
    free(isolate->path);
    free(isolate);
    keeper_release();
}

struct isolate *isolate_open(const char *path, const struct isolate_limits *limits,
                             banger_error *err)
{
    if (keeper_hold(err) < 0) {
        return NULL;
    }
    struct isolate *isolate = xcalloc(1, sizeof(*isolate));
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&isolate->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&isolate->lock, NULL);
    isolate->path = xstrdup(path);
    isolate->program = xstrdup(limits->program);
    isolate->memory = limits->memory > 0 ? limits->memory : ISOLATE_MEMORY_DEFAULT;
    isolate->counts.processes = 1;
    int64_t load_ms = limits->load_ms > 0 ? limits->load_ms : LOAD_MS;
    struct isolate_process *process =
        worker_open(isolate, isolate->memory, deadline_in(load_ms), err);
    if (process == NULL) {
        isolate_free(isolate);
        return NULL;
    }
    give_back(isolate, process, false);
    return isolate;
}

static void drop_idle(struct isolate *isolate)
{
    (void)pthread_mutex_lock(&isolate->lock);
    struct isolate_process *process = idle_pop(isolate);
    (void)pthread_mutex_unlock(&isolate->lock);
    if (process != NULL) {
        let_go(isolate, process);
        drop_idle(isolate);
    }
}

void isolate_close(struct isolate *isolate)
{
    if (isolate != NULL) {
        drop_idle(isolate);
        isolate_free(isolate);
    }
}

const struct banger_plugin *isolate_plugin(const struct isolate *isolate)
{
    return isolate_description_plugin(isolate->description);
}

void isolate_set_memory(struct isolate *isolate, int64_t bytes)
{
    (void)pthread_mutex_lock(&isolate->lock);
    bool changed = bytes > 0 && bytes != isolate->memory;
    isolate->memory = changed ? bytes : isolate->memory;
    (void)pthread_mutex_unlock(&isolate->lock);
    if (changed) {
        drop_idle(isolate);
    }
}

struct isolate_counts isolate_count(struct isolate *isolate)
{
    (void)pthread_mutex_lock(&isolate->lock);
    struct isolate_counts counts = isolate->counts;
    (void)pthread_mutex_unlock(&isolate->lock);
    return counts;
}
