/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Undoing a run, whoever did it and however far it came:
 *
 * 1. The VM's processes end. One that does not, even by KILL, or whose row cannot be written (a full
 *    disk), ends the cleanup here: nothing may be taken away under a running VMM, and the rows are there
 *    for the next attempt. A VM whose VMM has ended stays in the table of live ones until then, where
 *    health finds it.
 * 2. Capabilities get their rows back (`cleanup`, in reverse order), then the providers.
 * 3. The core's own rows are released in reverse.
 * 4. What a capability left in the journal is reported: it stays there, and is tried again.
 *
 * Every step is idempotent. From 2 on each runs whatever became of the ones before; errors are
 * joined.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "lifecycle/live.h"
#include "lifecycle/release.h"
#include "lifecycle/stage.h"
#include "store/journal.h"

#include <string.h>

static int end_processes(struct operation *op, const struct resource_list *rows,
                         banger_error *failures)
{
    for (size_t i = 0; i < rows->count; i++) {
        banger_error err = BANGER_ERROR_INIT;
        if (strcmp(rows->items[i].kind, "process") == 0 &&
            release_resource(op->engine, &rows->items[i], &err) < 0) {
            error_join(failures, &err);
        }
    }
    if (failures->code == 0 && !live_is_running(op->engine, op->vm.id)) {
        live_remove(op->engine, op->vm.id);
    }
    return failures->code == 0 ? 0 : -1;
}

static void run_provider(struct operation *op, struct capability *capability, banger_hook cleanup,
                         banger_error *failures)
{
    banger_error err = BANGER_ERROR_INIT;
    if (dispatch_provider(op->scope, capability, "cleanup", cleanup, 0, &err) < 0) {
        error_join(failures, &err);
    }
}

static void run_cleanups(struct operation *op, banger_error *failures)
{
    banger_error err = BANGER_ERROR_INIT;
    if (dispatch_hook(op->scope, HOOK_CLEANUP, &err) < 0) {
        error_join(failures, &err);
    }
    struct capability *vmm = operation_run_provider(op, PROVIDER_VMM);
    struct capability *network = operation_run_provider(op, PROVIDER_NETWORK);
    struct capability *rootfs = operation_run_provider(op, PROVIDER_ROOTFS);
    if (vmm != NULL) {
        run_provider(op, vmm, vmm->plugin->vmm->cleanup, failures);
    }
    if (network != NULL) {
        run_provider(op, network, network->plugin->network->cleanup, failures);
    }
    if (rootfs != NULL) {
        run_provider(op, rootfs, rootfs->plugin->rootfs->cleanup, failures);
    }
}

static void release_core(struct operation *op, const struct resource_list *rows,
                         banger_error *failures)
{
    for (size_t i = 0; i < rows->count; i++) {
        banger_error err = BANGER_ERROR_INIT;
        if (strcmp(rows->items[i].kind, "process") != 0 &&
            release_resource(op->engine, &rows->items[i], &err) < 0) {
            error_join(failures, &err);
        }
    }
}

static void explain_left_over(const struct operation *op, const struct resource *row,
                              banger_error *err)
{
    const struct capability *owner = lineup_find(scope_lineup(op->scope), row->owner);
    if (strcmp(row->owner, "core") != 0 && owner == NULL) {
        (void)error_set(err, BANGER_EBUSY, "the %s %s is plugin '%s''s, which is not loaded",
                        row->kind, row->key, row->owner);
        (void)error_hint(err, "enable the plugin again in config.lua, so that it can release it");
        return;
    }
    if (owner != NULL && owner->broken != NULL) {
        (void)error_set(err, BANGER_EBUSY, "the %s %s is that of '%s', which is broken: %s",
                        row->kind, row->key, row->owner, owner->broken->message);
        (void)error_hint(err, "mend %s, so that it can release it", owner->origin);
        return;
    }
    (void)error_set(err, BANGER_EINTERNAL, "'%s' did not release its %s %s", row->owner, row->kind,
                    row->key);
}

/* The newest of them, when nothing else has failed: a failure has said why already. */
static void report_left_over(struct operation *op, banger_error *failures)
{
    struct resource_list rows = {0};
    if (failures->code != 0 ||
        journal_list(op->engine->store, op->vm.id, NULL, &rows, failures) < 0) {
        return;
    }
    if (rows.count > 0) {
        explain_left_over(op, &rows.items[0], failures);
    }
    resource_list_free(&rows);
}

int stage_cleanup_runtime(struct operation *op, banger_error *err)
{
    struct resource_list rows = {0};
    banger_error failures = BANGER_ERROR_INIT;
    if (journal_list(op->engine->store, op->vm.id, "core", &rows, err) < 0) {
        return -1;
    }
    if (op->end_reason != NULL) {
        operation_tell_failure(op, op->end_reason);
    }
    if (end_processes(op, &rows, &failures) == 0) {
        /* A VM that never ran and holds nothing has nothing for capabilities to undo, but they are
         * asked all the same: cleanup never assumes that prepare ran. */
        run_cleanups(op, &failures);
        release_core(op, &rows, &failures);
        report_left_over(op, &failures);
    }
    resource_list_free(&rows);
    if (failures.code != 0) {
        *err = failures;
        return -1;
    }
    op->cleaned_up = true;
    (void)json_object_clear(op->vm.runtime);
    scope_clear_runtime(op->scope);
    return 0;
}
