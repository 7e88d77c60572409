/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu: a VMM for every machine. QEMU's microvm, on KVM where that runs guests and else on TCG, its
 * own translator; controlled through QMP, reached through a virtio-serial port.
 */
#include "qemu.h"

#include <banger/json.h>
#include <banger/plugin.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int qemu_check(const struct banger_host *host, struct banger_call *call)
{
    struct qemu_program program;
    struct qemu_accel accel;

    if (program_find(host, call, &program) < 0 ||
        accel_choose(host, call, program.path, &accel) < 0) {
        return -1;
    }
    char text[PATH_MAX + 256];
    (void)snprintf(text, sizeof(text), "%s %d.%d; %s%s", program.path, program.major, program.minor,
                   accel.reason, program.sandbox ? "" : "; built without seccomp: no sandbox");
    if (host->get_string(call, "vm.id", NULL) == NULL) {
        host->progress(call, text); /* doctor shows it */
    } else {
        host->log(call, BANGER_LOG_DEBUG, "%s", text);
    }
    return 0;
}

/* What the guest's kernel has to be told: where to print; to end instead of hanging after a panic
 * (QEMU has -no-reboot); to skip self-tests. */
static const char *const common_args[] = {
    "console=ttyS0", "panic=-1", "reboot=t", "quiet", "cryptomgr.notests",
};

/* Under TCG the guest cannot calibrate its clock on a busy host: it is told the rate, and to trust
 * it (see tsc.c). */
static json_t *boot_args(bool kvm)
{
    json_t *list = json_array();
    long khz = kvm ? 0 : tsc_khz();

    for (size_t i = 0; i < sizeof(common_args) / sizeof(common_args[0]); i++) {
        json_array_append_new(list, json_string(common_args[i]));
    }
    if (khz > 0) {
        json_array_append_new(list, json_sprintf("tsc_early_khz=%ld", khz));
        json_array_append_new(list, json_string("tsc=reliable"));
        json_array_append_new(list, json_string("no_timer_check"));
    }
    return list;
}

static int qemu_contribute(const struct banger_host *host, struct banger_call *call)
{
    struct qemu_program program;
    struct qemu_accel accel;

    if (program_find(host, call, &program) < 0 ||
        accel_choose(host, call, program.path, &accel) < 0) {
        return -1;
    }
    return banger_json_contribute(host, call, "boot_args", boot_args(accel.kvm));
}

/* Opens the VM's QMP and runs one command. */
static int run_command(const struct banger_host *host, struct banger_call *call,
                       const char *command)
{
    struct qmp qmp;
    enum qmp_result result =
        qmp_open(&qmp, host->get_string(call, "vm.run_dir", ""), qmp_patience_ms(host, call));

    if (result == QMP_OK) {
        result = qmp_command(&qmp, command, NULL);
        qmp_close(&qmp);
    }
    if (result == QMP_OK) {
        return 0;
    }
    return host->fail(call, result == QMP_TIMEOUT ? BANGER_ETIMEDOUT : BANGER_EIO, "%s: %s",
                      command, qmp_result_text(result));
}

static int qemu_request_stop(const struct banger_host *host, struct banger_call *call)
{
    return run_command(host, call, "system_powerdown");
}

static int qemu_pause(const struct banger_host *host, struct banger_call *call)
{
    return run_command(host, call, "stop");
}

static int qemu_resume(const struct banger_host *host, struct banger_call *call)
{
    return run_command(host, call, "cont");
}

/* Whether QEMU answers with this VM's UUID and a guest that is not over. */
static enum qmp_result identify(struct qmp *qmp, const char *vm_id, bool *ours)
{
    json_auto_t *uuid = NULL;
    json_auto_t *status = NULL;
    const char *text = "";
    char expected[37];
    int running = 0;
    enum qmp_result result = qmp_command(qmp, "query-uuid", &uuid);

    if (result == QMP_OK) {
        result = qmp_command(qmp, "query-status", &status);
    }
    (void)json_unpack(uuid, "{s:s}", "UUID", &text);
    *ours = argv_uuid(vm_id, expected) && strcmp(text, expected) == 0;
    text = "";
    (void)json_unpack(status, "{s:b, s:s}", "running", &running, "status", &text);
    *ours = *ours && (running || strcmp(text, "paused") == 0);
    return result;
}

static int qemu_verify(const struct banger_host *host, struct banger_call *call)
{
    struct qmp qmp;
    bool ours = false;
    enum qmp_result result =
        qmp_open(&qmp, host->get_string(call, "vm.run_dir", ""), qmp_patience_ms(host, call));

    if (result == QMP_OK) {
        result = identify(&qmp, host->get_string(call, "vm.id", ""), &ours);
        qmp_close(&qmp);
    }
    if (result != QMP_OK) {
        return host->fail(call, BANGER_EIO, "%s", qmp_result_text(result));
    }
    return ours ? 0
                : host->fail(call, BANGER_ENOTFOUND,
                             "the QEMU at this VM's control socket runs another machine, or none");
}

static int qemu_cleanup(const struct banger_host *host, struct banger_call *call)
{
    static const char *const sockets[] = {QEMU_QMP_SOCKET, QEMU_AGENT_SOCKET};
    const char *run_dir = host->get_string(call, "vm.run_dir", NULL);
    char path[PATH_MAX];

    for (size_t i = 0; run_dir != NULL && i < sizeof(sockets) / sizeof(sockets[0]); i++) {
        if (snprintf(path, sizeof(path), "%s/%s", run_dir, sockets[i]) >= (int)sizeof(path)) {
            continue; /* no socket can have been made there */
        }
        if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR) {
            return host->fail(call, BANGER_EIO, "cannot remove %s: %s", path, strerror(errno));
        }
    }
    return 0;
}

static const char *const features[] = {"drive:file", "drive:block", "nic:user",
                                       "nic:tap",    "initramfs",   NULL};

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_STRING,
     .name = "binary",
     .help = "the QEMU program; without it BANGER_QEMU, then qemu-system-x86_64 in PATH"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_STRING,
     .name = "accel",
     .default_value = "auto",
     .help = "auto (KVM where a probe guest runs on it), kvm or tcg"},
};

static const struct banger_vmm vmm = {
    .size = sizeof(vmm),
    .rank = 100,
    .features = features,
    .check = qemu_check,
    .contribute = qemu_contribute,
    .launch = qemu_launch,
    .request_stop = qemu_request_stop,
    .pause = qemu_pause,
    .resume = qemu_resume,
    .verify = qemu_verify,
    .cleanup = qemu_cleanup,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "qemu",
    .version = BANGER_VERSION,
    .summary = "QEMU's microvm, on KVM where it runs guests and else on TCG",
    .license = "LGPL-2.1-or-later",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .vmm = &vmm,
};

BANGER_PLUGIN(&plugin)
