/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request as the lifecycle's caller: progress and warnings become notifications. */
#include "base/json.h"
#include "base/str.h"
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>

static void on_progress(void *context, const char *stage, const char *state, const char *text,
                        int64_t elapsed_ms)
{
    rpc_request_notify(context, "progress",
                       json_pack("{s:s?, s:s, s:s?, s:I}", "stage", stage, "state", state, "text",
                                 text, "elapsed_ms", (json_int_t)elapsed_ms));
}

static void on_warning(void *context, const char *text)
{
    rpc_request_notify(context, "warning", json_pack("{s:s}", "text", text));
}

static void on_record(void *context, const json_t *entry)
{
    rpc_request_notify(context, "record", json_pack("{s:O}", "entry", (json_t *)entry));
}

static bool is_cancelled(void *context)
{
    return rpc_request_cancelled(context);
}

/* The longest name, or id, that anything can have: what is longer names nothing. */
#define VM_NAME_ROOM 64

void *daemon_arrive(void *context, const json_t *params)
{
    const struct daemon *daemon = context;
    const char *vm = json_get_string(params, "vm", NULL);
    if (vm == NULL || strlen(vm) > VM_NAME_ROOM) {
        return NULL;
    }
    struct key_place *place = xcalloc(1, sizeof(*place));
    *place = key_lock_join(daemon->engine.locks, "turn", vm);
    return place;
}

void daemon_leave(void *context, void *place)
{
    (void)context;
    key_place_leave(place);
    free(place);
}

struct caller daemon_caller(struct rpc_request *request)
{
    return (struct caller){
        .progress = on_progress,
        .warn = on_warning,
        .cancelled = is_cancelled,
        .context = request,
        .place = rpc_request_place(request),
    };
}

int daemon_recording_caller(struct rpc_request *request, const json_t *params,
                            struct caller *caller, banger_error *err)
{
    bool records = false;
    *caller = daemon_caller(request);
    if (json_want_bool(params, "record", &records, err) < 0) {
        return -1;
    }
    caller->record = records ? on_record : NULL;
    return 0;
}
