/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which accelerator runs guests here. A /dev/kvm that opens says little: nested or filtered hosts
 * have one that answers and runs no kernel. So, cheapest question first:
 *
 * 1. Does the CPU have svm or vmx?  2. May we open /dev/kvm?  3. Does a guest run to its end?
 *
 * Anything else than three times yes means TCG, QEMU's own translator, with the reason kept.
 */
#include "cpu.h"
#include "qemu.h"

#include <banger/json.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of time: many times what the probe takes in a machine of QEMU's on busy processors. */
#define PROBE_SECONDS "6"

static void conclude(struct qemu_accel *accel, bool kvm, const char *format, ...)
    BANGER_PRINTF(3, 4);

static void conclude(struct qemu_accel *accel, bool kvm, const char *format, ...)
{
    va_list args;

    accel->kvm = kvm;
    va_start(args, format);
    (void)vsnprintf(accel->reason, sizeof(accel->reason), format, args);
    va_end(args);
}

/* /usr/bin/timeout gives the probe a deadline of its own, below the hook's. */
static json_t *probe_argv(const char *qemu, int guest_fd)
{
    return json_pack(
        "[s,s,s,s, s, s,s, s,s, s,s, s,s, s,s,s, s,s, s,o, s,s]", /* one pair, one option */
        "/usr/bin/timeout", "-s", "KILL", PROBE_SECONDS, qemu,    /* */
        "-M", "microvm,acpi=on,rtc=on",                           /* */
        "-accel", "kvm", "-cpu", "host", "-m", "32",              /* */
        "-nodefaults", "-no-user-config", "-no-reboot",           /* */
        "-display", "none",                                       /* */
        "-kernel", json_sprintf("/proc/%d/fd/%d", (int)getpid(), guest_fd), /* */
        "-device", "isa-debug-exit,iobase=" PROBE_GUEST_PORT ",iosize=1");
}

/* False: it could not be asked (the hook's deadline, say), and the answer is not to be kept. */
static bool run_probe(const struct banger_host *host, struct banger_call *call, const char *qemu,
                      struct qemu_accel *accel)
{
    json_auto_t *result = NULL;
    int status = -1;
    int guest = probe_guest_open();

    if (guest < 0) {
        conclude(accel, false, "TCG: no probe guest could be made: %s", strerror(errno));
        return false;
    }
    result = banger_json_run(host, call, probe_argv(qemu, guest));
    (void)close(guest);
    (void)json_unpack(result, "{s:i}", "status", &status);
    if (status == PROBE_GUEST_STATUS) {
        conclude(accel, true, "KVM: a probe guest ran");
    } else {
        conclude(accel, false, "TCG: /dev/kvm opens, but a probe guest did not run (status %d)",
                 status);
    }
    return result != NULL;
}

static bool detect(const struct banger_host *host, struct banger_call *call, const char *qemu,
                   struct qemu_accel *accel)
{
    int fd;

    if (!cpu_has_virtualization()) {
        conclude(accel, false, "TCG: the CPU shows neither svm nor vmx in /proc/cpuinfo");
        return true;
    }
    fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        conclude(accel, false, "TCG: /dev/kvm: %s", strerror(errno));
        return false; /* a group or a module may come while the daemon runs; asking costs nothing */
    }
    (void)close(fd);
    return run_probe(host, call, qemu, accel);
}

void accel_detect(const struct banger_host *host, struct banger_call *call, const char *qemu,
                  struct qemu_accel *accel)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct qemu_accel kept;
    static bool known;

    (void)pthread_mutex_lock(&lock);
    if (!known) {
        known = detect(host, call, qemu, &kept);
    }
    *accel = kept;
    (void)pthread_mutex_unlock(&lock);
}

int accel_choose(const struct banger_host *host, struct banger_call *call, const char *qemu,
                 struct qemu_accel *accel)
{
    const char *wish = host->get_string(call, "config.accel", "auto");

    if (strcmp(wish, "tcg") == 0) {
        conclude(accel, false, "TCG: the configuration says accel = \"tcg\"");
        return 0;
    }
    if (strcmp(wish, "auto") != 0 && strcmp(wish, "kvm") != 0) {
        return host->fail(call, BANGER_EINVALID,
                          "plugins.qemu.accel is '%.40s'; it must be auto, kvm or tcg", wish);
    }
    accel_detect(host, call, qemu, accel);
    if (!accel->kvm && strcmp(wish, "kvm") == 0) {
        host->hint(call, "set plugins.qemu.accel to auto: guests then run under TCG, slower");
        return host->fail(call, BANGER_EUNSUPPORTED, "KVM does not run guests here (%s)",
                          accel->reason);
    }
    return 0;
}
