/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the qemu provider. Each is one file; plugin.c puts them together. */
#ifndef QEMU_QEMU_H
#define QEMU_QEMU_H

#include <banger/host.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* Below vm.run_dir, which is the process's working directory: relative, so that they fit sun_path
 * (108 bytes, unix(7)) wherever the folder lies. */
#define QEMU_QMP_SOCKET "qmp.sock"
#define QEMU_AGENT_SOCKET "agent.sock"

/* -- accel.c: which accelerator runs guests here ---------------------------------------------- */

struct qemu_accel {
    bool kvm;
    char reason[160]; /* why, for people */
};

/* Finds out, once a process. `qemu` is the program. */
void accel_detect(const struct banger_host *host, struct banger_call *call, const char *qemu,
                  struct qemu_accel *accel);
/* The same with the key `accel` (auto, kvm, tcg) heard; <0: what was asked for cannot be had. */
int accel_choose(const struct banger_host *host, struct banger_call *call, const char *qemu,
                 struct qemu_accel *accel);

/* -- probe_guest.c: the smallest guest that shows that guests run ------------------------------ */

/* What QEMU exits with when the probe guest has run: isa-debug-exit turns V into 2V+1. */
#define PROBE_GUEST_PORT "0xf4"
#define PROBE_GUEST_STATUS 43

/* The guest as a PVH kernel in a nameless file; -1 and errno. */
int probe_guest_open(void);

/* -- program.c: the QEMU program and what it can do -------------------------------------------- */

struct qemu_program {
    char path[512];
    int major, minor;
    bool sandbox; /* built with seccomp */
};

/* Finds it (BANGER_QEMU, the key `binary`, PATH) and asks it, once a process and file. */
int program_find(const struct banger_host *host, struct banger_call *call,
                 struct qemu_program *program);

/* -- argv.c: the machine document as QEMU's arguments. Pure. ----------------------------------- */

struct qemu_options {
    const char *program;
    const char *vm_name;
    const char *vm_id; /* 32 hex digits: the machine's UUID */
    bool kvm;
    bool sandbox;
};

/* A new array; NULL: `reason` (static text) says which part of the document it cannot run. */
json_t *argv_build(const json_t *machine, const struct qemu_options *options, const char **reason);
/* The 8-4-4-4-12 form of 32 hex digits; false when they are something else. */
bool argv_uuid(const char *id, char uuid[37]);

/* -- tsc.c --------------------------------------------------------------------------------------
 */

/* The host's time stamp counter in kHz, measured once a process (20 ms); 0: it has none. */
long tsc_khz(void);

/* -- qmp.c: one command to a QEMU that may hang or lie ------------------------------------------
 */

struct qmp {
    int fd;
    int64_t until_ms; /* monotonic */
    size_t used;
    char line[65536]; /* QMP's answers to what we ask are below 1 KiB */
};

enum qmp_result {
    QMP_OK = 0,
    QMP_ABSENT = -1,  /* nobody listens */
    QMP_TIMEOUT = -2, /* it does not answer */
    QMP_BROKEN = -3,  /* it answers what is not QMP, or hung up */
    QMP_REFUSED = -4, /* it answered with an error */
};

const char *qmp_result_text(enum qmp_result result);
/* Milliseconds that a QMP exchange may take in this call: at most 5 s. */
int64_t qmp_patience_ms(const struct banger_host *host, struct banger_call *call);
/* Connects to run_dir/qmp.sock, reads the greeting and negotiates. */
enum qmp_result qmp_open(struct qmp *qmp, const char *run_dir, int64_t patience_ms);
/* One command without arguments; `answer` (may be NULL) gets the "return" value, a new reference.
 */
enum qmp_result qmp_command(struct qmp *qmp, const char *command, json_t **answer);
void qmp_close(struct qmp *qmp);

/* -- launch.c -----------------------------------------------------------------------------------
 */

int qemu_launch(const struct banger_host *host, struct banger_call *call);

#endif
