/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stages of a start that make the machine: from its description to a guest that answers. */
#include "agent/guest_conf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "image/guest_archive.h"
#include "lifecycle/compose.h"
#include "lifecycle/console.h"
#include "lifecycle/direct_boot.h"
#include "lifecycle/live.h"
#include "lifecycle/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* What the guest will be reached at, for those who list VMs: the middle of each "MAC ADDRESS/PREFIX
 * GATEWAY". */
static json_t *guest_addresses(const json_t *document)
{
    json_t *addresses = json_array();
    size_t i = 0;
    json_t *interface = NULL;
    json_array_foreach (json_at(document, "guest.conf.interface"), i, interface) {
        const char *address = strchr(str_or(json_string_value(interface), ""), ' ');
        if (address != NULL) {
            size_t length = strcspn(address + 1, "/ ");
            (void)json_array_append_new(addresses, json_stringn(address + 1, length));
        }
    }
    return addresses;
}

int stage_contribute_machine_config(struct operation *op, banger_error *err)
{
    if (compose_machine(op, err) < 0) {
        return -1;
    }
    json_put(op->vm.runtime, "core.addresses",
             guest_addresses(machine_document(scope_machine(op->scope))));
    return 0;
}

int stage_guest_config(struct operation *op, banger_error *err)
{
    const json_t *document = machine_document(scope_machine(op->scope));
    const json_t *guest = json_object_get(document, "guest");
    /* The wall clock is read now and not when the machine was described: a plan stays the same. */
    AUTO_JSON json_t *timed = json_deep_copy(guest);
    json_put(timed, "conf.clock", json_sprintf("%lld", (long long)clock_wall_ms() * 1000000));
    if (op->kernel.initramfs == NULL) {
        return direct_boot_write(op, document, timed, err);
    }
    if (direct_boot_finish(op, err) < 0) { /* by another kernel than this one, before */
        return -1;
    }
    const char *out = json_get_string(document, "initramfs", "");
    return guest_archive_write(op->kernel.initramfs, timed, out, err);
}

/* 1: connected or on the way to be; 0: this VMM has no agent to wait for. */
static int connect_agent(struct operation *op, banger_error *err)
{
    AUTO_JSON json_t *runtime = scope_runtime(op->scope);
    AUTO_FREE char *key = str_format("%s.agent", op->vmm->plugin->name);
    const json_t *agent = json_at(runtime, key);
    if (agent == NULL) {
        operation_info(op, "vmm '%s' has no agent", op->vmm->plugin->name);
        return 0;
    }
    json_put(op->vm.runtime, "core.agent", json_deep_copy(agent));
    return live_connect(op->engine, op->vm.id, agent, err) < 0 ? -1 : 1;
}

/* How the VMM ended; NULL when it did not within that time, or well. */
static char *end_of_vmm(struct operation *op, int64_t patience_ms)
{
    struct process_id process;
    AUTO_CLOSE int pidfd = -1;
    int status = -1;
    if (live_process(op->engine, op->vm.id, &process, &pidfd, NULL) == 0) {
        (void)process_wait(pidfd, deadline_in(patience_ms), &status, NULL);
    }
    return vmm_end_text(status);
}

#define LAUNCH_GRACE_MS 100 /* what the provider has seen break is about to end */

/* To what the provider saw the status is added, which only we see. */
static int explain_launch(struct operation *op, banger_error *err)
{
    AUTO_FREE char *why = end_of_vmm(op, LAUNCH_GRACE_MS);
    banger_error second = BANGER_ERROR_INIT;
    if (why != NULL) {
        (void)error_set(&second, BANGER_EGUEST, "%s", why);
        error_join(err, &second);
    }
    return -1;
}

int stage_launch(struct operation *op, banger_error *err)
{
    if (dispatch_provider(op->scope, op->vmm, "launch", op->vmm->plugin->vmm->launch,
                          operation_config(op, "boot_timeout"), err) < 0) {
        return explain_launch(op, err);
    }
    if (live_is_running(op->engine, op->vm.id)) {
        return 0;
    }
    AUTO_FREE char *why = end_of_vmm(op, 0);
    return error_set(err, BANGER_EGUEST, "%s, as soon as it was started",
                     str_or(why, "the VMM ended"));
}

/* The agent's socket is the guest's front door: its owner's alone, in a folder that is its owner's
 * alone. Who else may use the VM comes through the daemon. */
int stage_socket_access(struct operation *op, banger_error *err)
{
    AUTO_JSON json_t *runtime = scope_runtime(op->scope);
    AUTO_FREE char *key = str_format("%s.agent.path", op->vmm->plugin->name);
    const char *name = json_get_string(runtime, key, NULL);
    if (name == NULL) {
        return 0; /* no socket: vsock has no file */
    }
    if (name[0] == '/' || strstr(name, "..") != NULL) {
        return error_set(err, BANGER_EINTERNAL,
                         "vmm '%s' has its agent's socket outside of the VM's run folder: %s",
                         op->vmm->plugin->name, name);
    }
    AUTO_FREE char *path = str_format("%s/%s", op->run_dir, name);
    /* By descriptor: the folder may be the VMM's jail, and it must not turn its socket into a link to a
     * file of ours meanwhile. */
    AUTO_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0) {
        return error_sys(err, errno, "the agent's socket %s", path);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return error_sys(err, ENOTSOCK, "the agent's socket %s", path);
    }
    AUTO_FREE char *place = str_format("/proc/self/fd/%d", fd);
    if (chmod(place, 0600) < 0) {
        return error_sys(err, errno, "cannot set the mode of %s", path);
    }
    return 0;
}

static bool gone_or_cancelled(void *context)
{
    const struct operation *op = context;
    return operation_cancelled(op) || !live_is_running(op->engine, op->vm.id);
}

#define END_GRACE_MS 500 /* a VMM closes its sockets a moment before it has ended */

static bool vmm_has_ended(struct operation *op)
{
    struct process_id process;
    AUTO_CLOSE int pidfd = -1;
    return live_process(op->engine, op->vm.id, &process, &pidfd, NULL) == 0 &&
           process_wait(pidfd, deadline_in(END_GRACE_MS), NULL, NULL) == 0;
}

int stage_wait_agent(struct operation *op, banger_error *err)
{
    int connected = connect_agent(op, err);
    if (connected <= 0) {
        return connected;
    }
    AUTO_LIVE_VM struct live_vm *vm = live_hold(op->engine, op->vm.id);
    if (vm == NULL) {
        return error_set(err, BANGER_EGUEST, "the VMM ended while its guest booted");
    }
    int64_t timeout = operation_config(op, "boot_timeout");
    banger_error failure = BANGER_ERROR_INIT;
    if (channel_wait_ready(live_channel(vm), deadline_in(timeout), gone_or_cancelled, op,
                           &failure) == 0) {
        return 0;
    }
    if (operation_cancelled(op)) {
        return error_set(err, BANGER_ECANCELLED, "cancelled while the guest booted");
    }
    bool ended = vmm_has_ended(op);
    if (!ended && failure.code == BANGER_EGUEST) { /* it answers, but not as an agent does */
        *err = failure;
        return -1;
    }
    return console_explain(op, ended, timeout, err);
}

int stage_post_start(struct operation *op, banger_error *err)
{
    return dispatch_hook(op->scope, HOOK_POST_START, err);
}

int stage_persist_running(struct operation *op, banger_error *err)
{
    AUTO_JSON json_t *stored = scope_runtime(op->scope);
    (void)json_object_update_missing(op->vm.runtime, stored);
    op->vm.state = VM_RUNNING;
    free(STEAL(op->vm.last_error));
    op->vm.started_ms = clock_wall_ms();
    return operation_save(op, err);
}
