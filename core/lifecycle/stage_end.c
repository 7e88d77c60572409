/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stages that end a VM: by asking, by insisting, and by forgetting it. */
#include "agent/frame.h"
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "host/signal.h"
#include "lifecycle/live.h"
#include "lifecycle/pause.h"
#include "lifecycle/stage.h"

#include <signal.h>

#define KILL_WAIT_MS 30000 /* a signalled VMM: what the earlier system gave it */
#define ASK_TIMEOUT_MS 2000
#define ASK_AGAIN_MS 1000
#define ASK_SOON_MS 100 /* while nobody has taken the request on */

/* Waits for the VMM's end. 0 it ended, 1 it did not in time. */
static int wait_for_end(struct operation *op, int64_t ms, banger_error *err)
{
    struct process_id process;
    AUTO_CLOSE int pidfd = -1;
    banger_error failure = BANGER_ERROR_INIT;
    if (live_process(op->engine, op->vm.id, &process, &pidfd, &failure) < 0) {
        if (failure.code == BANGER_ENOTFOUND) {
            return 0;
        }
        *err = failure;
        return -1;
    }
    return process_wait(pidfd, deadline_in(ms), NULL, NULL) < 0; /* fails only for its deadline */
}

static int signal_vmm(struct operation *op, int number, banger_error *err)
{
    struct process_id process;
    if (live_process(op->engine, op->vm.id, &process, NULL, NULL) < 0) {
        return 0;
    }
    banger_error failure = BANGER_ERROR_INIT;
    if (signal_send(&process, number, &failure) < 0 && failure.code != BANGER_ENOTFOUND) {
        *err = failure;
        return -1;
    }
    return 0;
}

/* The agent knows how its guest ends well. Whether it took the request on. */
static bool ask_agent(struct operation *op, deadline until)
{
    AUTO_LIVE_VM struct live_vm *vm = live_hold(op->engine, op->vm.id);
    if (vm == NULL || channel_get_state(live_channel(vm)) != CHANNEL_READY) {
        return false;
    }
    const uint8_t as_ctrl_alt_del = 0;
    deadline soon = deadline_in(ASK_TIMEOUT_MS);
    struct channel_result result = {0};
    if (channel_call(live_channel(vm), SERVICE_SHUTDOWN, &as_ctrl_alt_del, 1, NULL, 0, 4096,
                     soon < until ? soon : until, &result, NULL) == 0) {
        channel_result_free(&result);
        return true;
    }
    return !live_is_running(op->engine, op->vm.id); /* it ended so fast that no answer came */
}

/* For when the agent cannot be reached. Whether the request was taken on; a failure is told once. It has
 * its time however little the stop has: a hook in the daemon that is late is out of use for every VM until it
 * returns, which a stop of 30 ms on a busy machine would do to a sane provider. */
static bool ask_vmm(struct operation *op, bool tell)
{
    banger_error err = BANGER_ERROR_INIT;
    if (op->vmm == NULL) {
        (void)error_set(&err, BANGER_EUNSUPPORTED, "its vmm plugin is not loaded");
    } else if (dispatch_provider(op->scope, op->vmm, "request_stop",
                                 op->vmm->plugin->vmm->request_stop, ASK_TIMEOUT_MS, &err) == 0) {
        return true;
    }
    if (tell) {
        operation_info(op, "the guest cannot be asked to end: %s", err.message);
    }
    return false;
}

/* The agent is asked again and again: an init that has only just been executed does not handle the
 * signal yet that it is asked by, and PID 1 loses such a signal (kill(2)). So is a VMM until it has taken the
 * request on: one that was started a moment ago may not listen yet. As wait_for_end. */
static int ask_until_ended(struct operation *op, deadline until, banger_error *err)
{
    bool taken = ask_agent(op, until) || ask_vmm(op, true);
    for (;;) {
        int64_t left = deadline_left_ms(until);
        int64_t pause = taken ? ASK_AGAIN_MS : ASK_SOON_MS;
        int ended = wait_for_end(op, left < pause ? left : pause, err);
        if (ended <= 0 || left <= pause) {
            return ended;
        }
        taken = ask_agent(op, until) || taken || ask_vmm(op, false);
    }
}

/* Ask, then TERM, then KILL, each with its deadline. */
int stage_graceful_shutdown(struct operation *op, banger_error *err)
{
    int64_t patience =
        op->stop_timeout_ms >= 0 ? op->stop_timeout_ms : operation_config(op, "stop_timeout");
    banger_error failure = BANGER_ERROR_INIT;
    if (pause_lift(op, &failure) < 0) {
        operation_warn(op, "%s stays paused: %s", op->vm.name, failure.message);
        patience = 0; /* it cannot hear */
    }
    int ended =
        patience > 0 ? ask_until_ended(op, deadline_in(patience), err) : wait_for_end(op, 0, err);
    if (ended <= 0) {
        return ended;
    }
    if (patience > 0) {
        operation_warn(op, "%s did not end within %lld ms: sending TERM", op->vm.name,
                       (long long)patience);
    }
    return stage_kill_running_vm(op, err);
}

int stage_send_signal(struct operation *op, banger_error *err)
{
    operation_info(op, "sending %s", signal_name(op->signal_number));
    return signal_vmm(op, op->signal_number, err);
}

/* After a signal of the user's choice; what survives it is ended by the cleanup. */
int stage_wait_for_exit(struct operation *op, banger_error *err)
{
    int ended = wait_for_end(op, KILL_WAIT_MS, err);
    if (ended > 0) {
        operation_warn(op, "%s did not end within %d s of %s", op->vm.name, KILL_WAIT_MS / 1000,
                       signal_name(op->signal_number));
    }
    return ended < 0 ? -1 : 0;
}

int stage_kill_running_vm(struct operation *op, banger_error *err)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        if (!live_is_running(op->engine, op->vm.id)) {
            return 0;
        }
        if (signal_vmm(op, signals[i], err) < 0) {
            return -1;
        }
        int ended = wait_for_end(op, operation_config(op, "term_timeout"), err);
        if (ended <= 0) {
            return ended;
        }
    }
    return error_set(err, BANGER_ETIMEDOUT, "the VMM of '%s' cannot be ended, even by KILL",
                     op->vm.name);
}

int stage_persist_stopped(struct operation *op, banger_error *err)
{
    op->vm.state = op->end_reason != NULL ? VM_ERROR : VM_STOPPED;
    free(op->vm.last_error);
    op->vm.last_error = STEAL(op->end_reason);
    return operation_save(op, err);
}

int stage_deleted(struct operation *op, banger_error *err)
{
    return dispatch_hook(op->scope, HOOK_DELETED, err);
}

int stage_delete_vm_dir(struct operation *op, banger_error *err)
{
    return dir_remove(op->vm_dir, err);
}

int stage_delete_record(struct operation *op, banger_error *err)
{
    return failpoint_write("record", "removing", err) < 0
               ? -1
               : vm_remove(op->engine->store, op->vm.id, err);
}
