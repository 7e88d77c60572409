/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Launch:
 *
 * 1. Watch vm.run_dir (QEMU's control socket will appear there) and the log (its last writer's end
 *    is QEMU's end, since nobody else holds it).
 * 2. host->spawn QEMU with vm.run_dir as its working directory.
 * 3. At each event try the control socket; once it greets, the guest's processors run.
 * 4. When the log was closed and nobody listens, QEMU has ended: the error is the log's tail.
 */
#include "qemu.h"
#include "vmm_start.h"

#include <banger/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
struct launch {
    const struct banger_host *host;
    struct banger_call *call;
    const char *run_dir;
    struct vmm_start start;
};

/* QEMU opens its sockets before the machine and answers once the machine runs. */
static enum qmp_result greet(const struct launch *launch)
{
    struct qmp qmp;
    enum qmp_result result =
        qmp_open(&qmp, launch->run_dir, qmp_patience_ms(launch->host, launch->call));

    if (result == QMP_OK) {
        qmp_close(&qmp);
    }
    return result;
}

static int wait_until_it_runs(const struct launch *launch)
{
    bool ended = false;

    for (;;) {
        enum qmp_result result = greet(launch);

        if (result == QMP_OK) {
            return 0;
        }
        if (vmm_start_give_up(&launch->start, ended || result == QMP_BROKEN) < 0) {
            return -1;
        }
        ended = vmm_start_has_ended(&launch->start);
    }
}

static json_t *build_argv(const struct launch *launch)
{
    const struct banger_host *host = launch->host;
    json_auto_t *machine = banger_json_get(host, launch->call, "machine");
    struct qemu_program program;
    struct qemu_accel accel;
    const char *reason = NULL;
    json_t *argv;

    if (program_find(host, launch->call, &program) < 0 ||
        accel_choose(host, launch->call, program.path, &accel) < 0) {
        return NULL;
    }
    argv = argv_build(machine,
                      &(struct qemu_options){
                          .program = program.path,
                          .vm_name = host->get_string(launch->call, "vm.name", "banger"),
                          .vm_id = host->get_string(launch->call, "vm.id", ""),
                          .kvm = accel.kvm,
                          .sandbox = program.sandbox,
                      },
                      &reason);
    if (argv == NULL) {
        (void)host->fail(launch->call, BANGER_EINVALID, "qemu cannot run this machine: %s", reason);
    }
    return argv;
}

static int add_log(struct launch *launch)
{
    const char *dir = launch->host->get_string(launch->call, "vm.dir", "");
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/vmm.log", dir) >= (int)sizeof(path)) {
        return launch->host->fail(launch->call, BANGER_EINVALID,
                                  "the path of the VM's folder is too long: %s", dir);
    }
    return vmm_start_add_log(&launch->start, path);
}

static int spawn_and_wait(struct launch *launch)
{
    json_t *argv = build_argv(launch);

    if (argv == NULL || add_log(launch) < 0 ||
        vmm_start_watch(&launch->start, launch->run_dir) < 0) {
        json_decref(argv);
        return -1;
    }
    if (banger_json_spawn(launch->host, launch->call, argv,
                          json_pack("{s:s, s:s, s:s}", "role", "vmm", "log",
                                    launch->start.logs[0].path, "cwd", launch->run_dir)) < 0) {
        return -1;
    }
    return wait_until_it_runs(launch);
}

/* Nothing between a guest's NIC and a TAP or slirp counts in QEMU. */
static int check_rate_limits(const struct banger_host *host, struct banger_call *call)
{
    json_t *limits = banger_json_get(host, call, "machine.rate_limits");
    const char *device;
    json_t *value;
    int result = 0;

    json_object_foreach (limits, device, value) {
        if (result == 0 && strncmp(device, "nic.", 4) == 0) {
            host->hint(call, "--vmm firecracker limits NICs; drives are limited by both");
            result = host->fail(call, BANGER_EUNSUPPORTED,
                                "QEMU cannot limit the rate of a NIC (%s)", device);
        }
    }
    json_decref(limits);
    return result;
}

int qemu_launch(const struct banger_host *host, struct banger_call *call)
{
    struct launch launch = {.host = host,
                            .call = call,
                            .run_dir = host->get_string(call, "vm.run_dir", ""),
                            .start = {.host = host, .call = call, .name = "QEMU", .events = -1}};
    int result = check_rate_limits(host, call) < 0 ? -1 : spawn_and_wait(&launch);

    vmm_start_end(&launch.start);
    if (result < 0) {
        return -1;
    }
    return banger_json_store(
        host, call, "agent",
        json_pack("{s:s, s:s}", "transport", "unix", "path", QEMU_AGENT_SOCKET));
}
