/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "call.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS 1000000

/* -- The call -----------------------------------------------------------------------------------
 */

void call_init(struct banger_call *call, struct scope *scope, const char *what,
               pthread_cond_t *changed)
{
    call->scope = scope;
    call->what = what;
    call->changed = changed;
    call->deadline_ns = CALL_NO_DEADLINE;
    call->contributes =
        strcmp(what, "contribute") == 0 || strcmp(what, hook_name(HOOK_CONTRIBUTE)) == 0;
    call->expands = strcmp(what, "expand") == 0;
    call->pure = call->contributes || call->expands || strcmp(what, hook_name(HOOK_CHECK)) == 0;
}

void call_begin(struct banger_call *call, struct capability *capability, int64_t deadline_ns)
{
    call->capability = capability;
    call->deadline_ns = deadline_ns;
    call->failed = false;
    call->error.code = 0;
    call->hint[0] = '\0';
    call->logged = 0;
}

int call_outcome(const struct banger_call *call, int result, banger_error *err)
{
    const char *name = call->capability->plugin->name;
    if (result == 0) {
        return 0;
    }
    if (result > 0) {
        return error_set(err, BANGER_EINTERNAL,
                         "%s's %s returned %d; a hook returns 0, or less when it failed", name,
                         call->what, result);
    }
    if (call->error.code == 0) {
        (void)error_set(err, BANGER_EINTERNAL, "%s's %s failed without saying why", name,
                        call->what);
    } else {
        *err = call->error;
        (void)error_prefix(err, "capability '%s': %s: ", name, call->what);
    }
    return call->hint[0] != '\0' ? error_hint(err, "%s", call->hint) : -1;
}

bool call_lock(struct banger_call *call)
{
    (void)pthread_mutex_lock(&call->scope->lock);
    if (call->over) {
        (void)pthread_mutex_unlock(&call->scope->lock);
        return false;
    }
    return true;
}

void call_unlock(struct banger_call *call)
{
    (void)pthread_mutex_unlock(&call->scope->lock);
}

bool call_enter(struct banger_call *call)
{
    if (!call_lock(call)) {
        return false;
    }
    call->inside++;
    call_unlock(call);
    return true;
}

void call_leave(struct banger_call *call)
{
    (void)pthread_mutex_lock(&call->scope->lock);
    call->inside--;
    if (call->over && call->inside == 0) {
        (void)pthread_cond_signal(call->changed);
    }
    (void)pthread_mutex_unlock(&call->scope->lock);
}

/* -- The arena ----------------------------------------------------------------------------------
 */

struct call_chunk {
    struct call_chunk *next;
    char data[];
};

/* NULL: it is more than a call may be given. */
static char *arena_alloc(struct banger_call *call, size_t size)
{
    struct call_arena *arena = &call->arena;
    if (size <= sizeof(arena->data) - arena->used) {
        char *at = arena->data + arena->used;
        arena->used += size;
        return at;
    }
    if (size > CALL_GIVEN_MAX - arena->given) {
        (void)call_refuse(call, BANGER_EFULL, "%s was given %zu MiB already, and may have no more",
                          call->what, CALL_GIVEN_MAX >> 20);
        return NULL;
    }
    struct call_chunk *chunk = xmalloc(sizeof(*chunk) + size);
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->given += size;
    return chunk->data;
}

void call_release(struct banger_call *call)
{
    while (call->arena.chunks != NULL) {
        struct call_chunk *chunk = call->arena.chunks;
        call->arena.chunks = chunk->next;
        free(chunk);
    }
    call->arena.used = 0;
    call->arena.given = 0;
}

const char *call_keep(struct banger_call *call, const char *text)
{
    size_t size = strlen(text) + 1;
    char *at = arena_alloc(call, size);
    return at != NULL ? memcpy(at, text, size) : NULL;
}

const char *call_keep_json(struct banger_call *call, const json_t *json)
{
    AUTO_FREE char *text = json_text(json);
    return call_keep(call, text);
}

/* -- Failures -----------------------------------------------------------------------------------
 */

int call_error(struct banger_call *call, const banger_error *problem)
{
    if (!call->failed) {
        call->error = *problem;
        if (problem->code == BANGER_EINVALID) { /* a plugin's arguments are not the user's input */
            call->error.code = BANGER_EINTERNAL;
        }
    }
    return -1;
}

int call_refuse(struct banger_call *call, enum banger_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    banger_error problem = BANGER_ERROR_INIT;
    (void)error_set(&problem, code, "%s", text);
    return call_error(call, &problem);
}

int call_need_effects(struct banger_call *call, const char *function)
{
    return call->pure ? call_refuse(call, BANGER_EINVALID,
                                    "%s is not allowed in %s, which must "
                                    "change nothing",
                                    function, call->what)
                      : 0;
}

json_t *call_parse(struct banger_call *call, const char *what, const char *text)
{
    banger_error problem = BANGER_ERROR_INIT;
    json_t *json = NULL;
    if (text == NULL) {
        (void)error_set(&problem, BANGER_EINVALID, "%s is missing", what);
    } else {
        json = json_parse(what, text, strlen(text), &problem);
    }
    if (json == NULL) {
        (void)call_error(call, &problem);
    }
    return json;
}

/* -- The host's functions about the outcome ------------------------------------------------------
 */

static enum banger_code known_code(int code)
{
    return code >= BANGER_EINVALID && code <= BANGER_EINTERNAL ? (enum banger_code)code
                                                               : BANGER_EINTERNAL;
}

BANGER_PRINTF(3, 4)
static int call_fail(struct banger_call *call, int code, const char *format, ...)
{
    if (!call->failed) {
        va_list args;
        va_start(args, format);
        AUTO_FREE char *text = str_vformat(format, args);
        va_end(args);
        (void)error_set(&call->error, known_code(code), "%s", text);
        call->failed = true;
    }
    return -1;
}

BANGER_PRINTF(2, 3)
static void call_set_hint(struct banger_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(call->hint, sizeof(call->hint), format, args);
    va_end(args);
}

/* False: this call has said enough, and that was logged once: a loop in a hook must not fill the disk. */
static bool may_log(struct banger_call *call, size_t length)
{
    if (call->logged > CALL_LOG_MAX) {
        return false;
    }
    if (length < CALL_LOG_MAX - call->logged) {
        call->logged += length + 1; /* a line's end */
        return true;
    }
    call->logged = CALL_LOG_MAX + 1;
    log_warn("%s: its %s logs more than %zu KiB: the rest is left out",
             call->capability->plugin->name, call->what, CALL_LOG_MAX / 1024);
    return false;
}

/* Works in a call that is over, too: what a late hook has to say is of use to whoever looks for the
 * reason. */
BANGER_PRINTF(3, 4)
static void call_log(struct banger_call *call, int level, const char *format, ...)
{
    int known = level < BANGER_LOG_ERROR ? BANGER_LOG_ERROR : level;
    known = known > BANGER_LOG_DEBUG ? BANGER_LOG_DEBUG : known;
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    if (may_log(call, strlen(text))) {
        log_write((enum banger_log_level)known, "%s: %s", call->capability->plugin->name, text);
    }
}

static void call_progress(struct banger_call *call, const char *text)
{
    struct scope *scope = call->scope;
    if (scope->services.progress != NULL && call_enter(call)) {
        scope->services.progress(scope->context, call->capability->plugin->name, text);
        call_leave(call);
    }
}

static int64_t call_remaining_ms(struct banger_call *call)
{
    if (!call_lock(call)) {
        return 0;
    }
    call_unlock(call);
    int64_t left = (call->deadline_ns - clock_mono_ns()) / NS_PER_MS;
    return left > 0 ? left : 0;
}

static int call_cancelled(struct banger_call *call)
{
    struct scope *scope = call->scope;
    if (!call_enter(call)) {
        return 1;
    }
    int cancelled = scope->services.cancelled != NULL && scope->services.cancelled(scope->context);
    call_leave(call);
    return cancelled;
}

/* -- The table -----------------------------------------------------------------------------------
 */

const struct banger_host call_host = {
    .size = sizeof(struct banger_host),
    .abi_major = BANGER_ABI_MAJOR,
    .abi_minor = BANGER_ABI_MINOR,
    .fail = call_fail,
    .hint = call_set_hint,
    .log = call_log,
    .progress = call_progress,
    .remaining_ms = call_remaining_ms,
    .cancelled = call_cancelled,
    .get_string = call_get_string,
    .get_int = call_get_int,
    .get_bool = call_get_bool,
    .get_json = call_get_json,
    .contribute = call_contribute,
    .set_json = call_set_json,
    .emit = call_emit,
    .resource_intend = call_resource_intend,
    .resource_held = call_resource_held,
    .resource_gone = call_resource_gone,
    .spawn = call_spawn,
    .run = call_run,
    .guest_exec = call_guest_exec,
    .host_op = call_host_op,
    .lease_number = call_lease_number,
    .guest_copy = call_guest_copy,
    .provide = call_provide,
};
