/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of a start is the earlier system's, with one change: guest_config comes after
 * contributeMachineConfig, not before prepare. What goes into the guest is part of what
 * capabilities contribute, contributions are pure, and so everything that writes follows everything
 * that says.
 */
#include "lifecycle/stage.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "lifecycle/end_reason.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/live.h"
#include "lifecycle/retry.h"

struct stage_row {
    const char *name;
    const char *text; /* for who waits */
    int (*run)(struct operation *op, banger_error *err);
};

/* clang-format off */
static const struct stage_row table[STAGE_COUNT] = {
    [STAGE_PREFLIGHT]       = {"preflight",       "checking host prerequisites",        stage_preflight},
    [STAGE_CLEANUP_RUNTIME] = {"cleanup_runtime", "cleaning up",                        stage_cleanup_runtime},
    [STAGE_BRIDGE]          = {"bridge",          "preparing the host's network",       stage_bridge},
    [STAGE_SOCKET_DIR]      = {"socket_dir",      "making the socket folder",           stage_socket_dir},
    [STAGE_SYSTEM_OVERLAY]  = {"system_overlay",  "preparing the root file system",     stage_system_overlay},
    [STAGE_ROOT_DEVICE]     = {"root_device",     "attaching the root device",          stage_root_device},
    [STAGE_PREPARE]         = {"prepare",         "preparing host-side features",       stage_prepare},
    [STAGE_TAP]             = {"tap",             "connecting the network",             stage_tap},
    [STAGE_METRICS_FILE]    = {"metrics_file",    "making the log and metrics files",   stage_metrics_file},
    [STAGE_CONTRIBUTE_MACHINE_CONFIG]
                            = {"contributeMachineConfig", "composing the machine",      stage_contribute_machine_config},
    [STAGE_GUEST_CONFIG]    = {"guest_config",    "writing the guest configuration",    stage_guest_config},
    [STAGE_LAUNCH]          = {"launch",          "starting the VMM",                   stage_launch},
    [STAGE_SOCKET_ACCESS]   = {"socket_access",   "opening the sockets to their owner", stage_socket_access},
    [STAGE_WAIT_AGENT]      = {"wait_agent",      "waiting for the guest's agent",      stage_wait_agent},
    [STAGE_POST_START]      = {"postStart",       "waiting for guest services",         stage_post_start},
    [STAGE_PERSIST_RUNNING] = {"persist",         "saving the VM's state",              stage_persist_running},

    [STAGE_GRACEFUL_SHUTDOWN] = {"graceful_shutdown", "asking the guest to end",        stage_graceful_shutdown},
    [STAGE_SEND_SIGNAL]       = {"send_signal",       "signalling the VMM",             stage_send_signal},
    [STAGE_KILL_RUNNING_VM]   = {"kill_running_vm",   "ending the VMM",                 stage_kill_running_vm},
    [STAGE_WAIT_FOR_EXIT]     = {"wait_for_exit",     "waiting for the VMM to end",     stage_wait_for_exit},
    [STAGE_PERSIST_STOPPED]   = {"persist",           "saving the VM's state",          stage_persist_stopped},
    [STAGE_DELETED]           = {"deleted",           "telling the capabilities",       stage_deleted},
    [STAGE_DELETE_VM_DIR]     = {"delete_vm_dir",     "deleting the VM's folder",       stage_delete_vm_dir},
    [STAGE_DELETE_RECORD]     = {"delete_record",     "deleting the VM's record",       stage_delete_record},
};
/* clang-format on */

FAILPOINT_COLUMN(table, name, "begin", FAILPOINT_FAIL);
FAILPOINT_COLUMN(table, name, "end", FAILPOINT_KILL);

#define STAGE_LIST(list, ...)                                                                      \
    static const enum stage list##_order[] = {__VA_ARGS__};                                        \
    const struct stage_list list = {list##_order, COUNT_OF(list##_order)}

STAGE_LIST(start_stages, STAGE_PREFLIGHT, STAGE_CLEANUP_RUNTIME, STAGE_BRIDGE, STAGE_SOCKET_DIR,
           STAGE_SYSTEM_OVERLAY, STAGE_ROOT_DEVICE, STAGE_PREPARE, STAGE_TAP, STAGE_METRICS_FILE,
           STAGE_CONTRIBUTE_MACHINE_CONFIG, STAGE_GUEST_CONFIG, STAGE_LAUNCH, STAGE_SOCKET_ACCESS,
           STAGE_WAIT_AGENT, STAGE_POST_START, STAGE_PERSIST_RUNNING);
STAGE_LIST(stop_stages, STAGE_GRACEFUL_SHUTDOWN, STAGE_CLEANUP_RUNTIME, STAGE_PERSIST_STOPPED);
STAGE_LIST(stale_stages, STAGE_CLEANUP_RUNTIME, STAGE_PERSIST_STOPPED);
STAGE_LIST(kill_stages, STAGE_SEND_SIGNAL, STAGE_WAIT_FOR_EXIT, STAGE_CLEANUP_RUNTIME,
           STAGE_PERSIST_STOPPED);
/* The folder goes before the record: what is left of an interrupted delete still has a name, and
 * the delete can be repeated. */
STAGE_LIST(delete_stages, STAGE_KILL_RUNNING_VM, STAGE_CLEANUP_RUNTIME, STAGE_DELETED,
           STAGE_DELETE_VM_DIR, STAGE_DELETE_RECORD);

static int run_one(struct operation *op, enum stage stage, banger_error *err)
{
    const struct stage_row *row = &table[stage];
    operation_stage_begin(op, row->name, row->text);
    banger_error failure = BANGER_ERROR_INIT;
    if (failpoint_row(row->name, "begin", &failure) < 0 || row->run(op, &failure) < 0) {
        operation_stage_end(op, &failure);
        if (err != NULL) {
            *err = failure;
        }
        return -1;
    }
    failpoint_row_kill(row->name, "end"); /* what it was to do is done: nothing can fail any more */
    operation_stage_end(op, NULL);
    return 0;
}

int stages_run(struct operation *op, const struct stage_list *list, banger_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        if (operation_cancelled(op)) {
            return error_set(err, BANGER_ECANCELLED, "cancelled before %s",
                             table[list->stages[i]].name);
        }
        if (run_one(op, list->stages[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What is left is tried again by the daemon itself, and records then why the run ended. */
static void leave_for_later(struct operation *op, const char *end_reason)
{
    end_reason_keep(op, end_reason);
    retry_later(op->engine, op->vm.id, lifecycle_give_back);
}

static void record_failure(struct operation *op, const banger_error *failure)
{
    op->vm.state = VM_ERROR;
    free(op->vm.last_error);
    op->vm.last_error = op->end_reason != NULL
                            ? str_format("%s; %s", op->end_reason, failure->message)
                            : xstrdup(failure->message);
    banger_error err = BANGER_ERROR_INIT;
    if (operation_save(op, &err) < 0) {
        log_error("the state of %s cannot be saved: %s", op->vm.name, err.message);
    }
}

static void say_where_to_look(const struct operation *op, banger_error *err)
{
    if (json_get_bool(op->vm.spec, "ephemeral", false)) {
        (void)error_hint(err, "without --rm the VM and its logs stay, to be looked at");
    } else {
        (void)error_hint(err, "the VM's log is %s/vmm.log, its console: banger vm logs %s",
                         op->vm_dir, op->vm.name);
    }
}

void stages_fail(struct operation *op, banger_error *err)
{
    op->uncancellable = true;
    operation_tell_failure(op, err->message);
    AUTO_FREE char *why = xstrdup(err->message);
    banger_error second = BANGER_ERROR_INIT;
    if (run_one(op, STAGE_CLEANUP_RUNTIME, &second) < 0) {
        error_join(err, &second);
        leave_for_later(op, why);
    }
    if (err->hint[0] == '\0' && err->code != BANGER_ECANCELLED) {
        say_where_to_look(op, err);
    }
    record_failure(op, err);
}

static void fail_end(struct operation *op, const banger_error *err)
{
    if (live_is_running(op->engine, op->vm.id)) {
        return;
    }
    if (!op->cleaned_up) {
        leave_for_later(op, op->end_reason);
    }
    record_failure(op, err);
}

int stages_end(struct operation *op, const struct stage_list *list, banger_error *err)
{
    banger_error failure = BANGER_ERROR_INIT;
    op->uncancellable = true;
    if (stages_run(op, list, &failure) == 0) {
        return 0;
    }
    fail_end(op, &failure);
    if (err != NULL) {
        *err = failure;
    }
    return -1;
}
