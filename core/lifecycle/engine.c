/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/engine.h"

#include "base/log.h"
#include "lifecycle/live.h"
#include "lifecycle/retry.h"
#include "store/oplog.h"

static void warn_to_log(void *context, const char *text)
{
    (void)context;
    log_warn("%s", text);
}

const struct caller caller_nobody = {.warn = warn_to_log};

void engine_init(struct engine *engine)
{
    engine->locks = key_locks_new();
    engine->live = live_table_new();
    engine->retries = retry_table_new();
}

void engine_free(struct engine *engine)
{
    retry_table_free(engine->retries);
    live_table_free(engine->live);
    key_locks_free(engine->locks);
    engine->retries = NULL;
    engine->live = NULL;
    engine->locks = NULL;
}

void engine_emit(struct engine *engine, const char *type, const char *vm_id, const char *vm_name,
                 const json_t *data)
{
    banger_error err = BANGER_ERROR_INIT;
    if (event_append(engine->store, type, vm_id, vm_name, data, NULL, &err) < 0) {
        log_warn("event %s is lost: %s", type, err.message);
        return;
    }
    if (engine->announce != NULL) {
        engine->announce(engine->context);
    }
}
